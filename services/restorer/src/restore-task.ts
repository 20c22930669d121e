import type { ClusterSpec, RestoreTask, TaskContext, TaskOutcome } from '@etcd-ops/bus';
import { parseInitialCluster, readInventory, restoreAround, type Identities, type ObjectStore } from '@etcd-ops/core';
import { withPinnedTargets, type Target } from './pinned-targets.ts';

export interface RestoreTaskOptions {
  spec: ClusterSpec;
  store: ObjectStore;
  roots: readonly string[];
  identities?: Identities | undefined;
  context: Pick<TaskContext, 'signal' | 'progress'>;
}

/**
 * Restores into the directories that the task names. The roots are asked again here: a task may have come into the queue by
 * another way than the request, and a link may have changed since.
 */
export async function runRestoreTask(task: RestoreTask, options: RestoreTaskOptions): Promise<TaskOutcome> {
  const { roots } = options;
  return await withPinnedTargets(task.dataDirs, roots, (dataDirs) => restoreInto(dataDirs, task, options));
}

async function restoreInto(
  dataDirs: Target[],
  task: RestoreTask,
  { spec, store, identities, context }: RestoreTaskOptions,
): Promise<TaskOutcome> {
  const { signal, progress } = context;
  progress({ phase: 'plan', bytesDone: 0 });
  const { leaseUnknownTtlSeconds, skipHashCheck, target } = task;
  const report = await restoreAround({
    store,
    inventory: await readInventory(store, spec.name, { signal }),
    restoreTo: task.to,
    dataDirs,
    initialCluster: parseInitialCluster(task.initialCluster),
    token: task.token,
    identities,
    ...(target === undefined ? {} : { target }),
    ...(leaseUnknownTtlSeconds === undefined ? {} : { leaseUnknownTtlSeconds }),
    ...(skipHashCheck === undefined ? {} : { skipHashCheck }),
    signal,
    onProgress: (phase, bytesDone, bytesTotal) => progress({ phase, bytesDone, bytesTotal }),
  });
  return {
    summary: {
      requestId: task.requestId,
      timeline: report.timeline,
      revision: report.revision,
      full: report.full.key,
      deltas: report.deltas,
      rowsAppended: report.rowsAppended,
      bytesFetched: report.bytesFetched,
      databaseBytes: report.databaseBytes,
      dataDirs: task.dataDirs.map(({ dataDir }) => dataDir),
      leases: { ...report.leases, unknown: report.leases.unknown.map((id) => BigInt.asUintN(64, id).toString(16)) },
      damaged: report.damaged,
      warnings: report.warnings,
    },
  };
}
