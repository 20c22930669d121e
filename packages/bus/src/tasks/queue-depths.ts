import { toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { TASK_SUBJECTS, TASKS_STREAM, TASK_KINDS, type TaskKind } from '../names.ts';

/** How many tasks of each kind wait or are worked on. */
export async function queueDepths(bus: Bus): Promise<Record<TaskKind, number>> {
  const depths = Object.fromEntries(TASK_KINDS.map((kind) => [kind, 0])) as Record<TaskKind, number>;
  const jsm = await bus.jsm();
  try {
    const { state } = await jsm.streams.info(TASKS_STREAM, { subjects_filter: TASK_SUBJECTS });
    for (const [subject, count] of Object.entries(state.subjects ?? {})) {
      const kind = TASK_KINDS.find((one) => one === subject.split('.')[2]);
      if (kind !== undefined) depths[kind] += count;
    }
    return depths;
  } catch (error) {
    throw toBusError(error, 'Counting the tasks');
  }
}
