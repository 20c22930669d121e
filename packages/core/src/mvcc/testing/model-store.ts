import { BoltWriter } from '../../bolt/bolt-writer.ts';
import { encodeRevisionKey } from '../revision.ts';

/** What one operation of a model history does; operations of one array are one revision. */
export type Operation = { key: string; lease?: bigint; valueBytes?: number } | { key: string; deleted: true };

export interface ModelRow {
  main: number;
  sub: number;
  userKey: string;
  tombstone: boolean;
  lease: bigint;
  key: Buffer;
  value: Buffer;
}

/** The rows that etcd would store for this history, the first revision being 2. Deletes of absent keys make no row. */
export function rowsOfHistory(history: readonly (readonly Operation[])[]): ModelRow[] {
  const rows: ModelRow[] = [];
  const versions = new Map<string, { created: number; version: number }>();
  let main = 1;
  for (const operations of history) {
    let sub = 0;
    for (const operation of operations) {
      const { key: userKey } = operation;
      const tombstone = 'deleted' in operation;
      if (tombstone && !versions.has(userKey)) continue;
      if (sub === 0) main++;
      const state = versions.get(userKey) ?? { created: main, version: 0 };
      state.version++;
      if (tombstone) versions.delete(userKey);
      else versions.set(userKey, state);
      const lease = ('lease' in operation && operation.lease) || 0n;
      const value = tombstone
        ? encodeKeyValue({ userKey })
        : encodeKeyValue({
            userKey,
            ...state,
            main,
            lease,
            value: Buffer.alloc(('valueBytes' in operation && operation.valueBytes) || 0, 120),
          });
      rows.push({ main, sub, userKey, tombstone, lease, key: encodeRevisionKey(main, sub, tombstone), value });
      sub++;
    }
  }
  return rows;
}

/** A database file of these rows and compact revisions. */
export function writeModelStore(
  path: string,
  rows: readonly ModelRow[],
  meta: { scheduled?: number; finished?: number; pageSize?: number } = {},
): void {
  using writer = BoltWriter.create(path, { pageSize: meta.pageSize ?? 512 });
  const edge = writer.rightEdge('key');
  for (const { key, value } of rows) edge.append(key, value);
  edge.finish();
  const entries: { key: Buffer; value: Buffer }[] = [{ key: Buffer.from('consistent_index'), value: Buffer.alloc(8) }];
  if (meta.finished !== undefined) {
    entries.push({ key: Buffer.from('finishedCompactRev'), value: encodeRevisionKey(meta.finished) });
  }
  if (meta.scheduled !== undefined) {
    entries.push({ key: Buffer.from('scheduledCompactRev'), value: encodeRevisionKey(meta.scheduled) });
  }
  writer.replaceBucket('meta', entries);
  writer.commit({ sync: false });
}

function encodeKeyValue(row: {
  userKey: string;
  created?: number;
  main?: number;
  version?: number;
  value?: Buffer;
  lease?: bigint;
}): Buffer {
  const key = Buffer.from(row.userKey);
  const parts: Buffer[] = [Buffer.from([0x0a, ...varint(key.length)]), key];
  const number = (tag: number, value: bigint): void =>
    void (value !== 0n && parts.push(Buffer.from([tag, ...varint(value)])));
  number(0x10, BigInt(row.created ?? 0));
  number(0x18, BigInt(row.main ?? 0));
  number(0x20, BigInt(row.version ?? 0));
  if (row.value !== undefined && row.value.length > 0) {
    parts.push(Buffer.from([0x2a, ...varint(row.value.length)]), row.value);
  }
  number(0x30, BigInt.asUintN(64, row.lease ?? 0n));
  return Buffer.concat(parts);
}

function varint(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}
