import { DURATION_PATTERN } from '@etcd-ops/core';
import { z } from 'zod';
import { restoreOptionsShape } from './restore-options.ts';
import { keySchema, restoreTargetSchema } from './restore-target.ts';
import { isoTimeSchema, nameSchema, revisionSchema, timelineSchema } from './task-base.ts';

/** As the flags take it: `10s`, `1m30s`. */
const durationSchema = z.string().max(64).regex(DURATION_PATTERN, 'a duration as 60s or 1m30s');

/** At most one of them; none means the latest. `prefix: true` makes a prefix of `beforeDelete`, as `beforeDeletePrefix` says at once. */
const momentShape = {
  revision: revisionSchema.min(1).exactOptional(),
  time: isoTimeSchema.exactOptional(),
  snapshot: z.string().min(1).max(1024).exactOptional(),
  beforeDelete: keySchema.exactOptional(),
  prefix: z.boolean().exactOptional(),
  beforeDeletePrefix: keySchema.exactOptional(),
  timeline: timelineSchema.exactOptional(),
};

/**
 * `etcdops.restore`, and `etcdops.plan`, which says what the same request would do. The words are those of the flags of `etcd-ops restore`.
 * Requests are commands: an unknown field is refused, since a mistyped `revison` must not restore something else.
 */
export const restoreRequestSchema = z.strictObject({
  cluster: nameSchema,
  ...momentShape,
  pool: nameSchema.exactOptional(),
  /** So long may it wait for a restorer to come; 15m unless told. */
  startWithin: durationSchema.exactOptional(),
  /** For a single member: its directory; its name is then the only one in `initialCluster`, or `default`. */
  dataDir: z.string().min(1).max(4096).exactOptional(),
  ...restoreOptionsShape,
  dataDirs: restoreOptionsShape.dataDirs.exactOptional(),
  initialCluster: restoreOptionsShape.initialCluster.exactOptional(),
  /** The same as `leaseUnknownTtlSeconds`, as the flag takes it. */
  leaseUnknownTtl: durationSchema.exactOptional(),
});
export type RestoreRequest = z.infer<typeof restoreRequestSchema>;

/** Given at once; progress and result follow under the id. */
export const restoreAnswerSchema = z.object({
  id: nameSchema,
  target: restoreTargetSchema,
  /** When it counts as failed unless a restorer of its pool has come by then. */
  startBefore: isoTimeSchema.exactOptional(),
});
export type RestoreAnswer = z.infer<typeof restoreAnswerSchema>;
