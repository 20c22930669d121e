import { z } from 'zod';
import { revisionSchema, timelineSchema } from './task-base.ts';

/** Which moment of a cluster is meant; the same words as planRestore takes. */
export const restoreTargetSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('latest') }),
  z.strictObject({
    kind: z.literal('revision'),
    revision: revisionSchema.min(1),
    timeline: timelineSchema.exactOptional(),
  }),
  z.strictObject({
    kind: z.literal('time'),
    timeMs: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
    timeline: timelineSchema.exactOptional(),
  }),
  z.strictObject({ kind: z.literal('snapshot'), key: z.string().min(1).max(1024) }),
]);
export type RestoreTarget = z.infer<typeof restoreTargetSchema>;
