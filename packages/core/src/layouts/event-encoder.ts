import { scanKeyValue } from '../mvcc/key-value.ts';

/**
 * One event as Go's encoding/json writes it for the seed tool and gardener: fields in the order of their structs, zero ones left out,
 * bytes in base64 with padding, 64-bit numbers bare. A deletion has key and mod_revision only.
 */
export function encodeEvent(row: {
  main: number;
  isTombstone: boolean;
  value: Uint8Array;
  observedMs: number;
}): string {
  const { main, isTombstone, value, observedMs } = row;
  const kv = scanKeyValue(value);
  const fields = isTombstone
    ? [bytesField('key', kv.key), numberField('mod_revision', main)]
    : [
        bytesField('key', kv.key),
        numberField('create_revision', kv.createRevision),
        numberField('mod_revision', kv.modRevision),
        numberField('version', kv.version),
        bytesField('value', kv.value),
        numberField('lease', kv.lease),
      ];
  const type = isTombstone ? '"type":1,' : '';
  const content = fields.filter((field) => field !== '').join(',');
  return `{"etcdEvent":{${type}"kv":{${content}}},"time":"${goTime(observedMs)}"}`;
}

/** RFC 3339 as Go's time.Time is written in JSON: no zeros at the end of the fraction. */
export function goTime(timeMs: number): string {
  return new Date(timeMs)
    .toISOString()
    .replace(/(\.\d*?)0*Z$/, (_, fraction: string) => `${fraction === '.' ? '' : fraction}Z`);
}

function bytesField(name: string, value: Uint8Array): string {
  if (value.length === 0) return '';
  const { buffer, byteOffset, length } = value;
  return `"${name}":"${Buffer.from(buffer, byteOffset, length).toString('base64')}"`;
}

function numberField(name: string, value: number | bigint): string {
  return BigInt(value) === 0n ? '' : `"${name}":${value}`;
}
