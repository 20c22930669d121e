import {
  dispatchTask,
  lastDone,
  lastDoneKey,
  positionKey,
  positions,
  streamFacts,
  type Bus,
  type DispatchOutcome,
  type LastDone,
  type TaskInput,
  type TaskKind,
} from '@etcd-ops/bus';
import type { StreamState } from './decisions.ts';

/** All that a scheduler asks of the world; a test puts its own in the place of the bus. */
export interface SchedulerPort {
  /** @throws EtcdOpsError of the bus. */
  dispatch(task: TaskInput, messageId: string): Promise<DispatchOutcome>;
  lastDone(kind: TaskKind, cluster: string): Promise<LastDone | undefined>;
  streamState(cluster: string): Promise<StreamState>;
}

export function busPort(bus: Bus): SchedulerPort {
  const done = lastDone(bus);
  const recorded = positions(bus);
  return {
    dispatch: (task, messageId) => dispatchTask(bus, task, { messageId }),
    lastDone: async (kind, cluster) => (await done.get(lastDoneKey(kind, cluster)))?.value,
    async streamState(cluster) {
      const [facts, position] = await Promise.all([streamFacts(bus, cluster), recorded.get(positionKey(cluster))]);
      return {
        headSequence: facts.messages === 0 ? 0 : facts.lastSequence,
        bytes: facts.bytes,
        recordedSequence: position?.value.sequence ?? 0,
      };
    },
  };
}
