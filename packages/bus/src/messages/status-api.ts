import { z } from 'zod';
import { failureSchema } from './failure.ts';
import { lastDoneSchema } from './last-done.ts';
import { ownerSchema } from './owner.ts';
import { positionSchema } from './position.ts';
import { isoTimeSchema, nameSchema } from './task-base.ts';

/** `etcdops.status`: of one cluster, or of all. */
export const statusRequestSchema = z.strictObject({ cluster: nameSchema.exactOptional() });
export type StatusRequest = z.infer<typeof statusRequestSchema>;

/** Something that went wrong and has not come right since. */
const standingFailureSchema = failureSchema.extend({
  /** `capture`, or the kind of the task. */
  of: z.string().min(1).max(64),
  at: isoTimeSchema,
  /** Attempts so far, where it is tried again. */
  attempts: z.number().int().min(1).exactOptional(),
});

/** What the spec of a cluster asks for; who reads it works out the next ticks. */
const schedulesSchema = z.object({
  timezone: z.string(),
  full: z.string(),
  /** 0: no deltas. */
  deltaPeriodMs: z.number().int().min(0),
  gcPeriodMs: z.number().int().min(1),
  /** Absent when nothing is defragmented. */
  defrag: z.string().exactOptional(),
});

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
      /** Further stores, as the spec has them. */
      destinations: z
        .array(
          z.object({
            name: nameSchema,
            store: z.string().max(2048),
            /** The last copy; its tick is that of the last good one: what was stored before it is there. */
            last: lastDoneSchema.exactOptional(),
            /** From that tick to the newest object in the store of the cluster; absent before the first good copy. */
            behindMs: z.number().min(0).exactOptional(),
          }),
        )
        .exactOptional(),
      schedules: schedulesSchema.exactOptional(),
      /** Newest first. */
      failures: z.array(standingFailureSchema).exactOptional(),
    }),
  ),
});
export type StatusAnswer = z.infer<typeof statusAnswerSchema>;
export type StandingFailure = z.infer<typeof standingFailureSchema>;
