import { z } from 'zod';
import { isoTimeSchema, nameSchema, revisionSchema, timelineSchema } from './task-base.ts';

/** `etcdops.list`: what a cluster can be restored to. */
export const listRequestSchema = z.strictObject({ cluster: nameSchema });
export type ListRequest = z.infer<typeof listRequestSchema>;

export const listAnswerSchema = z.object({
  cluster: nameSchema,
  ranges: z.array(
    z.object({
      timeline: timelineSchema,
      from: revisionSchema,
      to: revisionSchema,
      fromTime: isoTimeSchema.exactOptional(),
      toTime: isoTimeSchema.exactOptional(),
    }),
  ),
  fulls: z.array(
    z.object({
      key: z.string(),
      timeline: timelineSchema,
      revision: revisionSchema,
      compactRevision: z.number().int().min(-1),
      createdAt: isoTimeSchema,
      bytes: z.number().int().min(0),
    }),
  ),
  deltas: z.object({ count: z.number().int().min(0), bytes: z.number().int().min(0) }),
});
export type ListAnswer = z.infer<typeof listAnswerSchema>;
