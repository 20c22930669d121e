import { z } from 'zod';
import { restoreOptionsShape } from './restore-options.ts';
import { restoreTargetSchema } from './restore-target.ts';
import { nameSchema, taskBaseShape } from './task-base.ts';

/** Restore into data directories below the worker's configured roots. Names only: the store comes from the spec. */
export const restoreTaskSchema = z.object({
  ...taskBaseShape,
  kind: z.literal('restore'),
  requestId: nameSchema,
  to: restoreTargetSchema,
  ...restoreOptionsShape,
});
export type RestoreTask = z.infer<typeof restoreTaskSchema>;
