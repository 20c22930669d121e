import { z } from 'zod';
import { taskBaseShape } from './task-base.ts';

/** Defragment the members of a cluster, one after the other. */
export const defragTaskSchema = z.object({
  ...taskBaseShape,
  kind: z.literal('defrag'),
  cause: z.enum(['schedule', 'quota', 'request']),
});
export type DefragTask = z.infer<typeof defragTaskSchema>;
