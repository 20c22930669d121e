import { z } from 'zod';
import { isoTimeSchema, nameSchema, revisionSchema, timelineSchema } from './task-base.ts';

/** `etcdops.plan`: what a restore would fetch, without doing it. */
export const planRequestSchema = z.strictObject({
  cluster: nameSchema,
  revision: revisionSchema.min(1).exactOptional(),
  time: isoTimeSchema.exactOptional(),
  snapshot: z.string().min(1).max(1024).exactOptional(),
  timeline: timelineSchema.exactOptional(),
});
export type PlanRequest = z.infer<typeof planRequestSchema>;

export const planAnswerSchema = z.object({
  cluster: nameSchema,
  timeline: timelineSchema,
  revision: revisionSchema,
  full: z.string(),
  cutFull: z.boolean(),
  deltas: z.array(z.string()),
  bytesToFetch: z.number().int().min(0),
  expectedDbBytes: z.number().int().min(0),
  warnings: z.array(z.string()),
});
export type PlanAnswer = z.infer<typeof planAnswerSchema>;
