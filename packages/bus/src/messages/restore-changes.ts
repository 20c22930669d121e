import { LEASE_MODES } from '@etcd-ops/core';
import { z } from 'zod';

/** What is changed in the restored state: the words of the flags of `etcd-ops restore`. Shared by requests and the task. */
export const restoreChangesShape = {
  /** renew (unless told): every lease has its whole TTL again. keep: what a checkpoint left it. drop: no leases, their keys stay for ever. */
  leases: z.enum(LEASE_MODES).exactOptional(),
  /** TTL of a lease that a key needs and whose own nobody recorded; 60 unless told. */
  leaseUnknownTtlSeconds: z.number().int().min(1).max(9_000_000_000).exactOptional(),
  /** Raises the revision by so many, as etcdutl does; with `markCompacted`. 0 is none. */
  bumpRevision: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).exactOptional(),
  /** All below the raised revision counts as compacted. */
  markCompacted: z.boolean().exactOptional(),
  /** Raises it so far that no watcher of the old cluster can have passed it; marks it compacted, too. */
  safeBump: z.boolean().exactOptional(),
  /** Leaves alarms away: NOSPACE would keep the new cluster read-only. */
  clearAlarms: z.boolean().exactOptional(),
};
