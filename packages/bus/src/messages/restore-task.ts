import { z } from 'zod';
import { restoreOptionsShape } from './restore-options.ts';
import { restoreTargetSchema } from './restore-target.ts';
import { isoTimeSchema, nameSchema, taskBaseShape } from './task-base.ts';

/**
 * The highest version of a restore task. A reader passes over fields that it does not know, and a worker that passed over `leases: drop` would
 * restore something else: so a task that uses what version 1 had not says 2, and older workers leave it to newer ones.
 */
export const RESTORE_TASK_VERSION = 2;

/** Restore into data directories below the worker's configured roots. Names only: the store comes from the spec. */
export const restoreTaskSchema = z.object({
  ...taskBaseShape,
  version: z.literal([1, RESTORE_TASK_VERSION]),
  kind: z.literal('restore'),
  requestId: nameSchema,
  to: restoreTargetSchema,
  /** A worker that has come later than this does not begin it: nobody expects it any more. */
  startBefore: isoTimeSchema.exactOptional(),
  ...restoreOptionsShape,
});
export type RestoreTask = z.infer<typeof restoreTaskSchema>;

/** 1 where a worker of version 1 would do the same. */
export function versionOfRestore(task: Omit<RestoreTask, 'version'>): RestoreTask['version'] {
  const { to, leases, bumpRevision, markCompacted, safeBump, clearAlarms, destination } = task;
  const isNewMoment = to.kind.startsWith('before-delete') || (to.kind === 'latest' && to.timeline !== undefined);
  const changes = [leases, bumpRevision, markCompacted, safeBump, clearAlarms, destination];
  return isNewMoment || changes.some((value) => value !== undefined) ? RESTORE_TASK_VERSION : 1;
}
