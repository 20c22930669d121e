import { z } from 'zod';
import { taskBaseShape } from './task-base.ts';

/** Merge the small deltas of windows that are over. */
export const mergeTaskSchema = z.object({
  ...taskBaseShape,
  kind: z.literal('merge'),
  cause: z.enum(['schedule', 'request']),
});
export type MergeTask = z.infer<typeof mergeTaskSchema>;
