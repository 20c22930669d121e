import { z } from 'zod';
import { nameSchema, revisionSchema, timelineSchema } from './task-base.ts';

/**
 * `etcdops.verify`: `quick` looks at names and sizes, `read` reads every byte, `prove` rebuilds what a restore would build and hashes it.
 * Without one of revision, snapshot and all: the chains that a restore of the newest state leans on.
 */
export const verifyRequestSchema = z.strictObject({
  cluster: nameSchema,
  depth: z.enum(['quick', 'read', 'prove']).default('prove'),
  revision: revisionSchema.min(1).exactOptional(),
  snapshot: z.string().min(1).max(1_000).exactOptional(),
  all: z.literal(true).exactOptional(),
  timeline: timelineSchema.exactOptional(),
});
export type VerifyRequest = z.infer<typeof verifyRequestSchema>;

/** Given at once; `etcdops.job` tells what came of it. */
export const verifyAnswerSchema = z.object({ id: nameSchema });
export type VerifyAnswer = z.infer<typeof verifyAnswerSchema>;
