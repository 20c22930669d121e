import { SEALED_DIGEST } from '@etcd-ops/core';
import { z } from 'zod';
import { digestSchema, isoTimeSchema, revisionSchema, timelineSchema } from './task-base.ts';

/** How far a cluster's events are durable in its repository. */
export const positionSchema = z.object({
  version: z.literal(1),
  timeline: timelineSchema,
  revision: revisionSchema,
  /** RevisionDigest of the rows of `revision`, sealed when it was learned of an encrypted delta; null when unknown. */
  digest: z.union([digestSchema, z.string().regex(SEALED_DIGEST)]),
  /** The last stream sequence that is covered. */
  sequence: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  deltaKey: z.string().max(1024).exactOptional(),
  updatedAt: isoTimeSchema,
});
export type Position = z.infer<typeof positionSchema>;
