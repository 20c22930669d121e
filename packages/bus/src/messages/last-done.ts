import { z } from 'zod';
import { isoTimeSchema, nameSchema } from './task-base.ts';

/** The last task of a kind that ended for a cluster: what makes ticks happen once, whatever the queue repeats. */
export const lastDoneSchema = z.object({
  version: z.literal(1),
  taskId: nameSchema,
  /** The newest tick that is done; kept when a task without a tick follows. */
  tick: isoTimeSchema.exactOptional(),
  finishedAt: isoTimeSchema,
  ok: z.boolean(),
  summary: z.record(z.string(), z.unknown()),
});
export type LastDone = z.infer<typeof lastDoneSchema>;
