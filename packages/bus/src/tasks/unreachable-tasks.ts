import { NatsError, type SeqMsgRequest, type StoredMsg } from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import { API_ERROR, isApiError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { TASK_SUBJECTS, TASKS_STREAM } from '../names.ts';

/** Two answers are taken at two moments, and tasks come and go between them: a suspicion counts only when it stays. */
const LOOKS = 3;
const LOOK_PAUSE_MS = 200;

/**
 * `forgotten`: the consumer will not deliver them, a new one would. `unreadable`: the queue counts tasks that it cannot read itself,
 * or will store the next ones so.
 */
export type Unreachable = 'forgotten' | 'unreadable';

/**
 * Whether there are tasks, or will be, that their consumer never delivers. A lone server that lost the newest bytes of the queue (power)
 * gives the lost sequences out again. The consumer, which kept its own record, believes that it has delivered them long ago; and the
 * store of nats-server 2.9, whose index may be newer than its messages, that they are deleted. The subject would be occupied for ever.
 * @throws what the bus threw: without an answer nothing is known
 */
export async function findUnreachableTasks(
  bus: Bus,
  consumer: { durable: string; filter: string },
): Promise<Unreachable | undefined> {
  try {
    for (let look = 1; ; look++) {
      const found = await suspicion(bus, consumer);
      if (found === undefined || look === LOOKS) return found;
      await delay(LOOK_PAUSE_MS);
    }
  } catch (error) {
    // Who may not look works with the consumer as it is.
    if (error instanceof NatsError && error.isPermissionError()) return undefined;
    throw error;
  }
}

async function suspicion(
  bus: Bus,
  { durable, filter }: { durable: string; filter: string },
): Promise<Unreachable | undefined> {
  const jsm = await bus.jsm();
  // The consumer first: what it has delivered by then, the queue must have stored.
  const consumer = await jsm.consumers.info(TASKS_STREAM, durable);
  const { state } = await jsm.streams.info(TASKS_STREAM, { subjects_filter: filter });
  const stored = Object.values(state.subjects ?? {}).reduce((sum, messages) => sum + messages, 0);
  const oldest = stored === 0 ? undefined : await firstTaskFrom(bus, 1, filter);
  if (stored > 0 && oldest === undefined) return 'unreadable';
  // Also when nothing lies there now: the very next tasks get sequences that are behind the consumer.
  if (consumer.delivered.stream_seq > state.last_seq) return indexOutlivesTail(bus) ? 'unreadable' : 'forgotten';
  if (oldest === undefined) return undefined;
  // In a work queue whatever lies there is due or delivered; what is neither was forgotten.
  const isKnown = oldest.seq > consumer.ack_floor.stream_seq;
  return isKnown && stored <= consumer.num_pending + consumer.num_ack_pending ? undefined : 'forgotten';
}

/** nats-server 2.9 believes an index of deletions that is newer than its messages. */
function indexOutlivesTail(bus: Bus): boolean {
  return /^2\.\d\./.test(bus.nc.info?.version ?? '');
}

/**
 * Empties the queue, which frees the subjects of what nobody can read, and puts back what can be read: such a task may then be worked
 * on twice. Tasks that come meanwhile stay.
 */
export async function freeUnreadableTasks(bus: Bus): Promise<void> {
  const jsm = await bus.jsm();
  const { last_seq: last } = (await jsm.streams.info(TASKS_STREAM)).state;
  const readable: StoredMsg[] = [];
  for (let sequence = 1; sequence <= last;) {
    const task = await firstTaskFrom(bus, sequence, TASK_SUBJECTS);
    if (task === undefined || task.seq > last) break;
    readable.push(task);
    sequence = task.seq + 1;
  }
  await jsm.streams.purge(TASKS_STREAM, { seq: last + 1 });
  for (const { subject, data } of readable) {
    await bus.js.publish(subject, data, { timeout: bus.requestTimeoutMs }).catch((error: unknown) => {
      // Another worker was faster, or the next task of this subject has come.
      if (!isApiError(error, API_ERROR.storeFailed)) throw error;
    });
  }
}

async function firstTaskFrom(bus: Bus, sequence: number, filter: string): Promise<StoredMsg | undefined> {
  const query: SeqMsgRequest & { next_by_subj: string } = { seq: sequence, next_by_subj: filter };
  try {
    return await (await bus.jsm()).streams.getMessage(TASKS_STREAM, query);
  } catch (error) {
    if (isApiError(error, API_ERROR.messageNotFound)) return undefined;
    throw error;
  }
}
