import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  EtcdOpsError,
  importItemsOf,
  importSnapshots,
  LocalStore,
  openStore,
  planImport,
  readForeignRepository,
  type AdoptTarget,
  type ForeignLayout,
  type ImportJob,
  type ImportReport,
  type ImportStep,
  type ObjectStore,
  makeScratch,
} from '@etcd-ops/core';
import { packingOf, type PackingOptions } from '../options/packing-options.ts';
import type { RepositoryOptions, UploadOptions } from '../options/repository-options.ts';
import { cancelOnSignal } from '../output/cancel-on-signal.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { ProgressLine, type ProgressMode } from '../output/progress-line.ts';
import { formatCount, formatNumberOf, renderTable } from '../output/table.ts';
import { storeSpec } from '../restore/store-spec.ts';
import { listSnapshotFiles, snapshotFileSource } from './snapshot-files.ts';

export interface ImportOptions extends RepositoryOptions, Partial<UploadOptions>, PackingOptions {
  fromFiles?: string[];
  fromDir?: string;
  fromBucket?: string;
  fromClusterName?: string;
  layout: 'auto' | ForeignLayout;
  clusterId?: string;
  dryRun: boolean;
  tempDir?: string;
  output: 'table' | 'json';
  progress: ProgressMode;
}

const HEX_ID = /^(?:0x)?([0-9a-f]{1,16})$/i;
/** As etcdctl prints it: more digits than 64 bits have in hex. */
const DECIMAL_ID = /^\d{17,20}$/;

/** @throws EtcdOpsError NO_BACKUP, NOTHING_TO_DO, TARGET_OCCUPIED; OBJECT_DAMAGED when something had to be left out. */
export async function runImport(options: ImportOptions): Promise<void> {
  using cancel = cancelOnSignal();
  const { signal } = cancel;
  const clusterId = clusterIdOf(options);
  const packing = await packingOf(options);
  const job = await jobOf(options, signal);
  const store = await openStore(storeSpec(options));
  await using scratch = await makeScratch(resolve(options.tempDir ?? tmpdir()));
  const scratchDir = join(scratch.path, 'work');
  await mkdir(scratchDir);
  const target: AdoptTarget = { store, cluster: options.clusterName, clusterId, packing, scratchDir, signal };
  const plan = await planImport(job, target);
  if (plan.every(({ action }) => action === 'there')) {
    throw new EtcdOpsError('NOTHING_TO_DO', {
      message: `All ${plan.length} snapshots are in ${options.clusterName} already`,
    });
  }
  if (options.dryRun) return emitPlan(plan, options);
  const line = new ProgressLine(process.stderr, options.progress);
  try {
    const onStep = (done: number, total: number): void => line.update('import', done, total);
    const report = await importSnapshots(job, plan, target, { nowMs: Date.now(), onStep });
    line.clear();
    emitReport(report, options, store);
  } finally {
    line.clear();
  }
}

async function jobOf(options: ImportOptions, signal: AbortSignal): Promise<ImportJob> {
  const { fromFiles, fromClusterName = options.clusterName, layout } = options;
  if (fromFiles !== undefined) {
    const items = await listSnapshotFiles(fromFiles);
    if (items.length > 0) return { source: snapshotFileSource, items };
    throw new EtcdOpsError('NO_BACKUP', { message: `There is no snapshot in ${fromFiles.join(', ')}` });
  }
  const source = await sourceOf(options);
  const wanted = layout === 'auto' ? {} : { layout };
  const repository = await readForeignRepository(source, fromClusterName, { ...wanted, signal });
  const items = repository === undefined ? [] : importItemsOf(repository);
  if (items.length > 0) return { source, items };
  throw new EtcdOpsError('NO_BACKUP', {
    message: `${source.description} holds no full snapshot of another tool in ${fromClusterName}/`,
    remedy: 'Look for Backup-<date>/ or v2/: --from-cluster-name is the folder above it.',
  });
}

async function sourceOf(options: ImportOptions): Promise<ObjectStore> {
  const { fromDir, fromBucket } = options;
  if (fromDir !== undefined) return new LocalStore(fromDir);
  if (fromBucket !== undefined) return await openStore(storeSpec({ ...options, bucket: fromBucket }));
  throw new EtcdOpsError('USAGE', {
    message: 'Nothing says what is to be imported',
    remedy: 'Give --from-dir, --from-bucket or --from-files.',
  });
}

function clusterIdOf({ clusterId = '0' }: ImportOptions): bigint {
  const hex = HEX_ID.exec(clusterId)?.[1];
  const id = hex !== undefined ? BigInt(`0x${hex}`) : DECIMAL_ID.test(clusterId) ? BigInt(clusterId) : undefined;
  if (id !== undefined && BigInt.asUintN(64, id) === id) return id;
  throw new EtcdOpsError('USAGE', {
    message: `--cluster-id ${clusterId}: an id is up to 16 hex digits, or the 17 to 20 digits of etcdctl`,
  });
}

function emitPlan(plan: readonly ImportStep[], { output }: ImportOptions): void {
  const steps = plan.map(({ item, action }) => ({
    ...{ key: item.key, kind: item.kind, timeline: item.timeline, action },
    ...(item.last === 0 ? {} : { revision: item.last }),
  }));
  if (output === 'json') return emitJson({ dryRun: true, steps });
  const rows = steps.map(({ key, kind, timeline, action, revision }) => [
    String(timeline),
    kind,
    revision === undefined ? '' : formatCount(revision),
    action === 'there' ? 'is there' : 'would be imported',
    key,
  ]);
  emitText(renderTable(['timeline', 'kind', 'to revision', 'import', 'snapshot'], rows));
}

function emitReport(report: ImportReport, { output, clusterName }: ImportOptions, store: ObjectStore): void {
  const { fulls, deltas, there, rows, damaged } = report;
  if (output === 'json') emitJson({ dryRun: false, ...report });
  else {
    const was = there === 0 ? '' : `, ${formatCount(there)} were there`;
    emitText(
      [
        `Imported ${formatNumberOf(fulls, 'full')} and ${formatNumberOf(deltas, 'delta')} of ${formatNumberOf(rows, 'row')} into ${clusterName} in ${store.description}${was}`,
        ...damaged.map(({ key, problem }) => `Left out, damaged: ${key}: ${problem}`),
      ].join('\n'),
    );
  }
  if (damaged.length === 0) return;
  throw new EtcdOpsError('OBJECT_DAMAGED', {
    message: `${formatNumberOf(damaged.length, 'snapshot')} could not be imported, ${damaged[0]!.key} among them`,
    remedy:
      'The others are imported. Keep the source until their time is over; `list` shows which revisions are missing.',
  });
}
