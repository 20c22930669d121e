import { z } from 'zod';
import { failureSchema } from './failure.ts';
import { isoTimeSchema, nameSchema } from './task-base.ts';

/** The attempts at a task that failed so far. The queue's own count falls back when a server is killed. */
export const attemptSchema = z.object({
  version: z.literal(1),
  taskId: nameSchema,
  /** Failed or vanished attempts. */
  attempts: z.number().int().min(0),
  /** Deliveries that a stopping worker handed back: they are no fault of the task. */
  released: z.number().int().min(0),
  failure: failureSchema.exactOptional(),
  updatedAt: isoTimeSchema,
});
export type Attempt = z.infer<typeof attemptSchema>;
