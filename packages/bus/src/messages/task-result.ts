import { z } from 'zod';
import { failureSchema } from './failure.ts';
import { isoTimeSchema, nameSchema } from './task-base.ts';

/** One line of the audit trail: what a task changed, or that it was given up. */
export const taskResultSchema = z.object({
  version: z.literal(1),
  taskId: nameSchema,
  kind: nameSchema,
  cluster: nameSchema,
  cause: z.string().max(256).exactOptional(),
  tick: isoTimeSchema.exactOptional(),
  startedAt: isoTimeSchema,
  finishedAt: isoTimeSchema,
  attempt: z.number().int().min(1),
  ok: z.boolean(),
  /** Facts of the kind: keys written, revisions, bytes. */
  summary: z.record(z.string(), z.unknown()),
  failure: failureSchema.exactOptional(),
  /** Who did it: the name of the process. */
  worker: z.string().max(256),
});
export type TaskResult = z.infer<typeof taskResultSchema>;
