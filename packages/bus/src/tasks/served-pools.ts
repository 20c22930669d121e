import { API_ERROR, isApiError, toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { taskDurable, TASKS_STREAM, type TaskKind } from '../names.ts';

/**
 * Whether a worker is there for the tasks of a kind and pool: one that waits for a task, or works on one. A worker that has just taken one and
 * one that asks anew leave a moment in which there seems to be none: who would act on `false` asks again.
 * @throws EtcdOpsError BUS_FAILED, BUS_UNREACHABLE
 */
export async function isPoolServed(bus: Bus, { kind, pool }: { kind: TaskKind; pool: string }): Promise<boolean> {
  const durable = taskDurable(kind, pool);
  const jsm = await bus.jsm();
  try {
    const { num_waiting, num_ack_pending } = await jsm.consumers.info(TASKS_STREAM, durable);
    return num_waiting > 0 || num_ack_pending > 0;
  } catch (error) {
    if (isApiError(error, API_ERROR.consumerNotFound)) return false;
    throw toBusError(error, `Looking for workers of ${durable}`);
  }
}
