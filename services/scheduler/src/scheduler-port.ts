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
import type { SchedulerMetrics } from './metrics.ts';

/** All that a scheduler asks of the world; a test puts its own in the place of the bus. */
export interface SchedulerPort {
  /** @throws EtcdOpsError of the bus. */
  dispatch(task: TaskInput, messageId: string): Promise<DispatchOutcome>;
  lastDone(kind: TaskKind, cluster: string, destination?: string): Promise<LastDone | undefined>;
  streamState(cluster: string): Promise<StreamState>;
}

export function busPort(bus: Bus): SchedulerPort {
  const done = lastDone(bus);
  const recorded = positions(bus);
  /** Where head and record were last seen equal, and by which version of the record. */
  const calmAt = new Map<string, { sequence: number; storedAt: string; revision: number }>();
  return {
    dispatch: (task, messageId) => dispatchTask(bus, task, { messageId }),
    lastDone: async (kind, cluster, destination) => (await done.get(lastDoneKey(kind, cluster, destination)))?.value,
    async streamState(cluster) {
      const facts = await streamFacts(bus, cluster);
      const headSequence = facts.messages === 0 ? 0 : facts.lastSequence;
      const { bytes, messages, bytesMax, lastStoredAt: storedAt } = facts;
      const calm = calmAt.get(cluster);
      const size = { bytes, messages, bytesMax };
      // Most clusters are calm most of the time: where the head is still what is recorded, there is nothing to read.
      if (calm?.sequence === headSequence && calm.storedAt === storedAt) {
        return { ...size, headSequence, recordedSequence: headSequence };
      }
      const stored = await recorded.get(positionKey(cluster));
      const recordedSequence = stored?.value.sequence ?? 0;
      // The recorded sequence for another message: a tail was lost and written over, and nothing was recorded since.
      if (calm?.sequence === headSequence && calm.revision === stored?.revision) {
        return { ...size, headSequence, recordedSequence: 0 };
      }
      if (stored !== undefined && recordedSequence === headSequence) {
        calmAt.set(cluster, { sequence: headSequence, storedAt, revision: stored.revision });
      } else calmAt.delete(cluster);
      return { ...size, headSequence, recordedSequence };
    },
  };
}

/** Each look at a stream is also shown. */
export function measuredPort(port: SchedulerPort, metrics: SchedulerMetrics): SchedulerPort {
  return {
    ...port,
    async streamState(cluster) {
      const state = await port.streamState(cluster);
      metrics.streamBytes.set({ cluster }, state.bytes);
      if (state.messages !== undefined) metrics.streamMessages.set({ cluster }, state.messages);
      if (state.bytesMax !== undefined) metrics.streamLimit.set({ cluster }, state.bytesMax);
      return state;
    },
  };
}
