import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import {
  EtcdOpsError,
  holdObjects,
  mergeDeltas,
  openStore,
  planMerges,
  readInventory,
  type MergedDelta,
  type MergeJob,
  makeScratch,
} from '@etcd-ops/core';
import { identitiesOf, packingOf, type IdentityOptions, type PackingOptions } from '../options/packing-options.ts';
import type { RepositoryOptions, UploadOptions } from '../options/repository-options.ts';
import { parseDuration } from '../options/values.ts';
import { cancelOnSignal } from '../output/cancel-on-signal.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { ProgressLine, type ProgressMode } from '../output/progress-line.ts';
import { formatBytes, formatCount, formatDuration, renderTable } from '../output/table.ts';
import { storeSpec } from '../restore/store-spec.ts';

export interface MergeOptions extends RepositoryOptions, Partial<UploadOptions>, PackingOptions, IdentityOptions {
  windows: string[];
  settle: number;
  maxBytes: number;
  dryRun: boolean;
  tempDir?: string;
  output: 'table' | 'json';
  progress: ProgressMode;
}

/** @throws EtcdOpsError NOTHING_TO_DO; DamagedObjectError naming a delta that keeps its window from being merged. */
export async function runMerge(options: MergeOptions): Promise<void> {
  using cancel = cancelOnSignal();
  const { signal } = cancel;
  const store = await openStore(storeSpec(options));
  const cluster = options.clusterName;
  await using _hold = options.dryRun ? undefined : await holdObjects(store, { cluster, purpose: 'merge' });
  const inventory = await readInventory(store, cluster, { signal });
  const policy = { windowsMs: windowsOf(options), settleMs: options.settle, bytesMax: options.maxBytes };
  const jobs = planMerges(inventory, policy, Date.now());
  if (jobs.length === 0) {
    throw new EtcdOpsError('NOTHING_TO_DO', {
      message: `${options.clusterName} has no window that is over and holds more than one delta`,
    });
  }
  if (options.dryRun) return emit(jobs, [], options);
  const identities = await identitiesOf(options);
  const { recipients, codec, compressionLevel } = await packingOf(options);
  // Without the flag, merged deltas are as those that they are made of.
  const packing = { recipients, ...(options.enableCompression ? { codec, compressionLevel } : {}) };
  await using scratch = await makeScratch(resolve(options.tempDir ?? tmpdir()));
  const line = new ProgressLine(process.stderr, options.progress);
  const total = jobs.reduce((sum, { bytes }) => sum + bytes, 0);
  const merged: MergedDelta[] = [];
  let before = 0;
  try {
    for (const job of jobs) {
      const onBytes = (done: number): void => line.update('merge', before + done, total);
      merged.push(await mergeDeltas(job, { store, scratchDir: scratch.path, identities, ...packing, signal, onBytes }));
      before += job.bytes;
    }
    line.clear();
    emit(jobs, merged, options);
  } finally {
    line.clear();
  }
}

function windowsOf({ windows }: MergeOptions): number[] {
  return windows.map((text) => {
    try {
      return parseDuration(text);
    } catch (cause) {
      throw new EtcdOpsError('USAGE', { message: `--windows ${text}: a duration looks like 5m or 1h`, cause });
    }
  });
}

function emit(jobs: readonly MergeJob[], merged: readonly MergedDelta[], { output, dryRun }: MergeOptions): void {
  const windows = jobs.map(({ timeline, windowMs, first, last, inputs, bytes }, index) => {
    const made = merged[index];
    const done = made === undefined ? {} : { key: made.key, mergedBytes: made.bytes, rows: made.rows };
    return { timeline, windowMs, first, last, inputs: inputs.length, bytes, ...done };
  });
  if (output === 'json') return emitJson({ dryRun, windows });
  const rows = windows.map(({ timeline, windowMs, first, last, inputs, bytes, mergedBytes }) => [
    String(timeline),
    formatDuration(windowMs),
    `${formatCount(first)} to ${formatCount(last)}`,
    formatCount(inputs),
    formatBytes(bytes),
    mergedBytes === undefined ? 'would be merged' : formatBytes(mergedBytes),
  ]);
  emitText(renderTable(['timeline', 'window', 'revisions', 'deltas', 'their size', 'merged'], rows));
}
