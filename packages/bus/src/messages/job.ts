import { z } from 'zod';
import { isoTimeSchema, nameSchema } from './task-base.ts';

/** What was asked for over the API: enough to find its task and what came of it, for a week. */
export const jobSchema = z.object({
  version: z.literal(1),
  id: nameSchema,
  kind: nameSchema,
  cluster: nameSchema,
  pool: nameSchema,
  acceptedAt: isoTimeSchema,
  /** Of a restore: when it is given up unless somebody of its pool has come. */
  startBefore: isoTimeSchema.exactOptional(),
});
export type Job = z.infer<typeof jobSchema>;
