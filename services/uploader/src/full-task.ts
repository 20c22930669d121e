import type { Bus, ClusterSpec, FullTask, TaskContext, TaskOutcome } from '@etcd-ops/bus';
import {
  BoltFile,
  encodeManifest,
  encryptionOfPacking,
  fullKey,
  isEtcdOpsError,
  manifestKey,
  packFile,
  repositoryHead,
  sealDigest,
  type FullManifest,
  type ObjectStore,
  type Packing,
} from '@etcd-ops/core';
import type { EtcdCluster } from '@etcd-ops/etcd-client';
import { keepSpec, type Clock, type Logger } from '@etcd-ops/service-kit';
import { findAnchor, type HistoryAnchor } from './anchor.ts';
import { checkFull, checkFullAgain, forked, type CheckedFull } from './check-full.ts';
import type { UploaderMetrics } from './metrics.ts';
import { proveEdgeOfFull } from './edge-proof.ts';
import { storeFileDeltas, type StoredFileDeltas } from './file-deltas.ts';
import { findFullOfTask, type FullOfTask } from './full-of-task.ts';
import { recordCluster, recordTimeline } from './repository-records.ts';
import type { SpooledSnapshot } from './spool-snapshot.ts';
import type { Spool } from './spool.ts';
import { takeSnapshot, type SnapshotSource } from './take-snapshot.ts';

export interface FullTaskOptions {
  spec: ClusterSpec;
  bus: Bus;
  store: ObjectStore;
  etcd: EtcdCluster;
  packing: Packing;
  spool: Spool;
  spoolBytesMax: number;
  deltaObjectBytesMax: number;
  logger: Logger;
  metrics: UploaderMetrics;
  clock: Clock;
  context: Pick<TaskContext, 'signal' | 'progress'>;
}

/**
 * Takes a full snapshot: spooled, proved, and only then stored; the manifest last, since a full without one does not exist.
 * Two uploaders at the same time make two fulls.
 */
export async function runFullTask(task: FullTask, options: FullTaskOptions): Promise<TaskOutcome> {
  const { spec, bus, store, logger } = options;
  // Without deltas there is no watcher.
  const isWatched = spec.snapshots.deltaPeriodMs > 0;
  // L before the read: what was captured by now must be in the file.
  const anchor = await findAnchor(bus, store, spec.name, { isWatched });
  const { signal } = options.context;
  const found = await findFullOfTask(task, { store, timeline: anchor?.timeline ?? 1, signal });
  if (found !== undefined) {
    logger.info(
      { cluster: spec.name, key: found.key, task: task.id },
      'The full snapshot of this task is stored already',
    );
    return { summary: summaryOf(found) };
  }
  try {
    return await takeFull(task, options, { isWatched, anchor });
  } catch (error) {
    if (isWatched || anchor === undefined || !isEtcdOpsError(error, 'CLUSTER_FORKED')) throw error;
    logger.warn(
      { cluster: spec.name, error },
      'The cluster forked, and nobody watches it: this full begins a new timeline',
    );
    return await takeFull(task, options, { isWatched, forkedFrom: anchor });
  }
}

interface FullHistory {
  isWatched: boolean;
  /** What the file must hold. */
  anchor?: HistoryAnchor | undefined;
  /** The full begins a timeline of its own. */
  forkedFrom?: HistoryAnchor;
}

async function takeFull(
  task: FullTask,
  options: FullTaskOptions,
  { isWatched, anchor, forkedFrom }: FullHistory,
): Promise<TaskOutcome> {
  const { spec, bus, store, packing, spool, clock, metrics, logger } = options;
  const cluster = spec.name;
  const startedMs = clock.now();
  await using plain = spool.file('full.db');
  const { source, spooled } = await takeSnapshot(plain.path, anchor, options);
  const { signal, progress } = options.context;
  progress({ phase: 'check', bytesDone: 0, bytesTotal: spooled.bytes });
  const { clusterId, headRevision, stale } = source;
  const checked = await checkFull({ path: spooled.path, cluster, anchor, headRevision, clusterId, stale, signal });
  await using packed = spool.file('full.packed');
  const stored = await packFile(spooled, { target: packed.path, packing, signal });
  progress({ phase: 'store', bytesDone: 0, bytesTotal: stored.bytes });
  // A new timeline that began meanwhile makes it unclear what the file belongs to.
  const now = await findAnchor(bus, store, cluster, { isWatched });
  if (anchor !== undefined && now?.timeline !== anchor.timeline) {
    throw forked(cluster, anchor, 'a new timeline began during the snapshot');
  }
  if (anchor !== undefined && now !== undefined) {
    checkFullAgain(spooled.path, checked, { cluster, before: anchor, now });
  }
  const timeline = forkedFrom === undefined ? (now?.timeline ?? 1) : await nextTimeline(store, forkedFrom, cluster);
  const made = { task, spec, source, spooled, checked, stored, timeline, packing, finishedMs: clock.now() };
  const manifest = await manifestOf(made);
  const key = fullKey({
    cluster,
    timeline,
    revision: manifest.revision,
    createdAtMs: spooled.beganMs,
    codec: manifest.codec,
    ...encryptionOfPacking(packing),
  });
  const facts = { cluster, clusterId, atMs: spooled.beganMs };
  await recordBeginning(store, {
    facts,
    timeline,
    revision: manifest.revision,
    forkedFrom,
    isFirst: now === undefined,
  });
  // Before the full exists, so that whoever sees it knows that the history up to it is whole.
  const caughtUp = await catchUp(task, { spooled, checked, timeline, clusterId }, options);
  const onProgress = (bytesDone: number): void => progress({ phase: 'store', bytesDone, bytesTotal: stored.bytes });
  // An open file stays readable when the store takes it away.
  using proved = spec.proof.edge ? BoltFile.open(spooled.path) : undefined;
  await store.putFile(key, stored.path, { move: true, signal, onProgress });
  await store.put(manifestKey(key), encodeManifest(manifest), { signal });
  metrics.fulls.add({ cluster });
  metrics.fullBytes.add({ cluster }, stored.bytes);
  metrics.fullRevision.set({ cluster }, manifest.revision);
  metrics.fullSeconds.observe({ cluster }, (clock.now() - startedMs) / 1_000);
  const { revision, compactRevision } = manifest;
  logger.info(
    { cluster, key, revision, compactRevision, bytes: stored.bytes, compared: checked.compared },
    'A full snapshot was stored',
  );
  await keepSpec(spec, { store, clock, logger, signal });
  const edge = proved === undefined ? undefined : await proveEdgeOfFull({ key, manifest, file: proved }, options);
  return {
    summary: {
      ...summaryOf({ key, manifest }),
      compared: checked.compared,
      ...(edge === undefined ? {} : { edge }),
      ...(caughtUp === undefined ? {} : { caughtUpFrom: task.after, deltas: caughtUp.keys.length }),
    },
  };
}

/** How a timeline began, only the delta behind its `start` knows; without a watcher nobody else will say it. */
async function recordBeginning(
  store: ObjectStore,
  beginning: {
    facts: { cluster: string; clusterId: bigint; atMs: number };
    timeline: number;
    revision: number;
    forkedFrom: HistoryAnchor | undefined;
    isFirst: boolean;
  },
): Promise<void> {
  const { facts, timeline, revision, forkedFrom, isFirst } = beginning;
  if (forkedFrom !== undefined) {
    const previous = { timeline: forkedFrom.timeline, revision: forkedFrom.revision };
    await recordTimeline(store, { ...facts, timeline, revision, previous });
  } else if (isFirst) {
    await recordTimeline(store, { ...facts, timeline, revision });
  } else {
    await recordCluster(store, facts);
  }
}

function summaryOf({ key, manifest }: FullOfTask): Record<string, unknown> {
  const { timeline, revision, compactRevision, storedBytes: bytes, plainBytes, authRevision } = manifest;
  return { key, timeline, revision, compactRevision, bytes, plainBytes, authRevision };
}

async function nextTimeline(store: ObjectStore, { timeline }: HistoryAnchor, cluster: string): Promise<number> {
  const head = await repositoryHead(store, cluster);
  return Math.max(timeline, head?.newestTimeline ?? 0) + 1;
}

/** Of a catch-up whose file still holds every row behind L: those rows, as deltas. */
async function catchUp(
  { after }: FullTask,
  facts: { spooled: SpooledSnapshot; checked: CheckedFull; timeline: number; clusterId: bigint },
  { spec, store, packing, deltaObjectBytesMax, metrics, logger, context }: FullTaskOptions,
): Promise<StoredFileDeltas | undefined> {
  const { spooled, checked, timeline, clusterId } = facts;
  if (after === undefined || checked.info.compactRevision > after || checked.info.revision < after) return undefined;
  const cluster = spec.name;
  const stored = await storeFileDeltas({
    path: spooled.path,
    fileSha256: spooled.sha256,
    cluster,
    timeline,
    clusterId,
    after,
    beganMs: spooled.beganMs,
    deltaObjectBytesMax,
    packing,
    store,
    signal: context.signal,
  });
  metrics.deltas.add({ cluster }, stored.keys.length);
  metrics.deltaBytes.add({ cluster }, stored.bytes);
  logger.info(
    { cluster, after, revision: stored.revision, deltas: stored.keys.length, bytes: stored.bytes },
    'The revisions that nobody captured were written out of the snapshot',
  );
  return stored;
}

interface ManifestInput {
  task: FullTask;
  spec: ClusterSpec;
  source: SnapshotSource;
  spooled: SpooledSnapshot;
  checked: CheckedFull;
  stored: { bytes: number; sha256: string };
  timeline: number;
  packing: Packing;
  finishedMs: number;
}

async function manifestOf({
  task,
  spec,
  source,
  spooled,
  checked,
  stored,
  timeline,
  packing: { codec, recipients },
  finishedMs,
}: ManifestInput): Promise<FullManifest> {
  const { info } = checked;
  const digest = info.lastRevisionDigest;
  return {
    version: 1,
    kind: 'full',
    cluster: spec.name,
    timeline,
    revision: info.revision,
    compactRevision: info.compactRevision,
    lastRevisionDigest: recipients === undefined || digest === null ? digest : await sealDigest(digest),
    lastRevisionRows: info.lastRevisionRows,
    clusterId: source.clusterId.toString(16),
    memberId: source.memberId.toString(16),
    etcdVersion: source.version,
    createdAt: new Date(spooled.beganMs).toISOString(),
    finishedAt: new Date(finishedMs).toISOString(),
    codec,
    ...(recipients === undefined ? {} : { encryption: { format: 'age', recipients: [...recipients.fingerprints] } }),
    plainBytes: spooled.bytes,
    plainSha256: spooled.sha256,
    storedBytes: stored.bytes,
    storedSha256: stored.sha256,
    authRevision: Number(info.authRevision),
    cause: task.cause,
    taskId: task.id,
    ...(task.tick === undefined ? {} : { tick: new Date(task.tick).toISOString() }),
    ...(source.stale ? { stale: true } : {}),
    ...(checked.compared ? { proof: { kind: 'edge' } } : {}),
  };
}
