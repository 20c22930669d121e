import { serveApi } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import { createTaskService, etcdOpsVersion, type Service, type ServiceContext } from '@etcd-ops/service-kit';
import { createApi } from './api.ts';
import { runRestoreTask } from './restore-task.ts';
import type { RestorerSettings } from './settings.ts';

/** Answers the operator's requests over NATS, and restores into directories below its roots. */
export function createRestorerService(context: ServiceContext, settings: RestorerSettings): Service {
  const tasks = createRestoreLoop(context, settings);
  return {
    name: 'restorer',
    async run(signal) {
      await using _api = await serveApi(context.ops, {
        version: etcdOpsVersion(),
        description: 'Restores, snapshots and facts of the clusters under care',
        endpoints: createApi(context, settings.restoreRoots),
        onError: (endpoint, error) => context.logger.warn({ endpoint, error }, 'A request failed'),
      });
      await tasks.run(signal);
    },
    health: () => tasks.health(),
  };
}

function createRestoreLoop(context: ServiceContext, settings: RestorerSettings): Service {
  const { clusters, openStore } = context;
  return createTaskService({
    name: 'restorer-tasks',
    context,
    bus: context.ops,
    kind: 'restore',
    pool: settings.restorePool,
    concurrencyMax: settings.restoreConcurrencyMax,
    attemptsMax: settings.restoreAttemptsMax,
    async handler(task, taskContext) {
      const spec = clusters.get(task.cluster);
      if (spec === undefined) {
        throw new EtcdOpsError('USAGE', { message: `The cluster ${task.cluster} is not under care` });
      }
      const store = await openStore(spec.store);
      return await runRestoreTask(task, { spec, store, roots: settings.restoreRoots, context: taskContext });
    },
  });
}
