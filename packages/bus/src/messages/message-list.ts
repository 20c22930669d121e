import type { z } from 'zod';
import { attemptSchema } from './attempt.ts';
import { clusterSpecSchema } from './cluster-spec.ts';
import { deadLetterSchema } from './dead-letter.ts';
import { jobAnswerSchema, jobRequestSchema } from './job-api.ts';
import { jobSchema } from './job.ts';
import { lastDoneSchema } from './last-done.ts';
import { listAnswerSchema, listRequestSchema } from './list-api.ts';
import { notificationSchema } from './notification.ts';
import { ownerSchema } from './owner.ts';
import { planAnswerSchema, planRequestSchema } from './plan-api.ts';
import { positionSchema } from './position.ts';
import { progressSchema } from './progress.ts';
import { restoreAnswerSchema, restoreRequestSchema } from './restore-api.ts';
import { snapshotAnswerSchema, snapshotRequestSchema } from './snapshot-api.ts';
import { statusAnswerSchema, statusRequestSchema } from './status-api.ts';
import { taskResultSchema } from './task-result.ts';
import { taskSchema } from './task.ts';
import { verifyAnswerSchema, verifyRequestSchema } from './verify-api.ts';

/** A message or document, and where it is found; docs/MESSAGES.md is made of it. */
export interface MessageDescription {
  title: string;
  schema: z.ZodType;
}

export const MESSAGES: readonly MessageDescription[] = [
  { title: '`etcdops.restore`, request', schema: restoreRequestSchema },
  { title: '`etcdops.restore`, answer', schema: restoreAnswerSchema },
  { title: '`etcdops.snapshot`, request', schema: snapshotRequestSchema },
  { title: '`etcdops.snapshot`, answer', schema: snapshotAnswerSchema },
  { title: '`etcdops.verify`, request', schema: verifyRequestSchema },
  { title: '`etcdops.verify`, answer', schema: verifyAnswerSchema },
  { title: '`etcdops.job`, request', schema: jobRequestSchema },
  { title: '`etcdops.job`, answer', schema: jobAnswerSchema },
  { title: '`etcdops.list`, request', schema: listRequestSchema },
  { title: '`etcdops.list`, answer', schema: listAnswerSchema },
  { title: '`etcdops.plan`, request', schema: planRequestSchema },
  { title: '`etcdops.plan`, answer', schema: planAnswerSchema },
  { title: '`etcdops.status`, request', schema: statusRequestSchema },
  { title: '`etcdops.status`, answer', schema: statusAnswerSchema },
  ...taskSchema.options.map((schema) => ({ title: `Task \`${schema.shape.kind.value}\``, schema })),
  { title: 'Progress, `etcdops.progress.>`', schema: progressSchema },
  { title: 'Result, `etcdops.done.>`', schema: taskResultSchema },
  { title: 'Dead letter, `etcdops.dead.>`', schema: deadLetterSchema },
  { title: 'Notification, to the webhook and the command of `notifications`', schema: notificationSchema },
  { title: 'Cluster, in `etcdops_clusters`', schema: clusterSpecSchema },
  { title: 'Owner, in `etcdops_owners`', schema: ownerSchema },
  { title: 'Position, `position.<cluster>` in `etcdops_state`', schema: positionSchema },
  { title: 'Last done, `last.<kind>.<cluster>` in `etcdops_state`', schema: lastDoneSchema },
  { title: 'Attempt, `attempt.<kind>.<cluster>` in `etcdops_state`', schema: attemptSchema },
  { title: 'Job, `<id>` in `etcdops_jobs`', schema: jobSchema },
];
