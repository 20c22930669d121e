import type { ClusterSpec, TaskContext } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import type { EtcdCluster } from '@etcd-ops/etcd-client';
import type { Clock, Logger } from '@etcd-ops/service-kit';
import type { HistoryAnchor } from './anchor.ts';
import { forked } from './check-full.ts';
import { spoolSnapshot, type SpooledSnapshot } from './spool-snapshot.ts';

/** Facts of the member that the snapshot comes from. */
export interface SnapshotSource {
  clusterId: bigint;
  memberId: bigint;
  version: string;
  /** What the member had before the snapshot: the file must reach it. */
  headRevision: number;
  /** No quorum stood behind the member: only the file itself says how new it is. */
  stale: boolean;
}

export interface TakeSnapshotOptions {
  spec: ClusterSpec;
  etcd: EtcdCluster;
  spoolBytesMax: number;
  logger: Logger;
  clock: Clock;
  context: Pick<TaskContext, 'signal' | 'progress'>;
}

/**
 * Streams the snapshot of the member that it burdens least to a file. The linearizable read that chose the member vouches for it.
 * @throws EtcdOpsError CLUSTER_FORKED when the cluster has less than was captured, ETCD_TIMEOUT, and those of etcd and the spool.
 */
export async function takeSnapshot(
  path: string,
  anchor: HistoryAnchor | undefined,
  { spec, etcd, spoolBytesMax, logger, clock, context: { signal, progress } }: TakeSnapshotOptions,
): Promise<{ source: SnapshotSource; spooled: SpooledSnapshot }> {
  const allowStale = spec.snapshots.allowStale === true;
  const { member, status, headRevision, stale } = await etcd.chooseForSnapshot({ signal, allowStale });
  const { clusterId, memberId, version, dbBytes } = status;
  if (stale) {
    logger.warn(
      { cluster: spec.name, endpoint: member.endpoint, revision: headRevision },
      'STALE: this full is taken from a member without a quorum; what the cluster acknowledged later may be missing in it',
    );
  } else if (anchor !== undefined && headRevision < anchor.revision) {
    throw forked(spec.name, anchor, `it has only ${headRevision} revisions`);
  }
  const limited = AbortSignal.any([signal, AbortSignal.timeout(spec.timeouts.snapshotMs)]);
  try {
    const spooled = await spoolSnapshot(member.snapshot({ signal: limited, recycle: true }), {
      path,
      expectedBytes: dbBytes,
      bytesMax: spoolBytesMax,
      now: () => clock.now(),
      onProgress: (bytesDone) => progress({ phase: 'snapshot', bytesDone, bytesTotal: Math.max(dbBytes, bytesDone) }),
      signal: limited,
    });
    return { source: { clusterId, memberId, version, headRevision, stale }, spooled };
  } catch (error) {
    if (!limited.aborted || signal.aborted) throw error;
    throw new EtcdOpsError('ETCD_TIMEOUT', {
      message: `The snapshot of ${spec.name} took longer than ${spec.timeouts.snapshotMs} ms`,
      cause: error,
    });
  }
}
