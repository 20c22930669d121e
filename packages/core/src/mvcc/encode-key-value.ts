import type { KeyValue } from './key-value.ts';

/** Field tags of mvccpb.KeyValue (etcd api/mvccpb/kv.proto), in the order in which etcd writes them. */
const KEY = 0x0a;
const CREATE_REVISION = 0x10;
const MOD_REVISION = 0x18;
const VERSION = 0x20;
const VALUE = 0x2a;
const LEASE = 0x30;
/** Six tags, and six numbers of at most ten bytes. */
const OVERHEAD_BYTES_MAX = 66;

/**
 * The bytes that etcd stores for a put: fields ascending, zero fields left out. The value of a tombstone is the same with nothing but
 * the key.
 */
export function encodeKeyValue(row: KeyValue): Buffer {
  const { key, value } = row;
  const bytes = Buffer.allocUnsafe(key.length + value.length + OVERHEAD_BYTES_MAX);
  let end = writeBytes(bytes, 0, KEY, key);
  end = writeNumber(bytes, end, CREATE_REVISION, row.createRevision);
  end = writeNumber(bytes, end, MOD_REVISION, row.modRevision);
  end = writeNumber(bytes, end, VERSION, row.version);
  end = writeBytes(bytes, end, VALUE, value);
  if (row.lease !== 0n) {
    bytes[end++] = LEASE;
    let rest = BigInt.asUintN(64, row.lease);
    for (; rest >= 0x80n; rest >>= 7n) bytes[end++] = Number(rest & 0x7fn) | 0x80;
    bytes[end++] = Number(rest);
  }
  return bytes.subarray(0, end);
}

function writeBytes(bytes: Buffer, offset: number, tag: number, content: Uint8Array): number {
  if (content.length === 0) return offset;
  const start = writeNumber(bytes, offset, tag, content.length);
  bytes.set(content, start);
  return start + content.length;
}

function writeNumber(bytes: Buffer, offset: number, tag: number, value: number): number {
  if (value === 0) return offset;
  let end = offset;
  bytes[end++] = tag;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[end++] = (rest % 0x80) | 0x80;
  bytes[end++] = rest;
  return end;
}
