import type { ClusterSpec, TaskContext, TaskOutcome } from '@etcd-ops/bus';
import {
  describeError,
  holdObjects,
  isEtcdOpsError,
  mergeDeltas,
  planMerges,
  readInventory,
  type Identities,
  type MergedDelta,
  type MergeJob,
  type ObjectStore,
  type Recipients,
} from '@etcd-ops/core';
import type { Clock, Logger } from '@etcd-ops/service-kit';
import type { FailedMerges } from './failed-merges.ts';
import type { ProofMetrics } from './proof-metrics.ts';

export interface MergeTaskOptions {
  spec: ClusterSpec;
  store: ObjectStore;
  scratchDir: string;
  /** Encrypted deltas are opened, joined and encrypted again: that takes both. */
  identities?: Identities | undefined;
  recipients?: Recipients | undefined;
  logger: Logger;
  metrics: ProofMetrics;
  /** Outlives the tasks. */
  failed: FailedMerges;
  clock: Clock;
  context: Pick<TaskContext, 'signal' | 'progress'>;
}

/** What keeps one window from being merged, and says nothing about the others. */
const OF_ONE_WINDOW = [
  'DELTA_DAMAGED',
  'OBJECT_DAMAGED',
  'STORE_NOT_FOUND',
  'IDENTITY_MISSING',
  'CONFIG_INVALID',
  // Of other codecs than its first delta has, the whole may become larger than a delta may be.
  'LIMIT_EXCEEDED',
] as const;
/** Keys that a line of the history names. */
const KEYS_MAX = 8;

/**
 * Merges the deltas of all windows that are over. Deltas only: nothing is asked of the cluster, and nothing is removed; what a larger
 * delta makes superfluous, retention takes away.
 */
export async function runMergeTask({ spec, store, clock, context, ...rest }: MergeTaskOptions): Promise<TaskOutcome> {
  const { signal, progress } = context;
  const { windowsMs, settleMs, bytesMax } = spec.merging;
  // Where keys lie elsewhere, which is how it should be, encrypted deltas are not even fetched: that would be all of them, each time.
  const hasKeys = rest.identities !== undefined && rest.recipients !== undefined;
  let locked = 0;
  const plan = async (): Promise<MergeJob[]> => {
    const inventory = await readInventory(store, spec.name, { signal });
    const all = planMerges(inventory, { windowsMs, settleMs, bytesMax }, clock.now(), rest.failed.of(spec.name));
    const open = all.filter(({ inputs }) => hasKeys || inputs.every(({ encryption }) => encryption === undefined));
    locked = all.length - open.length;
    return open;
  };
  if ((await plan()).length === 0) {
    return { changed: false, summary: { windows: 0, merged: 0, ...(locked === 0 ? {} : { locked }) } };
  }
  // What is read must not be removed under our hands: only what is listed behind the hold counts.
  await using _hold = await holdObjects(store, { cluster: spec.name, purpose: 'merge' });
  const jobs = await plan();
  const bytesTotal = jobs.reduce((sum, { bytes }) => sum + bytes, 0);
  const merged: MergedDelta[] = [];
  let skipped = 0;
  let bytesDone = 0;
  for (const job of jobs) {
    const done = await mergeOne(job, store, { ...rest, context });
    if (done === undefined) skipped++;
    else merged.push(done);
    progress({ phase: 'merge', bytesDone: (bytesDone += job.bytes), bytesTotal });
  }
  const created = merged.filter(({ outcome }) => outcome === 'created');
  return {
    changed: created.length > 0 || skipped > 0,
    summary: {
      windows: jobs.length,
      merged: created.length,
      inputs: created.reduce((sum, { inputs }) => sum + inputs, 0),
      bytes: created.reduce((sum, { bytes }) => sum + bytes, 0),
      ...(skipped === 0 ? {} : { skipped }),
      ...(locked === 0 ? {} : { locked }),
      deltas: created.slice(-KEYS_MAX).map(({ key }) => key),
    },
  };
}

async function mergeOne(
  job: MergeJob,
  store: ObjectStore,
  {
    scratchDir,
    identities,
    recipients,
    logger,
    metrics,
    failed,
    context,
  }: Omit<MergeTaskOptions, 'spec' | 'store' | 'clock'>,
): Promise<MergedDelta | undefined> {
  const { cluster, first, last } = job;
  try {
    const merged = await mergeDeltas(job, { store, scratchDir, identities, recipients, signal: context.signal });
    failed.forget(job);
    if (merged.outcome === 'created') metrics.noteMerged(cluster, merged.bytes);
    const { key, inputs, inputBytes, bytes, rows, outcome } = merged;
    logger.info({ cluster, key, inputs, inputBytes, bytes, rows, outcome }, 'Deltas were merged');
    return merged;
  } catch (error) {
    // The others may still be merged; this window stays as it is, restorable from what lies there.
    if (!OF_ONE_WINDOW.some((code) => isEtcdOpsError(error, code))) throw error;
    failed.note(job, error);
    logger.warn({ cluster, first, last, reason: describeError(error) }, 'The deltas of a window could not be merged');
    return undefined;
  }
}
