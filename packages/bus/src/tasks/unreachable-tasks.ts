import { NatsError, type SeqMsgRequest } from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import { API_ERROR, isApiError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { TASKS_STREAM } from '../names.ts';

/** Two answers are taken at two moments, and tasks come and go between them: a suspicion counts only when it stays. */
const LOOKS = 3;
const LOOK_PAUSE_MS = 200;

/**
 * Whether there are tasks, or will be, that their consumer never delivers. A lone server that lost the newest bytes of the queue (power)
 * gives the lost sequences out again, and the consumer, which kept its own record, believes that it has delivered them long ago:
 * the subject would be occupied for ever.
 * @throws what the bus threw: without an answer nothing is known
 */
export async function hasUnreachableTasks(bus: Bus, consumer: { durable: string; filter: string }): Promise<boolean> {
  try {
    for (let look = 1; await isSuspicious(bus, consumer); look++) {
      if (look === LOOKS) return true;
      await delay(LOOK_PAUSE_MS);
    }
    return false;
  } catch (error) {
    // Who may not look works with the consumer as it is.
    if (error instanceof NatsError && error.isPermissionError()) return false;
    throw error;
  }
}

async function isSuspicious(bus: Bus, { durable, filter }: { durable: string; filter: string }): Promise<boolean> {
  const jsm = await bus.jsm();
  // The consumer first: what it has delivered by then, the queue must have stored.
  const consumer = await jsm.consumers.info(TASKS_STREAM, durable);
  const { state } = await jsm.streams.info(TASKS_STREAM, { subjects_filter: filter });
  // Also when nothing lies there now: the very next tasks get sequences that are behind the consumer.
  if (consumer.delivered.stream_seq > state.last_seq) return true;
  const stored = Object.values(state.subjects ?? {}).reduce((sum, messages) => sum + messages, 0);
  if (stored === 0) return false;
  if ((await oldestTask(bus, filter)) <= consumer.ack_floor.stream_seq) return true;
  // In a work queue whatever lies there is due or delivered; what is neither was forgotten.
  return stored > consumer.num_pending + consumer.num_ack_pending;
}

/** Its sequence; infinite when the last one was done meanwhile. */
async function oldestTask(bus: Bus, filter: string): Promise<number> {
  const query: SeqMsgRequest & { next_by_subj: string } = { seq: 1, next_by_subj: filter };
  try {
    return (await (await bus.jsm()).streams.getMessage(TASKS_STREAM, query)).seq;
  } catch (error) {
    if (isApiError(error, API_ERROR.messageNotFound)) return Infinity;
    throw error;
  }
}
