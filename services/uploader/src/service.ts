import type { ClusterSpec } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import { createTaskService, keepSpec, type Service, type ServiceContext } from '@etcd-ops/service-kit';
import { runDeltaTask } from './delta-task.ts';
import { runFullTask } from './full-task.ts';
import { packingOf } from './packing-of.ts';
import { createUploaderMetrics, type UploaderMetrics } from './metrics.ts';
import type { UploaderSettings } from './settings.ts';
import { Spool } from './spool.ts';

/** Stores full and delta snapshots. Stateless: any number of replicas, and a crash at any moment is harmless. */
export function createUploaderService(context: ServiceContext, settings: UploaderSettings): Service {
  // Two loops, so that deltas never wait for a full.
  let loops: readonly Service[] = [];
  return {
    name: 'uploader',
    async run(signal) {
      await using spool = await Spool.open(context.spoolDir);
      const metrics = createUploaderMetrics(context.metrics);
      const stopMeasuring = context.metrics.onScrape(async () => {
        const { bytes, freeBytes } = await spool.usage();
        metrics.spoolBytes.set({}, bytes);
        metrics.spoolFreeBytes.set({}, freeBytes);
      });
      loops = [createDeltaService(context, settings, metrics), createFullService(context, settings, metrics, spool)];
      try {
        await runTogether(loops, signal);
      } finally {
        stopMeasuring();
      }
    },
    health() {
      const healths = loops.map((loop) => loop.health());
      const detail = loops.map(({ name }, index) => `${name}: ${healths[index]!.detail}`).join('; ');
      return {
        live: healths.every(({ live }) => live),
        ready: loops.length > 0 && healths.every(({ ready }) => ready),
        detail: detail === '' ? 'not started' : detail,
      };
    },
  };
}

function createDeltaService(context: ServiceContext, settings: UploaderSettings, metrics: UploaderMetrics): Service {
  const { bus, openStore, logger, clock } = context;
  const { deltaObjectBytesMax } = settings;
  return createTaskService({
    name: 'uploader-delta',
    context,
    kind: 'delta',
    concurrencyMax: settings.deltaConcurrencyMax,
    attemptsMax: settings.taskAttemptsMax,
    backoffMs: settings.taskBackoffMs,
    ackWaitMs: settings.taskAckWaitMs,
    async handler(task, { signal, lastDone }) {
      const spec = specOf(context, task.cluster);
      const store = await openStore(spec.store);
      const packing = await packingOf(spec);
      const options = { bus, store, packing, deltaObjectBytesMax, logger, metrics, clock, signal };
      const outcome = await runDeltaTask(task, options);
      const kept = await keepSpec(spec, { store, lastDone, clock, logger, signal });
      return { ...outcome, summary: { ...outcome.summary, ...kept } };
    },
  });
}

function createFullService(
  context: ServiceContext,
  settings: UploaderSettings,
  metrics: UploaderMetrics,
  spool: Spool,
): Service {
  const { bus, etcd, openStore, logger, clock } = context;
  const { spoolBytesMax, deltaObjectBytesMax } = settings;
  return createTaskService({
    name: 'uploader-full',
    context,
    kind: 'full',
    concurrencyMax: settings.fullConcurrencyMax,
    attemptsMax: settings.taskAttemptsMax,
    backoffMs: settings.taskBackoffMs,
    ackWaitMs: settings.taskAckWaitMs,
    async handler(task, taskContext) {
      const spec = specOf(context, task.cluster);
      const store = await openStore(spec.store);
      await using loan = await etcd.borrow(spec, { signal: taskContext.signal });
      const options = {
        spec,
        bus,
        store,
        packing: await packingOf(spec),
        etcd: loan.cluster,
        spool,
        spoolBytesMax,
        deltaObjectBytesMax,
        logger,
        metrics,
        clock,
      };
      return await runFullTask(task, { ...options, context: taskContext });
    },
  });
}

function specOf({ clusters }: ServiceContext, cluster: string): ClusterSpec {
  const spec = clusters.get(cluster);
  if (spec === undefined) {
    throw new EtcdOpsError('CONFIG_INVALID', { message: `The cluster ${cluster} is not under care any more` });
  }
  return spec;
}

/** Runs loops until all have ended; one that fails ends the others. */
async function runTogether(loops: readonly Service[], stop: AbortSignal): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([stop, failed.signal]);
  const results = await Promise.allSettled(
    loops.map((loop) =>
      loop.run(signal).catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
    ),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
