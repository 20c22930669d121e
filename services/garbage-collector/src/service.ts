import { EtcdOpsError } from '@etcd-ops/core';
import { createTaskService, type Service, type ServiceContext } from '@etcd-ops/service-kit';
import { collectGarbage } from './collect.ts';
import { garbageCollectorSettings, type GarbageCollectorSettings } from './settings.ts';

const NAME = 'garbage-collector';
const KINDS = ['full', 'delta', 'orphan', 'damaged'] as const;

/** The only one that deletes from repositories: what the policy of a cluster no longer keeps. */
export function createGarbageCollectorService(
  context: ServiceContext,
  settings: GarbageCollectorSettings = garbageCollectorSettings.parse({}),
): Service {
  const logger = context.logger.child({ service: NAME });
  const labels = { cluster: 'cluster', kind: KINDS } as const;
  const { metrics } = context;
  const removed = metrics.counter({
    name: 'gc_removed_total',
    help: 'Things removed from repositories: a full with its manifest is one.',
    labels,
  });
  const removedBytes = metrics.counter({
    name: 'gc_removed_bytes_total',
    help: 'Bytes removed from repositories.',
    labels,
  });
  const kept = metrics.gauge({
    name: 'gc_kept',
    help: 'Things that the last garbage collection left in the repository.',
    labels,
  });
  return createTaskService({
    name: NAME,
    context,
    kind: 'gc',
    concurrencyMax: settings.garbageCollectorConcurrency,
    async handler(task, { signal }) {
      const { cluster } = task;
      const spec = context.clusters.get(cluster);
      if (spec === undefined) {
        throw new EtcdOpsError('CONFIG_INVALID', { message: `The cluster ${cluster} is not under care` });
      }
      const report = await collectGarbage({
        store: await context.openStore(spec.store),
        cluster,
        retention: spec.retention,
        orphanGraceMs: settings.garbageCollectorOrphanGraceMs,
        dryRun: settings.garbageCollectorDryRun,
        nowMs: context.clock.now(),
        signal,
        onRemoved: ({ kind, bytes, keys, reason }) => {
          removed.add({ cluster, kind });
          removedBytes.add({ cluster, kind }, bytes);
          logger.info({ cluster, kind, keys, reason }, 'Removed by retention');
        },
      });
      for (const kind of KINDS) kept.set({ cluster, kind }, report.kept.byKind[kind] ?? 0);
      if (report.dryRun && report.removed.count > 0) {
        logger.info({ cluster, ...report.removed }, 'Would be removed by retention');
      }
      // The reasons for keeping are for the answer of a preview, not for each line of the history.
      const { keys: _, ...keptSummary } = report.kept;
      return {
        changed: !report.dryRun && report.removed.objects > 0,
        summary: { dryRun: report.dryRun, kept: keptSummary, removed: report.removed },
      };
    },
  });
}
