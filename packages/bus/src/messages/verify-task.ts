import { z } from 'zod';
import { revisionSchema, taskBaseShape, timelineSchema } from './task-base.ts';

/** Verify a cluster's repository; `prove` rebuilds chains in scratch space and writes what came of it into the repository. */
export const verifyTaskSchema = z.object({
  ...taskBaseShape,
  kind: z.literal('verify'),
  cause: z.enum(['schedule', 'request']),
  depth: z.enum(['quick', 'read', 'prove']),
  /** Which chains: those that a restore of the newest state leans on, all, that of one full, or what makes one revision. */
  scope: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('newest') }),
    z.object({ kind: z.literal('all'), timeline: timelineSchema.exactOptional() }),
    z.object({ kind: z.literal('snapshot'), key: z.string().min(1).max(1_000) }),
    z.object({ kind: z.literal('revision'), revision: revisionSchema, timeline: timelineSchema.exactOptional() }),
  ]),
});
export type VerifyTask = z.infer<typeof verifyTaskSchema>;
