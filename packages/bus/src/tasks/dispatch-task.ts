import { EtcdOpsError } from '@etcd-ops/core';
import { API_ERROR, apiErrorText, isApiError, toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { taskSchema, type Task, type TaskInput } from '../messages/task.ts';
import { taskSubject } from '../names.ts';

/**
 * accepted: queued. busy: the cluster's task of this kind still waits or runs. duplicate: the message id was seen
 * within the last two minutes, so another scheduler was first.
 */
export type DispatchOutcome = 'accepted' | 'busy' | 'duplicate';

/**
 * Puts a task into the work queue. The default message id is the tick, so that several schedulers dispatch it once;
 * a task without a tick has its own id.
 * @throws EtcdOpsError BUS_MESSAGE_INVALID, BUS_FAILED, or BUS_UNREACHABLE: it may have been queued all the same.
 */
export async function dispatchTask(
  bus: Bus,
  input: TaskInput,
  options: { messageId?: string } = {},
): Promise<DispatchOutcome> {
  const parsed = taskSchema.safeParse(input);
  if (!parsed.success) {
    const message = `A task of kind ${input.kind} does not follow its schema: ${parsed.error.message}`;
    throw new EtcdOpsError('BUS_MESSAGE_INVALID', { message, cause: parsed.error });
  }
  const task = parsed.data;
  const msgID = options.messageId ?? defaultMessageId(task);
  const timeout = bus.requestTimeoutMs;
  try {
    const ack = await bus.js.publish(taskSubject(task), JSON.stringify(task), { msgID, timeout });
    return ack.duplicate ? 'duplicate' : 'accepted';
  } catch (error) {
    if (isSubjectOccupied(error)) return 'busy';
    throw toBusError(error, `Dispatching a ${task.kind} of ${task.cluster}`);
  }
}

function defaultMessageId(task: Task): string {
  if (task.tick === undefined) return task.id;
  const destination = task.kind === 'copy' ? `/${task.destination}` : '';
  return `${task.kind}/${task.cluster}${destination}/${task.tick}`;
}

/** The same code tells that the whole queue is full: then nothing is known of this cluster's task. */
function isSubjectOccupied(error: unknown): boolean {
  return isApiError(error, API_ERROR.storeFailed) && /per subject/.test(apiErrorText(error));
}
