import type { ClusterSpec } from '@etcd-ops/bus';
import { isEtcdOpsError } from '@etcd-ops/core';
import { systemClock, type Clock } from './clock.ts';
import type { ClusterRegistry } from './cluster-registry.ts';
import type { Logger } from './logger.ts';
import { retryDelayMs } from './retry.ts';

export interface ClusterJobsOptions {
  registry: ClusterRegistry;
  logger: Logger;
  signal: AbortSignal;
  /** The job of one cluster. It gets a spec that never changes under it: after a change it is aborted, awaited and begun anew. */
  job: (spec: ClusterSpec, signal: AbortSignal) => Promise<void>;
  /** Which clusters this process takes care of; default all. */
  accepts?: (spec: ClusterSpec) => boolean;
  clock?: Clock;
}

const AGAIN_DELAY_MS = 1_000;
const AGAIN_DELAY_MS_MAX = 60_000;

interface Job {
  stop: AbortController;
  ended: Promise<void>;
}

/**
 * Keeps one job running for each cluster, through additions, changes and removals, until the signal is aborted; then all have ended.
 * A job that fails is logged and begun again after a growing pause: one cluster's trouble never stops the others.
 */
export async function runClusterJobs(options: ClusterJobsOptions): Promise<void> {
  const { registry, signal } = options;
  const jobs = new Map<string, Job>();
  const stop = (name: string): Promise<void> => {
    const job = jobs.get(name);
    jobs.delete(name);
    job?.stop.abort();
    return job?.ended ?? Promise.resolve();
  };
  const endings = new Set<Promise<void>>();
  const unsubscribe = registry.subscribe(({ kind, spec }) => {
    const before = stop(spec.name);
    endings.add(before);
    void before.finally(() => endings.delete(before));
    if (kind === 'removed' || signal.aborted || options.accepts?.(spec) === false) return;
    const controller = new AbortController();
    jobs.set(spec.name, { stop: controller, ended: before.then(() => keepRunning(spec, controller.signal, options)) });
  });
  if (!signal.aborted) {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
  unsubscribe();
  await Promise.all([...[...jobs.keys()].map(stop), ...endings]);
}

async function keepRunning(
  spec: ClusterSpec,
  signal: AbortSignal,
  { job, logger, clock = systemClock }: ClusterJobsOptions,
): Promise<void> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    const startedMs = clock.now();
    try {
      await job(spec, signal);
      return;
    } catch (error) {
      if (signal.aborted) {
        if (!isEtcdOpsError(error, 'CANCELLED')) {
          logger.warn({ cluster: spec.name, error }, 'The job of a cluster failed while it was stopping');
        }
        return;
      }
      // One that ran well for a while begins again with a short pause.
      if (clock.now() - startedMs > AGAIN_DELAY_MS_MAX) attempt = 1;
      const delayMs = retryDelayMs(attempt, { delayMs: AGAIN_DELAY_MS, delayMsMax: AGAIN_DELAY_MS_MAX });
      logger.error({ cluster: spec.name, error, delayMs }, 'The job of a cluster failed and is begun again');
      await clock.sleep(delayMs, signal).catch(() => undefined);
    }
  }
}
