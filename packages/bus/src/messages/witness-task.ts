import { z } from 'zod';
import { taskBaseShape } from './task-base.ts';

/** Ask the living cluster for a hash that says what it holds, if that is free, or allowed to cost something. */
export const witnessTaskSchema = z.object({
  ...taskBaseShape,
  kind: z.literal('witness'),
  cause: z.enum(['schedule', 'request']),
});
export type WitnessTask = z.infer<typeof witnessTaskSchema>;
