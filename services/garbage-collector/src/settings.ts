import { booleanSetting, integerSetting } from '@etcd-ops/service-kit';
import { z } from 'zod';

/** Of this process; what to keep stands in each cluster's spec. */
export const garbageCollectorSettings = z.object({
  /** Plans, tells and counts, but deletes nothing. */
  garbageCollectorDryRun: booleanSetting({ default: false }),
  /** Repositories at the same time. */
  garbageCollectorConcurrency: integerSetting({ min: 1, max: 64, default: 2 }),
  /** Destinations that are copied into at the same time: one that is slow or away takes one of them while it is tried. */
  copyConcurrencyMax: integerSetting({ min: 1, max: 64, default: 4 }),
  /** Halves of uploads may belong to an upload that still runs, until they are this old. */
  garbageCollectorOrphanGraceMs: integerSetting({ min: 60_000, max: 365 * 86_400_000, default: 86_400_000 }),
});

export type GarbageCollectorSettings = z.output<typeof garbageCollectorSettings>;
