import { integerSetting } from '@etcd-ops/service-kit';
import { z } from 'zod';

/** Of this process; what belongs to one cluster stands in its spec. */
export const maintainerSettings = z.object({
  /** Clusters that are defragmented at the same time; inside a cluster it is always one member. */
  maintainerConcurrency: integerSetting({ min: 1, max: 64, default: 1 }),
  /** Clusters that are asked for witnesses at the same time; mostly it is waiting until a compaction has ended. */
  maintainerWitnessConcurrency: integerSetting({ min: 1, max: 1_024, default: 64 }),
  /** A member is left alone unless at least this share of its file would be freed, whatever the bytes. */
  maintainerReclaimPercentMin: integerSetting({ min: 0, max: 100, default: 20 }),
  maintainerLagEntriesMax: integerSetting({ min: 0, max: 1_000_000, default: 1_000 }),
  /** How long the cluster may take to be well again after each step. */
  maintainerRecoveryTimeoutMs: integerSetting({ min: 1_000, max: 3_600_000, default: 60_000 }),
});

export type MaintainerSettings = z.output<typeof maintainerSettings>;
