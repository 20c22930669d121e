import { z } from 'zod';
import { isoTimeSchema, nameSchema } from './task-base.ts';

/** How far a task is; core NATS, may be lost. */
export const progressSchema = z.object({
  version: z.literal(1),
  taskId: nameSchema,
  kind: nameSchema,
  cluster: nameSchema,
  phase: z.string().max(64),
  bytesDone: z.number().min(0),
  bytesTotal: z.number().min(0).exactOptional(),
  bytesPerSecond: z.number().min(0).exactOptional(),
  at: isoTimeSchema,
});
export type Progress = z.infer<typeof progressSchema>;
