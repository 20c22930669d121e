import { z } from 'zod';
import { failureSchema } from './failure.ts';
import { isoTimeSchema, nameSchema, revisionSchema, timelineSchema } from './task-base.ts';

/** How a capture does, as of the last renewal of its owner. */
export const captureFactsSchema = z.object({
  at: isoTimeSchema,
  /** True while rows are captured; else what is waited for. */
  watching: z.boolean(),
  waitsFor: z.string().max(4096).exactOptional(),
  timeline: timelineSchema.exactOptional(),
  /** The last one that is in the event stream. */
  revision: revisionSchema.exactOptional(),
  /** The newest that etcd named. */
  headRevision: revisionSchema.exactOptional(),
  /** For how long the oldest revision that is not captured yet has been known; 0 when all are. */
  lagMs: z.number().int().min(0).exactOptional(),
  /** TTLs of leases that etcd is being asked for; absent: none. */
  ttlsAsked: z.number().int().min(0).exactOptional(),
  /** TTLs that are in the event stream, and not known to be stored; absent: none. */
  ttlsWaiting: z.number().int().min(0).exactOptional(),
  /** Why the last session ended that did not end well. */
  failure: failureSchema.extend({ at: isoTimeSchema }).exactOptional(),
});
export type CaptureFacts = z.infer<typeof captureFactsSchema>;

/** Which watcher captures a cluster. Only spreads the work: the stream's fence is what is relied on. */
export const ownerSchema = z.object({
  version: z.literal(1),
  /** Unique per process. */
  watcher: nameSchema,
  since: isoTimeSchema,
  capture: captureFactsSchema.exactOptional(),
});
export type Owner = z.infer<typeof ownerSchema>;
