import { API_ERROR, isApiError, toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { taskSchema, type Task } from '../messages/task.ts';
import { TASKS_STREAM, taskSubject, type TaskAddress } from '../names.ts';

/** The task that holds the place of this one in the queue, waiting or being worked on; it may be another one of its kind and cluster. */
export async function queuedTask(bus: Bus, address: TaskAddress): Promise<Task | undefined> {
  const jsm = await bus.jsm();
  try {
    const message = await jsm.streams.getMessage(TASKS_STREAM, { last_by_subj: taskSubject(address) });
    return taskSchema.safeParse(JSON.parse(message.string())).data;
  } catch (error) {
    if (isApiError(error, API_ERROR.messageNotFound) || error instanceof SyntaxError) return undefined;
    throw toBusError(error, `Looking for ${address.id} in the queue`);
  }
}
