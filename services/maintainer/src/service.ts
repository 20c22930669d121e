import type { ClusterSpec } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import {
  createTaskService,
  joinServices,
  type Metrics,
  type Service,
  type ServiceContext,
} from '@etcd-ops/service-kit';
import { defragCluster, type DefragReport } from './defrag.ts';
import { createWitnessMetrics, runWitnessTask } from './witness-task.ts';
import { maintainerSettings, type MaintainerSettings } from './settings.ts';

const NAME = 'maintainer';
const ATTEMPTS_MAX = 3;
/** A member that restarts or catches up is given time. */
const BACKOFF_MS = 30_000;

/** Takes care of living clusters: defragments them, and asks them what they hold. */
export function createMaintainerService(
  context: ServiceContext,
  settings: MaintainerSettings = maintainerSettings.parse({}),
): Service {
  return joinServices(NAME, [createDefragLoop(context, settings), createWitnessLoop(context, settings)]);
}

function createWitnessLoop(context: ServiceContext, settings: MaintainerSettings): Service {
  const metrics = createWitnessMetrics(context.metrics);
  const { bus, clock, logger } = context;
  return createTaskService({
    name: 'maintainer-witness',
    context,
    kind: 'witness',
    concurrencyMax: settings.maintainerWitnessConcurrency,
    attemptsMax: ATTEMPTS_MAX,
    backoffMs: BACKOFF_MS,
    async handler(task, { signal, lastDone }) {
      const spec = specOf(context, task.cluster);
      const store = await context.openStore(spec.store);
      await using loan = await context.etcd.borrow(spec, { signal });
      return await runWitnessTask({ spec, bus, store, etcd: loan.cluster, logger, metrics, clock, signal, lastDone });
    },
  });
}

function createDefragLoop(context: ServiceContext, settings: MaintainerSettings): Service {
  const logger = context.logger.child({ service: NAME });
  const metrics = createDefragMetrics(context.metrics);
  return createTaskService({
    name: NAME,
    context,
    kind: 'defrag',
    concurrencyMax: settings.maintainerConcurrency,
    attemptsMax: ATTEMPTS_MAX,
    backoffMs: BACKOFF_MS,
    async handler(task, { signal, ...taskContext }) {
      const spec = specOf(context, task.cluster);
      await using loan = await context.etcd.borrow(spec, { signal });
      const report = await defragCluster(loan.cluster, {
        limits: {
          reclaimBytesMin: spec.defrag.minReclaimBytes,
          reclaimRatioMin: settings.maintainerReclaimPercentMin / 100,
          lagEntriesMax: settings.maintainerLagEntriesMax,
        },
        defragTimeoutMs: spec.timeouts.defragMs,
        recoveryTimeoutMs: settings.maintainerRecoveryTimeoutMs,
        requestTimeoutMs: spec.timeouts.requestMs,
        clock: context.clock,
        logger: logger.child({ cluster: spec.name }),
        signal,
        onProgress: (phase) => taskContext.progress({ phase: phase.slice(0, 64), bytesDone: 0 }),
      });
      metrics.note(spec.name, report);
      if (report.noSpaceAlarmStays) {
        logger.warn({ cluster: spec.name }, 'Space was made, but the alarm NOSPACE stays until it is disarmed');
      }
      return { summary: { ...report }, changed: report.members.some(({ outcome }) => outcome === 'defragmented') };
    },
  });
}

function specOf({ clusters }: ServiceContext, cluster: string): ClusterSpec {
  const spec = clusters.get(cluster);
  if (spec === undefined) {
    throw new EtcdOpsError('CONFIG_INVALID', { message: `The cluster ${cluster} is not under care` });
  }
  return spec;
}

/** The instruments of defragmentation. */
export function createDefragMetrics(metrics: Metrics): { note(cluster: string, report: DefragReport): void } {
  const duration = metrics.histogram({
    name: 'defrag_duration_seconds',
    help: 'How long one member was blocked by its defragmentation.',
    labels: { cluster: 'cluster' },
  });
  const reclaimed = metrics.counter({
    name: 'defrag_reclaimed_bytes_total',
    help: 'Bytes by which files of members shrank.',
    labels: { cluster: 'cluster' },
  });
  const moves = metrics.counter({
    name: 'defrag_leader_moves_total',
    help: 'Leaderships moved away before a defragmentation.',
    labels: { cluster: 'cluster' },
  });
  return {
    note(cluster, report) {
      for (const { outcome, durationMs } of report.members) {
        if (outcome === 'defragmented') duration.observe({ cluster }, durationMs / 1000);
      }
      reclaimed.add({ cluster }, report.reclaimedBytes);
      moves.add({ cluster }, report.leaderMoves.length);
    },
  };
}
