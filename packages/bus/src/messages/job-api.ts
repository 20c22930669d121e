import { z } from 'zod';
import { failureSchema } from './failure.ts';
import { progressSchema } from './progress.ts';
import { isoTimeSchema, nameSchema } from './task-base.ts';

/** `etcdops.job`: what became of a request, by the id that it was answered with. */
export const jobRequestSchema = z.strictObject({ id: nameSchema });
export type JobRequest = z.infer<typeof jobRequestSchema>;

export const jobAnswerSchema = z.object({
  id: nameSchema,
  kind: nameSchema,
  cluster: nameSchema,
  acceptedAt: isoTimeSchema,
  /**
   * waiting: in the queue, nobody has said anything of it yet. running: a worker told its progress. retrying: an attempt failed, another one
   * comes. done, failed: over. unknown: no longer in the queue and not on record any more.
   */
  state: z.enum(['waiting', 'running', 'retrying', 'done', 'failed', 'unknown']),
  /** Failed attempts so far. */
  attempts: z.number().int().min(0),
  /** The last that was heard. */
  progress: progressSchema.exactOptional(),
  finishedAt: isoTimeSchema.exactOptional(),
  /** Facts of the kind: revisions, bytes, directories. */
  summary: z.record(z.string(), z.unknown()).exactOptional(),
  failure: failureSchema.exactOptional(),
});
export type JobAnswer = z.infer<typeof jobAnswerSchema>;
