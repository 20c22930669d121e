import { z } from 'zod';
import { restoreRequestSchema } from './restore-api.ts';
import { restoreChosenShape } from './restore-chosen.ts';
import { nameSchema, revisionSchema, timelineSchema } from './task-base.ts';

/** `etcdops.plan`: what a restore would fetch and choose, without doing it. The very request of the restore; directories are checked if they are named. */
export const planRequestSchema = restoreRequestSchema;
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
  ...restoreChosenShape,
  warnings: z.array(z.string()),
});
export type PlanAnswer = z.infer<typeof planAnswerSchema>;
