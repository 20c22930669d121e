import { crc32c } from '../base/crc32c.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { Yielder } from '../base/yielding.ts';
import type { BoltFile } from '../bolt/bolt-file.ts';
import type { Bucket } from '../bolt/bucket.ts';
import type { LeafView } from '../bolt/page.ts';
import type { Revision } from './revision.ts';
import { isTombstoneRow, rowMain } from './row-key.ts';
import { readStoreRevisions, ROW_BUCKET } from './store-info.ts';
import { findSupersededRows, type RevisionRange, type SupersededRows } from './superseded-rows.ts';

export interface HashKVOptions {
  /** The newest revision that counts; 0 or nothing: the file's current one. */
  revision?: Revision | undefined;
  /** Hash as a store compacted at this revision would; the file's own unless told. -1: never compacted. */
  compactRevision?: Revision | undefined;
  signal?: AbortSignal | undefined;
}

/** Two hashes can be compared only when both revisions are equal too. */
export interface HashKVResult {
  hash: number;
  revision: Revision;
  compactRevision: Revision;
}

/**
 * What etcd's HashKV answers for this store: CRC-32C over the bucket's name and its rows up to `revision`, without the rows
 * at or below the compact revision that are no longer alive at `revision`. Source: etcd server/storage/mvcc/hash.go.
 * One pass when no row is at or below the compact revision, else two.
 * @throws EtcdOpsError ETCD_COMPACTED below the compact revision, REVISION_NOT_RESTORABLE above the file's last one.
 */
export async function hashKV(file: BoltFile, options: HashKVOptions = {}): Promise<HashKVResult> {
  const store = readStoreRevisions(file);
  const compactRevision = options.compactRevision ?? store.compactRevision;
  const revision = options.revision || store.revision;
  if (revision < compactRevision) {
    throw new EtcdOpsError('ETCD_COMPACTED', {
      message: `${file.path}: revision ${revision} is below the compact revision ${compactRevision}`,
    });
  }
  if (revision > store.revision) {
    throw new EtcdOpsError('REVISION_NOT_RESTORABLE', {
      message: `${file.path}: revision ${revision} is above the file's last one, ${store.revision}`,
    });
  }
  const yielder = new Yielder({ signal: options.signal });
  yielder.throwIfCancelled();
  const bucket = file.bucket(ROW_BUCKET)!;
  const range = { compactRevision, revision };
  const superseded = hasRowsUpTo(bucket, compactRevision)
    ? await findSupersededRows(bucket, range, yielder)
    : undefined;
  return { hash: await hashRows(bucket, range, superseded, yielder), revision, compactRevision };
}

function hasRowsUpTo(bucket: Bucket, revision: Revision): boolean {
  for (const leaf of bucket.leaves()) return rowMain(leaf, 0) <= revision;
  return false;
}

async function hashRows(
  bucket: Bucket,
  range: RevisionRange,
  superseded: SupersededRows | undefined,
  yielder: Yielder,
): Promise<number> {
  let hash = crc32c(Buffer.from(ROW_BUCKET));
  let ordinal = 0;
  for (const leaf of bucket.leaves()) {
    const end = rowMain(leaf, leaf.count - 1) <= range.revision ? leaf.count : firstAbove(leaf, range.revision);
    const compacted = superseded === undefined ? 0 : Math.min(end, firstAbove(leaf, range.compactRevision));
    let runStart = 0;
    for (let entry = 0; entry < compacted; entry++) {
      if (!isFiltered(leaf, entry, ordinal++, range, superseded!)) continue;
      hash = hashRun(leaf, runStart, entry, hash);
      runStart = entry + 1;
    }
    hash = hashRun(leaf, runStart, end, hash);
    if (end < leaf.count) break;
    if (yielder.due(leaf.byteLength)) await yielder.turn();
  }
  return hash;
}

/** Only asked for rows at or below the compact revision. */
function isFiltered(
  leaf: LeafView,
  entry: number,
  ordinal: number,
  range: RevisionRange,
  superseded: SupersededRows,
): boolean {
  if (superseded.has(ordinal)) return true;
  // 3.4.34, 3.5.16 and newer leave a tombstone at the compact revision itself in the file; older ones never have one.
  return isTombstoneRow(leaf, entry) && rowMain(leaf, entry) === range.compactRevision;
}

/** Rows lie one behind the other in a page, so many of them are one call. */
function hashRun(leaf: LeafView, from: number, to: number, hash: number): number {
  if (leaf.contiguous) return from < to ? crc32c(leaf.run(from, to), hash) : hash;
  for (let entry = from; entry < to; entry++) hash = crc32c(leaf.value(entry), crc32c(leaf.key(entry), hash));
  return hash;
}

/** The first entry of the leaf whose main revision is above `revision`. */
function firstAbove(leaf: LeafView, revision: Revision): number {
  let low = 0;
  let high = leaf.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rowMain(leaf, middle) > revision) high = middle;
    else low = middle + 1;
  }
  return low;
}
