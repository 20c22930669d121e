import { z } from 'zod';
import { taskBaseShape } from './task-base.ts';

/** Make one delta of the events up to a sequence of the cluster's event stream. */
export const deltaTaskSchema = z.object({
  ...taskBaseShape,
  kind: z.literal('delta'),
  /** The last stream sequence to take, inclusive. */
  cutSequence: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
  cause: z.enum(['period', 'bytes', 'flush']),
});
export type DeltaTask = z.infer<typeof deltaTaskSchema>;
