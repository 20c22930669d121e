import { EtcdOpsError } from '@etcd-ops/core';
import { createTaskService, type Service, type ServiceContext } from '@etcd-ops/service-kit';
import { defragCluster, type DefragReport } from './defrag.ts';
import { maintainerSettings, type MaintainerSettings } from './settings.ts';

const NAME = 'maintainer';
const ATTEMPTS_MAX = 3;
/** A member that restarts or catches up is given time. */
const BACKOFF_MS = 30_000;

/** Takes care of living clusters: today, defragmentation. */
export function createMaintainerService(
  context: ServiceContext,
  settings: MaintainerSettings = maintainerSettings.parse({}),
): Service {
  const logger = context.logger.child({ service: NAME });
  const metrics = defragMetrics(context);
  return createTaskService({
    name: NAME,
    context,
    kind: 'defrag',
    concurrencyMax: settings.maintainerConcurrency,
    attemptsMax: ATTEMPTS_MAX,
    backoffMs: BACKOFF_MS,
    async handler(task, { signal, ...taskContext }) {
      const spec = context.clusters.get(task.cluster);
      if (spec === undefined) {
        throw new EtcdOpsError('CONFIG_INVALID', { message: `The cluster ${task.cluster} is not under care` });
      }
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

function defragMetrics({ metrics }: ServiceContext): { note(cluster: string, report: DefragReport): void } {
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
