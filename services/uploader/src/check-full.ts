import {
  BoltFile,
  checkBoltFile,
  digestFits,
  digestOfRevision,
  EtcdOpsError,
  readStoreInfo,
  type Revision,
  type StoreInfo,
} from '@etcd-ops/core';
import type { HistoryAnchor } from './anchor.ts';

export interface FullCheckOptions {
  path: string;
  cluster: string;
  /** The history that it must belong to. */
  anchor: HistoryAnchor | undefined;
  /** What a linearizable read on the same member answered just before the snapshot. */
  headRevision: Revision;
  clusterId: bigint;
  /** Nobody vouches that the member is up to date: then it may end before the history that it must belong to. */
  stale: boolean;
  signal: AbortSignal;
}

export interface CheckedFull {
  info: StoreInfo;
  /** Whether the rows of L in the file were compared with the recorded ones. */
  compared: boolean;
}

/**
 * Proves that a spooled snapshot is a sound database, new enough, and of the history that it is going to be stored under.
 * @throws EtcdOpsError BOLT_DAMAGED, MVCC_DAMAGED, SNAPSHOT_INCOMPLETE (too old: take it again), CLUSTER_FORKED.
 */
export async function checkFull({
  path,
  cluster,
  anchor,
  headRevision,
  clusterId,
  stale,
  signal,
}: FullCheckOptions): Promise<CheckedFull> {
  if (anchor?.clusterId !== undefined && anchor.clusterId !== clusterId) {
    throw forked(cluster, anchor, `its id is ${clusterId.toString(16)} and was ${anchor.clusterId.toString(16)}`);
  }
  using file = BoltFile.open(path);
  await checkBoltFile(file, { signal });
  const info = readStoreInfo(file);
  if (info.revision < headRevision) {
    throw new EtcdOpsError('SNAPSHOT_INCOMPLETE', {
      message: `The snapshot of ${cluster} ends at revision ${info.revision} although ${headRevision} was read before`,
    });
  }
  if (anchor === undefined) return { info, compared: false };
  if (info.revision < anchor.revision) {
    if (stale) return { info, compared: false };
    throw forked(cluster, anchor, `it ends at revision ${info.revision}`);
  }
  return { info, compared: assertHolds(file, info, cluster, anchor) };
}

/**
 * Compares the rows of what was captured while the snapshot was on its way, too, as far as the file reaches: a cluster that was restored
 * meanwhile may share the revision that was known before.
 * @throws EtcdOpsError CLUSTER_FORKED
 */
export function checkFullAgain(
  path: string,
  { info }: CheckedFull,
  { cluster, before, now }: { cluster: string; before: HistoryAnchor; now: HistoryAnchor },
): void {
  if (now.revision <= before.revision || now.revision > info.revision) return;
  using file = BoltFile.open(path);
  assertHolds(file, info, cluster, now);
}

/** Whether there was anything to compare. */
function assertHolds(file: BoltFile, info: StoreInfo, cluster: string, anchor: HistoryAnchor): boolean {
  // At or below C, rows may be missing in good order.
  if (anchor.digest === null || info.compactRevision >= anchor.revision) return false;
  const found = digestOfRevision(file, anchor.revision);
  if (found === null) throw forked(cluster, anchor, 'it has no rows of it');
  if (!digestFits(anchor.digest, found.digest)) throw forked(cluster, anchor, 'its rows of it are others');
  return true;
}

export function forked(cluster: string, anchor: HistoryAnchor, evidence: string): EtcdOpsError {
  return new EtcdOpsError('CLUSTER_FORKED', {
    message: `${cluster} does not go on from revision ${anchor.revision} of timeline ${anchor.timeline}: ${evidence}. The full snapshot was not stored`,
    remedy: 'The watcher begins a new timeline and asks for a full snapshot of it; nothing is to be done by hand.',
  });
}
