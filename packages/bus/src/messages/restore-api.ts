import { z } from 'zod';
import { restoreOptionsShape } from './restore-options.ts';
import { restoreTargetSchema } from './restore-target.ts';
import { isoTimeSchema, nameSchema, revisionSchema, timelineSchema } from './task-base.ts';

/**
 * `etcdops.restore`. At most one of revision, time, snapshot; none means the latest.
 * Requests are commands: an unknown field is refused, since a mistyped `revison` must not restore something else.
 */
export const restoreRequestSchema = z.strictObject({
  cluster: nameSchema,
  revision: revisionSchema.min(1).exactOptional(),
  time: isoTimeSchema.exactOptional(),
  snapshot: z.string().min(1).max(1024).exactOptional(),
  timeline: timelineSchema.exactOptional(),
  pool: nameSchema.exactOptional(),
  /** For a single member: its directory; its name is then the only one in `initialCluster`, or `default`. */
  dataDir: z.string().min(1).max(4096).exactOptional(),
  ...restoreOptionsShape,
  dataDirs: restoreOptionsShape.dataDirs.exactOptional(),
  initialCluster: restoreOptionsShape.initialCluster.exactOptional(),
});
export type RestoreRequest = z.infer<typeof restoreRequestSchema>;

/** Given at once; progress and result follow under the id. */
export const restoreAnswerSchema = z.object({ id: nameSchema, target: restoreTargetSchema });
export type RestoreAnswer = z.infer<typeof restoreAnswerSchema>;
