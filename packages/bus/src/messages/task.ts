import { z } from 'zod';
import { copyTaskSchema } from './copy-task.ts';
import { defragTaskSchema } from './defrag-task.ts';
import { deltaTaskSchema } from './delta-task.ts';
import { fullTaskSchema } from './full-task.ts';
import { gcTaskSchema } from './gc-task.ts';
import { mergeTaskSchema } from './merge-task.ts';
import { RESTORE_TASK_VERSION, restoreTaskSchema } from './restore-task.ts';
import { verifyTaskSchema } from './verify-task.ts';
import { witnessTaskSchema } from './witness-task.ts';

export const taskSchema = z.discriminatedUnion('kind', [
  fullTaskSchema,
  deltaTaskSchema,
  gcTaskSchema,
  defragTaskSchema,
  restoreTaskSchema,
  verifyTaskSchema,
  mergeTaskSchema,
  witnessTaskSchema,
  copyTaskSchema,
]);
export type Task = z.infer<typeof taskSchema>;
export type TaskInput = z.input<typeof taskSchema>;
/** The task of one kind. */
export type TaskOf<K extends Task['kind']> = Extract<Task, { kind: K }>;

/** Up to which version this etcd-ops reads tasks of a kind. */
export function taskVersionMax(kind: Task['kind']): number {
  return kind === 'restore' ? RESTORE_TASK_VERSION : 1;
}
