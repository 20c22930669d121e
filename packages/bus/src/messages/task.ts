import { z } from 'zod';
import { defragTaskSchema } from './defrag-task.ts';
import { deltaTaskSchema } from './delta-task.ts';
import { fullTaskSchema } from './full-task.ts';
import { gcTaskSchema } from './gc-task.ts';
import { restoreTaskSchema } from './restore-task.ts';

/** The schemas that exist; `compact`, `verify` and `copy` have their names (names.ts) and come with their workers. */
export const taskSchema = z.discriminatedUnion('kind', [
  fullTaskSchema,
  deltaTaskSchema,
  gcTaskSchema,
  defragTaskSchema,
  restoreTaskSchema,
]);
export type Task = z.infer<typeof taskSchema>;
export type TaskInput = z.input<typeof taskSchema>;
/** The task of one kind. */
export type TaskOf<K extends Task['kind']> = Extract<Task, { kind: K }>;
