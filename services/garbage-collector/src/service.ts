import type { ClusterSpec } from '@etcd-ops/bus';
import { EtcdOpsError, type ObjectStore } from '@etcd-ops/core';
import {
  createTaskService,
  joinServices,
  keepSpec,
  type Logger,
  type Metrics,
  type Service,
  type ServiceContext,
} from '@etcd-ops/service-kit';
import { collectGarbage, type CollectReport } from './collect.ts';
import { runCopyTask } from './copy-task.ts';
import { AbandonedSweep } from './sweep-abandoned.ts';
import { garbageCollectorSettings, type GarbageCollectorSettings } from './settings.ts';

const NAME = 'garbage-collector';
/** With their pauses a quarter of an hour: a store that is away for a moment is no news. */
const COPY_ATTEMPTS_MAX = 20;
const KINDS = ['full', 'delta', 'leases', 'orphan', 'damaged'] as const;
/** Why something goes; the codes of the core's decisions that remove. */
const CAUSES = ['beyond-policy', 'unneeded', 'superseded', 'stranded', 'orphan'] as const;
const STAGES = ['marked', 'waiting', 'held', 'refused'] as const;

/** The only one that deletes from repositories: what the policy of a cluster, or of one of its destinations, no longer keeps. */
export function createGarbageCollectorService(
  context: ServiceContext,
  settings: GarbageCollectorSettings = garbageCollectorSettings.parse({}),
): Service {
  const metrics = createGcMetrics(context.metrics);
  // Loops of their own, so that a collection never waits for a copy.
  return joinServices(NAME, [
    createCollectLoop(context, settings, metrics),
    createCopyLoop(context, settings, metrics),
  ]);
}

function createCollectLoop(context: ServiceContext, settings: GarbageCollectorSettings, metrics: GcMetrics): Service {
  const collector = new Collector(context, settings, metrics);
  return createTaskService({
    name: NAME,
    context,
    kind: 'gc',
    concurrencyMax: settings.garbageCollectorConcurrency,
    async handler({ cluster }, { signal, lastDone }) {
      const spec = specOf(context, cluster);
      const store = await context.openStore(spec.store);
      const report = await collector.run(spec, store, signal);
      observe(metrics, cluster, report);
      // A dry run writes nothing.
      const keep = { store, lastDone, clock: context.clock, logger: context.logger, signal };
      const kept = report.dryRun ? {} : await keepSpec(spec, keep);
      return { changed: report.changed, summary: { ...summaryOf(report), ...kept } };
    },
  });
}

function createCopyLoop(context: ServiceContext, settings: GarbageCollectorSettings, metrics: GcMetrics): Service {
  const logger = context.logger.child({ service: NAME });
  const collectors = new Map<string, Collector>();
  return createTaskService({
    name: `${NAME}-copy`,
    context,
    kind: 'copy',
    concurrencyMax: settings.copyConcurrencyMax,
    // One dead letter tells that a destination is away. The task after it waits in the queue until the destination is back, its newest failure in
    // the status: not one more dead letter each quarter of an hour.
    attemptsMax: (lastDone) => (lastDone?.ok === false ? Infinity : COPY_ATTEMPTS_MAX),
    async handler({ cluster, destination: name }, taskContext) {
      const spec = context.clusters.get(cluster);
      const destination = spec?.destinations?.find((one) => one.name === name);
      // It was taken out of the spec, or the cluster out of care, while its task waited.
      if (spec === undefined || destination === undefined) return { changed: false };
      const [source, target] = [await context.openStore(spec.store), await context.openStore(destination.store)];
      const collector = collectors.get(name) ?? new Collector(context, settings, metrics);
      collectors.set(name, collector);
      const { retention } = destination;
      const collect = (): Promise<CollectReport> => collector.run({ ...spec, retention }, target, taskContext.signal);
      const { clock } = context;
      return await runCopyTask({ spec, destination, source, target, collect, clock, logger, context: taskContext });
    },
  });
}

/** Collects in one store of each cluster, and remembers when it last looked for what dead writers left there. */
class Collector {
  readonly #context: ServiceContext;
  readonly #settings: GarbageCollectorSettings;
  readonly #metrics: GcMetrics;
  readonly #logger: Logger;
  readonly #sweep: AbandonedSweep;

  constructor(context: ServiceContext, settings: GarbageCollectorSettings, metrics: GcMetrics) {
    this.#context = context;
    this.#settings = settings;
    this.#metrics = metrics;
    this.#logger = context.logger.child({ service: NAME });
    this.#sweep = new AbandonedSweep(this.#logger);
  }

  async run(spec: ClusterSpec, store: ObjectStore, signal: AbortSignal): Promise<CollectReport> {
    const { name: cluster } = spec;
    const { garbageCollectorOrphanGraceMs: orphanGraceMs, garbageCollectorDryRun: dryRun } = this.#settings;
    const now = (): number => this.#context.clock.now();
    const at = { cluster, store: store.description };
    const report = await collectGarbage({
      ...{ store, spec, orphanGraceMs, dryRun, now, signal },
      sweep: async () => await this.#sweep.run({ store, cluster, olderThanMs: orphanGraceMs, nowMs: now(), signal }),
      onRemoved: ({ kind, code, bytes, keys, reason }) => {
        const cause = CAUSES.find((known) => known === code) ?? 'unneeded';
        this.#metrics.removed.add({ cluster, kind, cause });
        this.#metrics.removedBytes.add({ cluster, kind, cause }, bytes);
        this.#logger.info({ ...at, kind, keys, reason }, 'Removed by retention');
      },
    });
    const { refused, marked, removed } = report;
    if (refused.problems.length > 0) {
      this.#logger.warn(
        { ...at, ...refused },
        'The store would not delete what retention removes; it is asked again later',
      );
    }
    if (report.dryRun && removed.count + marked.count > 0) {
      this.#logger.info({ ...at, marked, removed }, 'Would be removed by retention');
    }
    return report;
  }
}

function specOf({ clusters }: ServiceContext, cluster: string): ClusterSpec {
  const spec = clusters.get(cluster);
  if (spec === undefined) {
    throw new EtcdOpsError('CONFIG_INVALID', { message: `The cluster ${cluster} is not under care` });
  }
  return spec;
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
