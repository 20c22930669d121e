import type { ClusterSpec, DestinationSpec, TaskContext, TaskOutcome } from '@etcd-ops/bus';
import { copyRepository, retentionPolicyOf, type ObjectStore } from '@etcd-ops/core';
import type { Clock, Logger } from '@etcd-ops/service-kit';
import type { CollectReport } from './collect.ts';

export interface CopyTaskOptions {
  spec: ClusterSpec;
  destination: DestinationSpec;
  source: ObjectStore;
  target: ObjectStore;
  /** Applies the retention of the destination there. */
  collect: () => Promise<CollectReport>;
  clock: Clock;
  logger: Logger;
  context: Pick<TaskContext, 'signal' | 'progress'>;
}

/** Keys that a line of the history names. */
const KEYS_MAX = 8;

/**
 * Brings what a destination lacks into it, then applies its retention. Nothing is copied that its retention would remove again, so the
 * two never work against each other. Pins stay where they were set: what they keep at the source may be much.
 * @throws EtcdOpsError of `copyRepository` and `collectGarbage`; what was copied until then stays.
 */
export async function runCopyTask(options: CopyTaskOptions): Promise<TaskOutcome> {
  const { spec, destination, source, target, collect, clock, logger, context } = options;
  const { name: cluster, timezone: timeZone } = spec;
  const { planned, copied, present, damaged, gone } = await copyRepository({
    ...{ source, target, cluster, clock, pins: false, signal: context.signal },
    policy: retentionPolicyOf({ ...destination.retention, timeZone }),
    onProgress: ({ bytes, bytesTotal }) => context.progress({ phase: 'copy', bytesDone: bytes, bytesTotal }),
  });
  if (damaged.length > 0) {
    logger.error(
      { cluster, destination: destination.name, damaged },
      'COPY: what is damaged at the source stayed behind',
    );
  }
  const { kept, changed: _, ...collected } = await collect();
  const summary = {
    destination: destination.name,
    ...{ planned, copied, present, gone: gone.length },
    damaged: { count: damaged.length, keys: damaged.slice(0, KEYS_MAX).map(({ key }) => key) },
    retention: { ...collected, kept: { count: kept.count, byKind: kept.byKind, byReason: kept.byReason } },
  };
  return { summary };
}
