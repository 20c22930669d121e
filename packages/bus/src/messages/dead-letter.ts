import { z } from 'zod';
import { failureSchema } from './failure.ts';
import { isoTimeSchema } from './task-base.ts';

/** A task that was given up, so that its subject is free again. */
export const deadLetterSchema = z.object({
  version: z.literal(1),
  /** The task as it was; of one that could not be read, the first bytes as text. */
  task: z.unknown(),
  subject: z.string().max(1024),
  /** The sequence that it had in the work queue. */
  sequence: z.number().int().min(1),
  attempts: z.number().int().min(0),
  cause: failureSchema,
  deadAt: isoTimeSchema,
  worker: z.string().max(256),
});
export type DeadLetter = z.infer<typeof deadLetterSchema>;
