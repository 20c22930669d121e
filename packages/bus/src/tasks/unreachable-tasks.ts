import type { SeqMsgRequest } from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bus } from '../connection.ts';
import { TASKS_STREAM } from '../names.ts';

/** Two answers are taken at two moments, and tasks come and go between them: a suspicion counts only when it stays. */
const LOOKS = 3;
const LOOK_PAUSE_MS = 200;

/**
 * Whether tasks lie in the queue that their consumer will never deliver. A lone server that lost the newest bytes of the queue (power)
 * gives the lost sequences out again, and the consumer, which kept its own record, believes that it has delivered them long ago:
 * the subject would be occupied for ever. In a work queue whatever lies there is due or delivered; what is neither was forgotten.
 */
export async function hasUnreachableTasks(bus: Bus, consumer: { durable: string; filter: string }): Promise<boolean> {
  for (let look = 1; ; look++) {
    const forgotten = await forgottenTasks(bus, consumer).catch(() => undefined);
    if (forgotten !== undefined && forgotten <= 0) return false;
    // Who may not look, or gets no answer, works with the consumer as it is; it looks again when it was idle for long.
    if (look === LOOKS) return forgotten !== undefined;
    await delay(LOOK_PAUSE_MS);
  }
}

async function forgottenTasks(bus: Bus, { durable, filter }: { durable: string; filter: string }): Promise<number> {
  const jsm = await bus.jsm();
  const [{ state }, info] = await Promise.all([
    jsm.streams.info(TASKS_STREAM, { subjects_filter: filter }),
    jsm.consumers.info(TASKS_STREAM, durable),
  ]);
  const { num_pending: due, num_ack_pending: delivered } = info;
  const stored = Object.values(state.subjects ?? {}).reduce((sum, messages) => sum + messages, 0);
  if (stored === 0) return 0;
  // What it delivered and nobody acknowledged may have been lost with the tail and still be counted: so the numbers alone can deceive.
  if (info.delivered.stream_seq > state.last_seq) return stored;
  const oldest = await jsm.streams.getMessage(TASKS_STREAM, { seq: 1, next_by_subj: filter } as SeqMsgRequest);
  if (oldest.seq <= info.ack_floor.stream_seq) return 1;
  return stored - due - delivered;
}
