import { dispatchTask, type ClusterSpec, type FullTask } from '@etcd-ops/bus';
import { retry, type ServiceContext } from '@etcd-ops/service-kit';
import { readRepositoryPoint } from './captured-points.ts';

/**
 * A cluster whose deltas are turned off is not watched: it has fulls only, by the schedule. Its very first one is asked for
 * here, so that a new cluster does not go without a backup until the schedule comes round. Asked by any number of watchers, once.
 */
export async function wantFirstFull(spec: ClusterSpec, context: ServiceContext, signal: AbortSignal): Promise<void> {
  const { bus, clock, logger } = context;
  const messageId = `full/${spec.name}/first`;
  const task: FullTask = {
    version: 1,
    id: messageId,
    kind: 'full',
    cluster: spec.name,
    pool: 'any',
    cause: 'first',
    createdAt: new Date(clock.now()).toISOString(),
  };
  await retry(
    async () => {
      if ((await readRepositoryPoint(context, spec))?.hasFull === true) return;
      const outcome = await dispatchTask(bus, task, { messageId });
      logger.info({ cluster: spec.name, outcome }, 'Without deltas, only its first full snapshot was asked for');
    },
    { signal, clock },
  );
}
