import {
  copyRepository,
  EtcdOpsError,
  openStore,
  retentionPolicyOf,
  storePlace,
  type CopyReport,
  type CopyScope,
  type ObjectStore,
  type RetentionPolicy,
  type StoreSpec,
} from '@etcd-ops/core';
import type { UploadOptions } from '../options/repository-options.ts';
import type { RetentionFlagOptions } from '../options/retention-options.ts';
import { repositoryOf, type TargetOptions } from '../options/target-options.ts';
import { cancelOnSignal } from '../output/cancel-on-signal.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { ProgressLine, type ProgressMode } from '../output/progress-line.ts';
import { formatBytes, formatCount, formatDuration, formatNumberOf } from '../output/table.ts';
import { chosenStoreSpec, type ChosenStoreOptions } from '../restore/chosen-store.ts';
import { storeSpec } from '../restore/store-spec.ts';
import { retentionZone } from '../retention/retention-zone.ts';
import { checkedRetention } from '../retention/run-gc.ts';

export interface CopyOptions
  extends
    ChosenStoreOptions,
    TargetOptions,
    Omit<RetentionFlagOptions, 'garbageCollectionGrace'>,
    Partial<Omit<UploadOptions, 'uploadBandwidth'>> {
  snapshot?: string;
  newest: boolean;
  since?: number;
  pins: boolean;
  keptOnly: boolean;
  timezone?: string;
  dryRun: boolean;
  parallel: number;
  bandwidth?: number;
  output: 'table' | 'json';
  progress: ProgressMode;
}

const SHOWN_MAX = 20;

/** @throws EtcdOpsError USAGE, CONFIG_INVALID; those of `copyRepository`; OBJECT_DAMAGED when objects of the source stayed behind. */
export async function runCopy(options: CopyOptions): Promise<void> {
  const { parallel, bandwidth, dryRun, pins, clusterName } = options;
  if (parallel < 1 || parallel > 64) throw new EtcdOpsError('USAGE', { message: '--parallel is a count from 1 to 64' });
  const specs = await specsOf(options);
  using cancel = cancelOnSignal();
  const [source, target] = [await openStore(specs.source), await openStore(specs.target)];
  const line = new ProgressLine(process.stderr, options.progress);
  const startedMs = performance.now();
  try {
    const report = await copyRepository({
      ...{ source, target, cluster: clusterName, scope: scopeOf(options), parallel, dryRun, pins },
      policy: await policyOf(source, options),
      signal: cancel.signal,
      bytesPerSecondMax: bandwidth,
      onProgress: ({ bytes, bytesTotal, objects, objectsTotal }) =>
        line.update(`copy ${objects}/${objectsTotal}`, bytes, bytesTotal),
    });
    line.clear();
    const places = { from: source.description, to: target.description };
    emit(report, { ...places, durationMs: Math.round(performance.now() - startedMs) }, options);
  } finally {
    line.clear();
    await Promise.all([source.close?.(), target.close?.()]);
  }
}

async function specsOf(options: CopyOptions): Promise<{ source: StoreSpec; target: StoreSpec }> {
  const { clusterName, toBucket } = options;
  if (toBucket === undefined) {
    throw new EtcdOpsError('USAGE', {
      message: 'Where to copy is not said',
      remedy: 'Give --to-bucket, and --to-storage-provider unless it is a folder.',
    });
  }
  const { minChunkSize: _, maxParallelChunkUploads: __, storeSse: ___, storeSseKmsKeyId: ____, ...read } = options;
  const to = { ...repositoryOf(options, { clusterName, bucket: toBucket }), ...partsOf(options) };
  const specs = { source: await chosenStoreSpec(read), target: storeSpec(to, 'to-') };
  if (storePlace(specs.source) === storePlace(specs.target)) {
    throw new EtcdOpsError('USAGE', {
      message: 'Source and target are the same place',
      remedy: 'Give another --to-bucket.',
    });
  }
  return specs;
}

function partsOf(options: CopyOptions): Partial<UploadOptions> {
  const { minChunkSize, maxParallelChunkUploads, storeSse, storeSseKmsKeyId } = options;
  return {
    ...(minChunkSize === undefined ? {} : { minChunkSize }),
    ...(maxParallelChunkUploads === undefined ? {} : { maxParallelChunkUploads }),
    ...(storeSse === undefined ? {} : { storeSse }),
    ...(storeSseKmsKeyId === undefined ? {} : { storeSseKmsKeyId }),
  };
}

/** As `gc` reads the same flags. */
async function policyOf(source: ObjectStore, options: CopyOptions): Promise<RetentionPolicy | undefined> {
  if (!options.keptOnly) return undefined;
  const timeZone = await retentionZone(source, options);
  return retentionPolicyOf({ ...checkedRetention({ ...options, garbageCollectionGrace: 0 }), timeZone });
}

function scopeOf({ snapshot, newest, since }: CopyOptions): CopyScope {
  if (snapshot !== undefined) return { kind: 'snapshot', key: snapshot };
  if (since !== undefined) return { kind: 'since', timeMs: since };
  return newest ? { kind: 'newest' } : { kind: 'all' };
}

function emit(
  report: CopyReport,
  facts: { from: string; to: string; durationMs: number },
  { output, dryRun }: CopyOptions,
): void {
  if (output === 'json') emitJson({ ...facts, dryRun, ...report });
  else emitText(render(report, facts, dryRun));
  const { damaged, cluster } = report;
  if (damaged.length === 0) return;
  throw new EtcdOpsError('OBJECT_DAMAGED', {
    message: `${formatNumberOf(damaged.length, 'object')} of ${cluster} in ${facts.from} cannot be trusted and stayed behind: ${damaged
      .slice(0, 3)
      .map(({ key }) => key)
      .join(', ')}`,
    remedy: 'All the rest is copied. `etcd-ops verify` says more about them.',
  });
}

function render(
  { planned, copied, present, damaged, incomplete, gone, foreign, holdProblem }: CopyReport,
  { from, to, durationMs }: { from: string; to: string; durationMs: number },
  dryRun: boolean,
): string {
  const amount = ({ objects, bytes }: { objects: number; bytes: number }): string =>
    `${formatCount(objects)} ${objects === 1 ? 'object' : 'objects'}, ${formatBytes(bytes)}`;
  const lines = [
    `${from} -> ${to}`,
    dryRun ? `would be copied: ${amount(planned)}` : `copied: ${amount(copied)}, in ${formatDuration(durationMs)}`,
    `there already: ${amount(present)}`,
    ...damaged.slice(0, SHOWN_MAX).map(({ key, reason }) => `damaged, left behind: ${key}: ${reason}`),
    ...incomplete.slice(0, SHOWN_MAX).map(({ key, missing }) => `without its ${missing}, left behind: ${key}`),
    ...gone.slice(0, SHOWN_MAX).map((key) => `removed by retention meanwhile: ${key}`),
  ];
  if (foreign > 0) lines.push(`of somebody else, left behind: ${formatNumberOf(foreign, 'file')}`);
  if (holdProblem !== undefined) {
    lines.push(`the source takes no hold (${holdProblem}): only the grace of its retention protects what is read`);
  }
  return lines.join('\n');
}
