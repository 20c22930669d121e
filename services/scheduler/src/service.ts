import { queueDepths, type TaskKind, type TaskResult } from '@etcd-ops/bus';
import { isEtcdOpsError } from '@etcd-ops/core';
import { retry, runClusterJobs, type Service, type ServiceContext, type ServiceHealth } from '@etcd-ops/service-kit';
import { ChainGrowths } from './chain-growth.ts';
import { runClusterSchedule } from './cluster-schedule.ts';
import { DestinationLags } from './destination-lags.ts';
import { chainIsTooLong, wantsThirdWitness } from './decisions.ts';
import { followHistory } from './history-follower.ts';
import { noteResult } from './history-metrics.ts';
import { createSchedulerMetrics, type SchedulerMetrics } from './metrics.ts';
import { runNotifier } from './notify/notifier.ts';
import { busPort, measuredPort } from './scheduler-port.ts';
import { schedulerSettings, type SchedulerSettings } from './settings.ts';
import { TickDispatcher } from './tick-dispatcher.ts';

const NAME = 'scheduler';
const CHAIN_DISPATCH_DEADLINE_MS = 60_000;

/** Says when; any number of them may run, and each tick happens once. */
export function createSchedulerService(
  context: ServiceContext,
  settings: SchedulerSettings = schedulerSettings.parse({}),
): Service {
  return new SchedulerService(context, settings);
}

class SchedulerService implements Service {
  readonly name = NAME;
  readonly #context: ServiceContext;
  readonly #settings: SchedulerSettings;
  #state: 'not started' | 'running' | 'stopped' = 'not started';

  constructor(context: ServiceContext, settings: SchedulerSettings) {
    this.#context = context;
    this.#settings = settings;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#state = 'running';
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const { bus, clock, clusters, metrics } = this.#context;
    const logger = this.#context.logger.child({ service: NAME });
    const gauges = createSchedulerMetrics(metrics);
    const port = measuredPort(busPort(bus), gauges);
    const stopCounting = metrics.onScrape(async () => {
      for (const [kind, tasks] of Object.entries(await queueDepths(bus))) {
        gauges.queued.set({ kind: kind as TaskKind }, tasks);
      }
    });
    const dispatcher = new TickDispatcher({ port, clock, logger, metrics });
    /** Survives a change of a spec, so that the new schedule does not find the old one's ticks missed. */
    const caredForUntilMs = new Map<string, number>();
    const schedules = runClusterJobs({
      registry: clusters,
      logger,
      clock,
      signal: both,
      job: async (spec, jobSignal) => {
        const options = {
          spec,
          settings: this.#settings,
          port,
          dispatcher,
          gauges,
          clock,
          logger: logger.child({ cluster: spec.name }),
          signal: jobSignal,
        };
        try {
          await runClusterSchedule({
            ...options,
            fleetSize: () => clusters.size,
            caredForUntilMs: caredForUntilMs.get(spec.name),
          });
        } finally {
          if (clusters.get(spec.name) === undefined) caredForUntilMs.delete(spec.name);
          else caredForUntilMs.set(spec.name, clock.now());
        }
      },
    });
    try {
      await Promise.all([schedules, this.#watchChains(dispatcher, both), this.#notify(gauges, both)]);
    } finally {
      stop.abort();
      stopCounting();
      await Promise.allSettled([schedules]);
      this.#state = 'stopped';
    }
  }

  health(): ServiceHealth {
    const { bus, clusters } = this.#context;
    const detail = bus.connected ? `${this.#state}, ${clusters.size} clusters` : 'NATS is away';
    return { live: this.#state !== 'stopped', ready: this.#state === 'running' && bus.connected, detail };
  }

  async #notify(metrics: SchedulerMetrics, signal: AbortSignal): Promise<void> {
    const { schedulerNotifications: settings } = this.#settings;
    if (settings === undefined) return;
    const { bus, clock } = this.#context;
    const logger = this.#context.logger.child({ service: NAME });
    await runNotifier({ bus, settings, metrics, clock, logger, signal });
  }

  /** A full that does not go on from the deltas before it asks for another one, which tells who is right. */
  #judgeEdge(result: TaskResult, dispatcher: TickDispatcher, signal: AbortSignal): void {
    const { cluster, taskId } = result;
    if (!wantsThirdWitness(result) || this.#context.clusters.get(cluster) === undefined) return;
    const occasion = `proof-of-${taskId}`;
    const wish = {
      kind: 'full' as const,
      cluster,
      cause: 'proof' as const,
      occasion,
      deadlineMs: CHAIN_DISPATCH_DEADLINE_MS,
    };
    void dispatcher.dispatch(wish, signal).catch((error: unknown) => {
      if (isEtcdOpsError(error, 'CANCELLED')) return;
      this.#context.logger.error({ error, cluster }, 'Could not ask for a full after a failed edge proof');
    });
  }

  /** A chain that has grown too long asks for a new base, whatever the schedule says. */
  async #watchChains(dispatcher: TickDispatcher, signal: AbortSignal): Promise<void> {
    const { bus, clock, clusters, metrics } = this.#context;
    const logger = this.#context.logger.child({ service: NAME });
    const growths = new ChainGrowths();
    const lags = new DestinationLags();
    const gauges = createSchedulerMetrics(metrics);
    const limits = {
      deltaBytesMin: this.#settings.schedulerChainBytesMin,
      deltaRatio: this.#settings.schedulerChainPercent / 100,
    };
    const judge = (cluster: string): void => {
      const growth = growths.of(cluster);
      if (growth === undefined || clusters.get(cluster) === undefined) return;
      gauges.chainBytes.set({ cluster }, growth.deltaBytes);
      gauges.chainDeltas.set({ cluster }, growth.deltas);
      gauges.chainRevisions.set({ cluster }, growth.revision - growth.baseRevision);
      if (!chainIsTooLong(growth, limits)) return;
      // The base in the id: one full for each chain that grew too long, however many deltas and schedulers see it.
      const wish = {
        kind: 'full' as const,
        cluster,
        cause: 'delta-bytes' as const,
        occasion: `after-${growth.base}`,
        deadlineMs: CHAIN_DISPATCH_DEADLINE_MS,
      };
      void dispatcher.dispatch(wish, signal).catch((error: unknown) => {
        if (!isEtcdOpsError(error, 'CANCELLED')) logger.error({ error, cluster }, 'Could not ask for a full');
      });
    };
    const stopShowing = metrics.onScrape(() => {
      // Anew each time: a destination that was taken out of its spec is behind nobody any more.
      gauges.destinationLag.reset();
      for (const { name: cluster, destinations = [] } of clusters.all()) {
        for (const { name: destination } of destinations) {
          gauges.destinationLag.set({ cluster, destination }, lags.seconds(cluster, destination));
        }
      }
    });
    let isCaughtUp = false;
    const onRestart = (): void => {
      growths.clear();
      lags.clear();
      isCaughtUp = false;
    };
    // What is only read again is not judged line by line: an old chain that was too long has had its full.
    const onResult = (result: TaskResult, isNewest: boolean): void => {
      growths.note(result);
      lags.note(result);
      if (clusters.get(result.cluster) !== undefined) noteResult(gauges, result);
      if (isCaughtUp || isNewest) this.#judgeEdge(result, dispatcher, signal);
      if (isCaughtUp) judge(result.cluster);
      else if (isNewest) growths.clusters().forEach(judge);
      isCaughtUp ||= isNewest;
    };
    const attempt = async (): Promise<void> => {
      await followHistory(bus, { onRestart, onResult }, signal);
      if (!signal.aborted) throw new Error('The history ended');
    };
    await retry(attempt, {
      signal,
      clock,
      shouldRetry: () => true,
      onRetry: ({ error, delayMs }) => logger.warn({ error, delayMs }, 'The history is followed anew'),
    })
      .catch((error: unknown) => {
        if (!signal.aborted) throw error;
      })
      .finally(stopShowing);
  }
}
