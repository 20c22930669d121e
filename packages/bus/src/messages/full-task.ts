import { z } from 'zod';
import { taskBaseShape } from './task-base.ts';

/** Take a full snapshot. */
export const fullTaskSchema = z.object({
  ...taskBaseShape,
  kind: z.literal('full'),
  cause: z.enum(['schedule', 'first', 'request', 'gap', 'fork', 'delta-bytes', 'auth-change', 'catch-up']),
});
export type FullTask = z.infer<typeof fullTaskSchema>;
