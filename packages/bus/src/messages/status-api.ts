import { z } from 'zod';
import { lastDoneSchema } from './last-done.ts';
import { ownerSchema } from './owner.ts';
import { positionSchema } from './position.ts';
import { nameSchema } from './task-base.ts';

/** `etcdops.status`: of one cluster, or of all. */
export const statusRequestSchema = z.strictObject({ cluster: nameSchema.exactOptional() });
export type StatusRequest = z.infer<typeof statusRequestSchema>;

export const statusAnswerSchema = z.object({
  clusters: z.array(
    z.object({
      cluster: nameSchema,
      owner: ownerSchema.exactOptional(),
      position: positionSchema.exactOptional(),
      /** Events that wait in NATS. */
      events: z
        .object({ messages: z.number().int(), bytes: z.number().int(), lastSequence: z.number().int() })
        .exactOptional(),
      /** By kind of task. */
      last: z.record(z.string(), lastDoneSchema),
    }),
  ),
});
export type StatusAnswer = z.infer<typeof statusAnswerSchema>;
