import { integerSetting } from '@etcd-ops/service-kit';
import { z } from 'zod';

const MIB = 1024 * 1024;

/** Of this process; schedules, their time zone and periods stand in each cluster's spec. All schedulers of a fleet should have the same. */
export const schedulerSettings = z.object({
  /** Fulls, garbage collections and defragmentations of a fleet are spread over so long behind their ticks. */
  schedulerJitterMsMax: integerSetting({ min: 0, max: 3_600_000, default: 60_000 }),
  /** A full is wanted once the deltas since the last one have so many bytes ... */
  schedulerChainBytesMin: integerSetting({ min: 1, max: Number.MAX_SAFE_INTEGER, default: 256 * MIB }),
  /** ... and so large a share of the full that they follow. */
  schedulerChainPercent: integerSetting({ min: 1, max: 10_000, default: 50 }),
  /** Garbage collection without a new full, for the rests of broken uploads. */
  schedulerGcRestsEveryMs: integerSetting({ min: 60_000, max: 31 * 86_400_000, default: 6 * 3_600_000 }),
  /** How often the stream of a cluster is looked at for a delta that cannot wait for its period. */
  schedulerBytesCheckMs: integerSetting({ min: 100, max: 60_000, default: 1_000 }),
});

export type SchedulerSettings = z.output<typeof schedulerSettings>;
