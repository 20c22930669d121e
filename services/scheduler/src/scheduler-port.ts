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
  /** Sequences at which head and record were last seen equal. */
  const calmAt = new Map<string, number>();
  return {
    dispatch: (task, messageId) => dispatchTask(bus, task, { messageId }),
    lastDone: async (kind, cluster) => (await done.get(lastDoneKey(kind, cluster)))?.value,
    async streamState(cluster) {
      const facts = await streamFacts(bus, cluster);
      const headSequence = facts.messages === 0 ? 0 : facts.lastSequence;
      // Most clusters are calm most of the time: where the head is still what is recorded, there is nothing to read.
      if (calmAt.get(cluster) === headSequence) {
        return { headSequence, bytes: facts.bytes, recordedSequence: headSequence };
      }
      const recordedSequence = (await recorded.get(positionKey(cluster)))?.value.sequence ?? 0;
      if (recordedSequence === headSequence) calmAt.set(cluster, headSequence);
      else calmAt.delete(cluster);
      return { headSequence, bytes: facts.bytes, recordedSequence };
    },
  };
}
