import type { ClusterSpec, RestoreTask, TaskContext, TaskOutcome } from '@etcd-ops/bus';
import {
  parseInitialCluster,
  readInventory,
  restoreAround,
  writtenLeases,
  type Identities,
  type ObjectStore,
} from '@etcd-ops/core';
import { describeChosen } from './chosen.ts';
import { withPinnedTargets, type Target } from './pinned-targets.ts';
import { settleMoment } from './settle-moment.ts';
import { changesOf } from './wanted-changes.ts';

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
  const { allowOlder, skipHashCheck, target, maxFetchers } = task;
  const changes = changesOf(task);
  const inventory = await readInventory(store, spec.name, { signal });
  const { restoreTo, beforeDelete } = await settleMoment(store, inventory, task.to, { identities, signal });
  const report = await restoreAround({
    ...changes,
    store,
    inventory,
    restoreTo,
    allowOlder,
    dataDirs,
    initialCluster: parseInitialCluster(task.initialCluster),
    token: task.token,
    identities,
    ...(target === undefined ? {} : { target }),
    ...(maxFetchers === undefined ? {} : { fetchersMax: maxFetchers }),
    ...(skipHashCheck === undefined ? {} : { skipHashCheck }),
    signal,
    onProgress: (phase, bytesDone, bytesTotal) => progress({ phase, bytesDone, bytesTotal }),
  });
  const leases = writtenLeases(report.leases, changes.leases);
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
      leases: { ...leases, unknown: leases.unknown.map((id) => BigInt.asUintN(64, id).toString(16)) },
      ...describeChosen({ ...report, beforeDelete }),
      damaged: report.damaged,
      warnings: report.warnings,
    },
  };
}
