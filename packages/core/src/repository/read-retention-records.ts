import { describeError, isEtcdOpsError } from '../base/errors.ts';
import type { ObjectInfo, ObjectStore } from '../storage/object-store.ts';
import { DOCUMENT_BYTES_MAX } from './checked-json.ts';
import { clusterPrefix, parseObjectKey } from './object-key.ts';
import type { RetentionRecordKind } from './retention-key.ts';
import {
  decodeHold,
  decodeMark,
  decodePin,
  type HoldRecord,
  type MarkRecord,
  type PinRecord,
} from './retention-records.ts';

export interface StoredRecord<T> {
  key: string;
  /** By the store's clock. */
  modifiedAtMs: number;
  record: T;
}

/** What people, readers and the garbage collector have written down in a repository. */
export interface RetentionRecords {
  pins: StoredRecord<PinRecord>[];
  holds: StoredRecord<HoldRecord>[];
  marks: StoredRecord<MarkRecord>[];
  /** Records that cannot be read: of a pin nobody knows what it keeps. */
  damaged: { key: string; kind: RetentionRecordKind; reason: string; modifiedAtMs: number }[];
}

type Reading = { signal?: AbortSignal | undefined };

/** A listing of its own for each kind: of a large repository, only these are seen. */
export async function readRetentionRecords(
  store: ObjectStore,
  cluster: string,
  options: Reading = {},
): Promise<RetentionRecords> {
  const found: ObjectInfo[] = [];
  for (const kind of ['pin', 'hold', 'mark'] satisfies RetentionRecordKind[]) {
    const listed = store.list(`${clusterPrefix(cluster)}${kind}/`, withSignal(options));
    for await (const info of listed) found.push(info);
  }
  return await readListedRecords(store, found, options);
}

/** Reads records that a listing has shown; what has gone meanwhile is left away. */
export async function readListedRecords(
  store: ObjectStore,
  listed: readonly ObjectInfo[],
  options: Reading = {},
): Promise<RetentionRecords> {
  const records: RetentionRecords = { pins: [], holds: [], marks: [], damaged: [] };
  for (const { key, modifiedAtMs } of listed) {
    const kind = parseObjectKey(key)?.kind;
    if (kind !== 'pin' && kind !== 'hold' && kind !== 'mark') continue;
    try {
      const bytes = await store.get(key, { bytesMax: DOCUMENT_BYTES_MAX, ...withSignal(options) });
      if (kind === 'pin') records.pins.push({ key, modifiedAtMs, record: decodePin(bytes) });
      else if (kind === 'hold') records.holds.push({ key, modifiedAtMs, record: decodeHold(bytes) });
      else records.marks.push({ key, modifiedAtMs, record: decodeMark(bytes) });
    } catch (error) {
      if (isEtcdOpsError(error, 'STORE_NOT_FOUND')) continue;
      if (!isEtcdOpsError(error, 'MANIFEST_DAMAGED') && !isEtcdOpsError(error, 'LIMIT_EXCEEDED')) throw error;
      records.damaged.push({ key, kind, reason: describeError(error), modifiedAtMs });
    }
  }
  return records;
}

/** The whole keys of what a mark names. */
export function markedKeys({ record }: StoredRecord<MarkRecord>): string[] {
  const prefix = clusterPrefix(record.cluster);
  return record.keys.map((key) => `${prefix}${key}`);
}

function withSignal({ signal }: Reading): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
