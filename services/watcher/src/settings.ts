import { integerSetting } from '@etcd-ops/service-kit';
import { z } from 'zod';

const KIB = 1024;
const MIB = 1024 * KIB;

/** The watcher's own settings; each is a limit on something that would otherwise grow or wait for ever. */
export const watcherSettings = z.object({
  /** A frame is closed at the first revision border at or above this. */
  frameBytesTarget: integerSetting({ min: 1, max: 64 * MIB, default: 384 * KIB }),
  /** In a steady flow, one frame in this time: what comes meanwhile travels together. */
  lingerMs: integerSetting({ min: 0, max: 1_000, default: 5 }),
  /** Rows gathered in memory before the watch is paused. */
  gatheredBytesMax: integerSetting({ min: KIB, max: 1024 * MIB, default: 8 * MIB }),
  /** Above this mean size of a row, etcd is asked to split its responses (`fragment`). */
  fragmentRowBytesMin: integerSetting({ min: 0, max: 1024 * MIB, default: 4 * KIB }),
  /** Up to so many revisions behind, and so many bytes, one plain watch catches up. */
  plainRevisionsMax: integerSetting({ min: 1, max: 1_000_000, default: 10_000 }),
  plainBytesMax: integerSetting({ min: 1, max: 1024 * MIB, default: 16 * MIB }),
  /** Up to so many, segments on one stream; beyond, the uploader takes a full snapshot. */
  segmentsRevisionsMax: integerSetting({ min: 1, max: 10_000_000, default: 100_000 }),
  segmentsBytesMax: integerSetting({ min: 1, max: 1024 * MIB, default: 64 * MIB }),
  /** etcd sends up to 1,000 revisions in one batch: fewer in a segment would be sent and thrown away. */
  segmentRevisions: integerSetting({ min: 1, max: 1_000, default: 1_000 }),
  /** Segments asked for at a time: more end the catch-up sooner, with a longer pause for etcd's writers. */
  segmentsMax: integerSetting({ min: 1, max: 512, default: 64 }),
  /** Bytes of segments that wait for their turn. */
  segmentsWaitingBytesMax: integerSetting({ min: MIB, max: 1024 * MIB, default: 16 * MIB }),
  /** Mean bytes of a revision, as long as none was seen. */
  revisionBytesGuess: integerSetting({ min: 1, max: 64 * MIB, default: 4 * KIB }),
  /** A watch that was held back for so long is cancelled: etcd would keep its events in memory. */
  stalledMsMax: integerSetting({ min: 100, max: 600_000, default: 10_000 }),
  /** How often a full to catch up with is looked for, and how long after its own limit. */
  catchUpPollMs: integerSetting({ min: 10, max: 60_000, default: 500 }),
  catchUpGraceMs: integerSetting({ min: 1_000, max: 3_600_000, default: 120_000 }),
  leaseAsksMax: integerSetting({ min: 1, max: 1_000, default: 32 }),
  leaseAsksPerSecondMax: integerSetting({ min: 1, max: 100_000, default: 500 }),
  leasesKnownMax: integerSetting({ min: 1, max: 10_000_000, default: 200_000 }),
  leaseRecordsPerFrameMax: integerSetting({ min: 1, max: 16_384, default: 4_096 }),
  /** How long the first rows of a watch may take before the compact revision is asked for. */
  anchorWaitMs: integerSetting({ min: 10, max: 60_000, default: 1_000 }),
  /** How long they may take at all. */
  anchorWaitMsMax: integerSetting({ min: 100, max: 600_000, default: 30_000 }),
  reconnectDelayMs: integerSetting({ min: 1, max: 60_000, default: 250 }),
  reconnectDelayMsMax: integerSetting({ min: 1, max: 600_000, default: 5_000 }),
  /** How often the cluster is asked whether users or roles changed. */
  authPollMs: integerSetting({ min: 100, max: 86_400_000, default: 30_000 }),
  /** How often a busy queue is asked again to take a full snapshot that a new history needs. */
  fullRequestDelayMs: integerSetting({ min: 10, max: 600_000, default: 2_000 }),
  /** How often it is looked whether what was captured becomes durable. */
  durabilityCheckMs: integerSetting({ min: 100, max: 3_600_000, default: 30_000 }),
  /** At the end, what is gathered gets this long to reach the bus; etcd still has it if not. */
  flushTimeoutMs: integerSetting({ min: 0, max: 600_000, default: 5_000 }),
  ownerRenewMs: integerSetting({ min: 100, max: 60_000, default: 1_500 }),
  ownerContendMs: integerSetting({ min: 50, max: 60_000, default: 500 }),
});

export type WatcherSettings = z.output<typeof watcherSettings>;
