import { z } from 'zod';
import { isoTimeSchema, revisionSchema, timelineSchema } from './task-base.ts';

/** What was chosen where a request left the choice: in the answer of a plan, and in the result of a restore. */
export const restoreChosenShape = {
  /** When the revision had certainly been reached; absent when nobody recorded it. */
  latestObserved: isoTimeSchema.exactOptional(),
  /** The deletion that was found. */
  beforeDelete: z
    .object({
      key: z.string().exactOptional(),
      prefix: z.string().exactOptional(),
      timeline: timelineSchema,
      /** The last revision at which it lived. */
      revision: revisionSchema,
      objectKey: z.string(),
      recreatedAt: revisionSchema.exactOptional(),
      keysBefore: z.number().int().min(0).exactOptional(),
      keysAfter: z.number().int().min(0).exactOptional(),
    })
    .exactOptional(),
  /** The revision is raised by so many, to this one. */
  bumped: z.object({ by: z.number().int().min(1), revision: revisionSchema }).exactOptional(),
  /** Why so far. */
  safeBump: z
    .object({
      highestCaptured: revisionSchema,
      highestCapturedTime: isoTimeSchema.exactOptional(),
      ratePerSecond: z.number().min(0),
      rateIsAssumed: z.boolean(),
      lagMs: z.number().min(0),
      explanation: z.string(),
    })
    .exactOptional(),
};
const restoreChosenSchema = z.object(restoreChosenShape);
export type RestoreChosen = z.infer<typeof restoreChosenSchema>;
