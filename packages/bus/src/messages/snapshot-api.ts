import { z } from 'zod';
import { nameSchema } from './task-base.ts';

/** `etcdops.snapshot`: a full now, or a flush of the waiting events into a delta. */
export const snapshotRequestSchema = z.strictObject({
  cluster: nameSchema,
  kind: z.enum(['full', 'delta']).default('full'),
});
export type SnapshotRequest = z.infer<typeof snapshotRequestSchema>;

export const snapshotAnswerSchema = z.object({ id: nameSchema, outcome: z.enum(['accepted', 'busy', 'duplicate']) });
export type SnapshotAnswer = z.infer<typeof snapshotAnswerSchema>;
