import { z } from 'zod';
import { destinationNameSchema } from './destination-spec.ts';
import { taskBaseShape } from './task-base.ts';

/** Bring what the store of a cluster holds into one of its destinations, and apply that one's retention there. */
export const copyTaskSchema = z.object({
  ...taskBaseShape,
  kind: z.literal('copy'),
  cause: z.enum(['schedule', 'request']),
  /** Its name in the spec of the cluster. */
  destination: destinationNameSchema,
});
export type CopyTask = z.infer<typeof copyTaskSchema>;
