import { z } from 'zod';
import { revisionSchema, timelineSchema } from './task-base.ts';

const onTimeline = { timeline: timelineSchema.exactOptional() };
/** etcd takes keys of any length below its limit of a request. */
export const keySchema = z.string().min(1).max(65_536);

/** Which moment of a cluster is meant; the same words as planRestore takes, and a deletion that is looked for first. */
export const restoreTargetSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('latest'), ...onTimeline }),
  z.strictObject({ kind: z.literal('revision'), revision: revisionSchema.min(1), ...onTimeline }),
  z.strictObject({
    kind: z.literal('time'),
    timeMs: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
    ...onTimeline,
  }),
  z.strictObject({ kind: z.literal('snapshot'), key: z.string().min(1).max(1024) }),
  z.strictObject({ kind: z.literal('before-delete'), key: keySchema, ...onTimeline }),
  z.strictObject({ kind: z.literal('before-delete-prefix'), prefix: keySchema, ...onTimeline }),
]);
export type RestoreTarget = z.infer<typeof restoreTargetSchema>;
