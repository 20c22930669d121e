import { z } from 'zod';
import { failureSchema } from './failure.ts';
import { isoTimeSchema, nameSchema } from './task-base.ts';

/** What people are told of: a task given up, lost revisions, a cluster that went back, a failed proof, a task that nobody could read. */
export const HAPPENINGS = ['failure', 'gap', 'fork', 'proof', 'dead-letter'] as const;
export type HappeningKind = (typeof HAPPENINGS)[number];

export const happeningSchema = z.object({
  /** The same for the same happening, however often it is told. */
  id: z.string().min(1).max(1024),
  what: z.enum(HAPPENINGS),
  at: isoTimeSchema,
  cluster: nameSchema.exactOptional(),
  /** One sentence for people. */
  text: z.string().min(1).max(4096),
  taskId: nameSchema.exactOptional(),
  taskKind: nameSchema.exactOptional(),
  failure: failureSchema.exactOptional(),
});
export type Happening = z.infer<typeof happeningSchema>;

/** The body of the webhook, and standard input of the command. */
export const notificationSchema = z.object({
  version: z.literal(1),
  /** Of this set of happenings; also the header `Idempotency-Key`. */
  id: z.string().length(32),
  happenings: z.array(happeningSchema).min(1).max(100),
});
export type Notification = z.infer<typeof notificationSchema>;
