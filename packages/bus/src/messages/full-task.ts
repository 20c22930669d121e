import { z } from 'zod';
import { revisionSchema, taskBaseShape } from './task-base.ts';

/** Take a full snapshot. */
export const fullTaskSchema = z.object({
  ...taskBaseShape,
  kind: z.literal('full'),
  cause: z.enum(['schedule', 'first', 'request', 'gap', 'fork', 'delta-bytes', 'auth-change', 'catch-up', 'proof']),
  /** Of a `catch-up`: L. The rows behind it become deltas, too, out of the snapshot's file, if that is not compacted beyond L. */
  after: revisionSchema.exactOptional(),
});
export type FullTask = z.infer<typeof fullTaskSchema>;
