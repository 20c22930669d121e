import { z } from 'zod';
import { taskBaseShape } from './task-base.ts';

/** Apply the retention policy to a cluster's repository. */
export const gcTaskSchema = z.object({
  ...taskBaseShape,
  kind: z.literal('gc'),
  cause: z.enum(['schedule', 'full', 'request']),
});
export type GcTask = z.infer<typeof gcTaskSchema>;
