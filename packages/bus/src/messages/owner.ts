import { z } from 'zod';
import { isoTimeSchema, nameSchema } from './task-base.ts';

/** Which watcher captures a cluster. Only spreads the work: the stream's fence is what is relied on. */
export const ownerSchema = z.object({
  version: z.literal(1),
  /** Unique per process. */
  watcher: nameSchema,
  since: isoTimeSchema,
});
export type Owner = z.infer<typeof ownerSchema>;
