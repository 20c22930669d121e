/**
 *     compactStore(sourcePath, targetPath, { revision?, keepHistory?, signal?, onProgress? }): Promise<CompactStoreReport>
 *
 * Compacts a database file or snapshot at `revision` (its last one unless told) and writes what is left into a new file:
 * what etcd would have after a compaction at that revision and a defragmentation. Neither etcd nor the source is touched.
 */
import { stat } from 'node:fs/promises';
import { EtcdOpsError } from '../base/errors.ts';
import { BoltFile } from '../bolt/bolt-file.ts';
import { BoltWriter } from '../bolt/bolt-writer.ts';
import type { Revision } from '../mvcc/revision.ts';
import { readStoreRevisions, ROW_BUCKET, type StoreRevisions } from '../mvcc/store-info.ts';
import { markSupersededRows, type SupersededRows } from '../mvcc/superseded-rows.ts';
import { copyBucket, writeCompactedMeta } from './copy-buckets.ts';
import { copyRows } from './copy-rows.ts';
import { NewFile } from './new-file.ts';
import { PhaseProgress } from './phase-progress.ts';
import { appendSnapshotHash, checkSnapshotHash } from './snapshot-hash.ts';

/** Pages come in file order, or nearly so: more would not help. */
const CACHE_BYTES = 2 * 1024 * 1024;

/** What it is busy with, in order. `hash` only for a snapshot file. */
export type CompactPhase = 'scan' | 'rows' | 'buckets' | 'hash';

export interface CompactStoreOptions {
  /** Compact here; the file's last revision unless told. Only what is alive here, and all rows above, is kept. */
  revision?: Revision | undefined;
  /** Keep every row: only free pages and half-full ones go. Excludes `revision`. */
  keepHistory?: boolean | undefined;
  /** Take a snapshot whose trailing SHA-256 is wrong. */
  skipHashCheck?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Bytes of the source that the phase has gone through. */
  onProgress?: ((phase: CompactPhase, bytesDone: number, bytesTotal: number) => void) | undefined;
}

type BeginPhase = (phase: CompactPhase, settle?: () => Promise<void>) => PhaseProgress;

export interface CompactStoreReport {
  /** The file's last revision: it stays. */
  revision: Revision;
  /** Compacted here; -1: never. */
  compactRevision: Revision;
  rowsKept: number;
  rowsDropped: number;
  sourceBytes: number;
  targetBytes: number;
  /** True when the target ends with etcd's SHA-256, as the source did: a snapshot file. */
  hasSnapshotHash: boolean;
}

/**
 * See above. The target appears whole and durable under its name, or not at all. Two scans of the source, memory of 30 MB and
 * 32 bytes for each user key.
 *
 * A tombstone at the compact revision is dropped, as etcd before 3.4.34 and 3.5.16 does: HashKV and the current revision are
 * those of the newer ones too. Source of the rule: etcd server/storage/mvcc/kvstore_compaction.go.
 *
 * @throws EtcdOpsError ETCD_COMPACTED below the source's compact revision, REVISION_NOT_RESTORABLE above its last one,
 *   TARGET_OCCUPIED, SNAPSHOT_HASH_MISMATCH, BOLT_DAMAGED, MVCC_DAMAGED, DISK_FAILED, CANCELLED, USAGE.
 */
export async function compactStore(
  sourcePath: string,
  targetPath: string,
  options: CompactStoreOptions = {},
): Promise<CompactStoreReport> {
  using source = BoltFile.open(sourcePath, { cacheBytes: CACHE_BYTES });
  const revisions = readStoreRevisions(source);
  const compactRevision = settleRevision(source.path, revisions, options);
  await using target = await NewFile.create(targetPath);
  const begin: BeginPhase = (phase, settle) =>
    new PhaseProgress({
      signal: options.signal,
      settle,
      onBytes: (done) => options.onProgress?.(phase, Math.min(done, source.fileBytes), source.fileBytes),
    });
  const isSnapshot = source.trailerBytes > 0;
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const check = isSnapshot && options.skipHashCheck !== true ? checkSnapshotHash(source, signal) : undefined;
  try {
    const dropped = compactRevision === undefined ? undefined : await findDropped(source, compactRevision, begin);
    const counts = await write(target.workPath, { source, compactRevision, dropped, begin, sync: !isSnapshot });
    if (isSnapshot) await appendSnapshotHash(target.workPath, begin('hash'));
    await check?.settle();
    await target.publish();
    return {
      revision: revisions.revision,
      compactRevision: compactRevision ?? revisions.compactRevision,
      ...counts,
      sourceBytes: source.fileBytes + source.trailerBytes,
      targetBytes: (await stat(targetPath)).size,
      hasSnapshotHash: isSnapshot,
    };
  } finally {
    stop.abort();
  }
}

/** Where to compact; undefined when all history is kept. */
function settleRevision(path: string, store: StoreRevisions, options: CompactStoreOptions): Revision | undefined {
  const { revision, keepHistory = false } = options;
  if (keepHistory && revision !== undefined) {
    throw new EtcdOpsError('USAGE', { message: 'Either a revision to compact at is given, or the history is kept' });
  }
  if (keepHistory) return undefined;
  if (revision === undefined) return store.revision;
  if (!Number.isSafeInteger(revision) || revision < 1) {
    throw new EtcdOpsError('USAGE', {
      message: `The revision ${revision} to compact at is not a whole number above 0`,
    });
  }
  if (revision < store.compactRevision) {
    throw new EtcdOpsError('ETCD_COMPACTED', {
      message: `${path} is compacted at ${store.compactRevision} already: it cannot be compacted at ${revision}`,
    });
  }
  if (revision > store.revision) {
    throw new EtcdOpsError('REVISION_NOT_RESTORABLE', {
      message: `${path}: revision ${revision} is above the file's last one, ${store.revision}`,
    });
  }
  return revision;
}

async function findDropped(source: BoltFile, revision: Revision, begin: BeginPhase): Promise<SupersededRows> {
  const range = { compactRevision: revision, revision };
  return (await markSupersededRows(source.bucket(ROW_BUCKET)!, range, begin('scan'))).superseded;
}

async function write(
  path: string,
  work: {
    source: BoltFile;
    compactRevision: Revision | undefined;
    dropped: SupersededRows | undefined;
    begin: BeginPhase;
    /** Make it durable here. */
    sync: boolean;
  },
): Promise<{ rowsKept: number; rowsDropped: number }> {
  const { source, compactRevision, dropped, begin } = work;
  using writer = BoltWriter.create(path, { pageSize: source.pageSize, writeBehind: true });
  const settle = async (): Promise<void> => writer.settle(1);
  const edge = writer.rightEdge(ROW_BUCKET);
  const counts = await copyRows(source, edge, dropped, begin('rows', settle));
  edge.finish();
  const buckets = begin('buckets', settle);
  for (const name of source.bucketNames()) {
    if (name === ROW_BUCKET) continue;
    if (name === 'meta' && compactRevision !== undefined) writeCompactedMeta(source, writer, compactRevision);
    else await copyBucket(source, writer, name, buckets);
  }
  await writer.commitAsync({ sync: work.sync });
  return counts;
}
