import { EtcdOpsError } from '@etcd-ops/core';
import { createTaskService, type Metrics, type Service, type ServiceContext } from '@etcd-ops/service-kit';
import { collectGarbage, type CollectReport } from './collect.ts';
import { AbandonedSweep } from './sweep-abandoned.ts';
import { garbageCollectorSettings, type GarbageCollectorSettings } from './settings.ts';

const NAME = 'garbage-collector';
const KINDS = ['full', 'delta', 'orphan', 'damaged'] as const;
/** Why something goes; the codes of the core's decisions that remove. */
const CAUSES = ['beyond-policy', 'unneeded', 'superseded', 'stranded', 'orphan'] as const;
const STAGES = ['marked', 'waiting', 'held', 'refused'] as const;

/** The only one that deletes from repositories: what the policy of a cluster no longer keeps. */
export function createGarbageCollectorService(
  context: ServiceContext,
  settings: GarbageCollectorSettings = garbageCollectorSettings.parse({}),
): Service {
  const logger = context.logger.child({ service: NAME });
  const metrics = createGcMetrics(context.metrics);
  const sweep = new AbandonedSweep(logger);
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
      const store = await context.openStore(spec.store);
      const report = await collectGarbage({
        store,
        spec,
        orphanGraceMs: settings.garbageCollectorOrphanGraceMs,
        dryRun: settings.garbageCollectorDryRun,
        now: () => context.clock.now(),
        signal,
        sweep: async () => {
          const { garbageCollectorOrphanGraceMs: olderThanMs } = settings;
          return await sweep.run({ store, cluster, olderThanMs, nowMs: context.clock.now(), signal });
        },
        onRemoved: ({ kind, code, bytes, keys, reason }) => {
          const cause = CAUSES.find((known) => known === code) ?? 'unneeded';
          metrics.removed.add({ cluster, kind, cause });
          metrics.removedBytes.add({ cluster, kind, cause }, bytes);
          logger.info({ cluster, kind, keys, reason }, 'Removed by retention');
        },
      });
      observe(metrics, cluster, report);
      const { changed, refused } = report;
      if (refused.problems.length > 0) {
        logger.warn(
          { cluster, ...refused },
          'The store would not delete what retention removes; it is asked again later',
        );
      }
      if (report.dryRun && report.removed.count + report.marked.count > 0) {
        logger.info({ cluster, marked: report.marked, removed: report.removed }, 'Would be removed by retention');
      }
      return { changed, summary: summaryOf(report) };
    },
  });
}

/** Which things stay is for a preview, not for each line of the history. */
function summaryOf(report: CollectReport): Record<string, unknown> {
  const { kept, changed: _, ...rest } = report;
  return { ...rest, kept: { count: kept.count, byKind: kept.byKind, byReason: kept.byReason } };
}

type GcMetrics = ReturnType<typeof createGcMetrics>;

/** The instruments of the garbage collector. */
export function createGcMetrics(metrics: Metrics) {
  const labels = { cluster: 'cluster', kind: KINDS, cause: CAUSES } as const;
  return {
    removed: metrics.counter({
      name: 'gc_removed_total',
      help: 'Things removed from repositories, by why: a full with its manifest is one.',
      labels,
    }),
    removedBytes: metrics.counter({
      name: 'gc_removed_bytes_total',
      help: 'Bytes removed from repositories, by why.',
      labels,
    }),
    kept: metrics.gauge({
      name: 'gc_kept',
      help: 'Things that the last garbage collection left in the repository.',
      labels: { cluster: 'cluster', kind: KINDS },
    }),
    pending: metrics.gauge({
      name: 'gc_pending',
      help: 'Things that are to go and have not: newly marked, waiting for the end of the grace period, being read, refused by the store.',
      labels: { cluster: 'cluster', stage: STAGES },
    }),
    refused: metrics.counter({
      name: 'gc_refused_total',
      help: 'Deletions that the store refused.',
      labels: { cluster: 'cluster' },
    }),
    swept: metrics.counter({
      name: 'gc_swept_total',
      help: 'Temporary files and unfinished uploads of writers that died, removed.',
      labels: { cluster: 'cluster' },
    }),
  };
}

function observe(metrics: GcMetrics, cluster: string, report: CollectReport): void {
  for (const kind of KINDS) metrics.kept.set({ cluster, kind }, report.kept.byKind[kind] ?? 0);
  const { marked, waiting, held, refused, swept } = report;
  metrics.pending.set({ cluster, stage: 'marked' }, marked.count);
  metrics.pending.set({ cluster, stage: 'waiting' }, waiting);
  metrics.pending.set({ cluster, stage: 'held' }, held);
  metrics.pending.set({ cluster, stage: 'refused' }, refused.count);
  metrics.refused.add({ cluster }, refused.problems.length);
  metrics.swept.add({ cluster }, swept);
}
