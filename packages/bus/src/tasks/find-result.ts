import { DeliverPolicy } from 'nats';
import { toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { taskResultSchema, type TaskResult } from '../messages/task-result.ts';
import { doneSubject, HISTORY_STREAM, type TaskKind } from '../names.ts';
import { pull } from '../pull-request.ts';
import { createReadingConsumer, deleteReadingConsumer } from '../reading-consumer.ts';

const BATCH = 100;
/** A full each minute for a week; who looks for more looks into the history itself. */
const LINES_MAX = 10_000;
const CONSUMER_IDLE_MS = 10_000;

/** The line of the history that tells how a task ended; undefined when there is none. */
export async function findResult(
  bus: Bus,
  task: { kind: TaskKind; cluster: string; id: string; since: string; signal?: AbortSignal },
): Promise<TaskResult | undefined> {
  const what = `Looking for the result of ${task.id}`;
  const signal = task.signal === undefined ? {} : { signal: task.signal };
  const name = await createReadingConsumer(bus, {
    ...{ stream: HISTORY_STREAM, what, filter: doneSubject(task.kind, task.cluster), idleMs: CONSUMER_IDLE_MS },
    start: { deliver_policy: DeliverPolicy.StartTime, opt_start_time: task.since },
    ...signal,
  });
  try {
    for (let seen = 0; seen < LINES_MAX;) {
      const options = { stream: HISTORY_STREAM, consumer: name, batch: BATCH, expiresMs: 0, ...signal };
      const { messages, end } = await pull(bus, options);
      for (const message of messages) {
        const result = parsed(message.string());
        if (result?.taskId === task.id) return result;
      }
      seen += messages.length;
      if (end !== 'full') return undefined;
    }
    return undefined;
  } catch (error) {
    throw toBusError(error, what);
  } finally {
    deleteReadingConsumer(bus, HISTORY_STREAM, name);
  }
}

function parsed(text: string): TaskResult | undefined {
  try {
    return taskResultSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
