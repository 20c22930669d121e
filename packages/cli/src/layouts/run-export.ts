import {
  EtcdOpsError,
  exportChain,
  LocalStore,
  noBackup,
  openStore,
  planExport,
  readForeignRepository,
  readInventory,
  type ExportCodec,
  type ExportLink,
  type ForeignLayout,
  type Inventory,
  type ObjectStore,
  type TimelineInventory,
} from '@etcd-ops/core';
import { identitiesOf, type IdentityOptions } from '../options/packing-options.ts';
import type { RepositoryOptions, UploadOptions } from '../options/repository-options.ts';
import { cancelOnSignal } from '../output/cancel-on-signal.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { ProgressLine, type ProgressMode } from '../output/progress-line.ts';
import { formatBytes, formatCount, formatNumberOf, renderTable } from '../output/table.ts';
import { openChosenStore } from '../restore/chosen-store.ts';
import { storeSpec } from '../restore/store-spec.ts';

export interface ExportOptions extends RepositoryOptions, Partial<UploadOptions>, IdentityOptions {
  layout?: ForeignLayout;
  toDir?: string;
  toBucket?: string;
  toClusterName?: string;
  revision?: number;
  newest: boolean;
  timeline?: number;
  codec: ExportCodec;
  deltaBytes: number;
  dryRun: boolean;
  output: 'table' | 'json';
  progress: ProgressMode;
}

/** @throws EtcdOpsError NO_BACKUP, REVISION_NOT_RESTORABLE, NOTHING_TO_DO, TARGET_OCCUPIED; DamagedObjectError. */
export async function runExport(options: ExportOptions): Promise<void> {
  const { layout } = options;
  if (layout === undefined) {
    throw new EtcdOpsError('USAGE', { message: 'Nothing says in whose form: give --layout seed or --layout gardener' });
  }
  using cancel = cancelOnSignal();
  const { signal } = cancel;
  const source = await openChosenStore(options);
  const target = await targetOf(options);
  const folder = options.toClusterName ?? options.clusterName;
  const timeline = timelineOf(await readInventory(source, options.clusterName, { signal }), options.timeline);
  const there = await readForeignRepository(target, folder, { layout, signal });
  const upTo = options.revision ?? Infinity;
  requireBase(timeline, upTo);
  const links = planExport(timeline, { upTo, onlyNewest: options.newest, target: there });
  const work = links.filter(({ writesFull, reached, to }) => writesFull || reached < to);
  if (work.length === 0) {
    throw new EtcdOpsError('NOTHING_TO_DO', {
      message: `${target.description} has all of it up to ${links.at(-1)!.to}`,
    });
  }
  if (options.dryRun) return emitPlan(work, options);
  const identities = await identitiesOf(options);
  const line = new ProgressLine(process.stderr, options.progress);
  const end = work.at(-1)!.to;
  try {
    const report = await exportChain(work, {
      ...{ source, timeline, target, folder, layout, identities, signal },
      ...{ codec: options.codec, deltaBytesMax: options.deltaBytes },
      onRevision: (revision) => line.update('export', revision, end),
    });
    line.clear();
    if (options.output === 'json') return emitJson({ dryRun: false, layout, revision: end, ...report });
    const { fulls, deltas, bytes } = report;
    emitText(
      `Wrote ${formatNumberOf(fulls, 'full')} and ${formatNumberOf(deltas, 'delta')}, ${formatBytes(bytes)}, up to revision ${formatCount(end)} into ${folder}/ in ${target.description}`,
    );
  } finally {
    line.clear();
  }
}

async function targetOf(options: ExportOptions): Promise<ObjectStore> {
  const { toDir, toBucket } = options;
  if (toDir !== undefined) return new LocalStore(toDir);
  if (toBucket !== undefined) return await openStore(storeSpec({ ...options, bucket: toBucket }));
  throw new EtcdOpsError('USAGE', {
    message: 'Nothing says where it is to be written',
    remedy: 'Give --to-dir or --to-bucket.',
  });
}

function timelineOf(inventory: Inventory, wanted: number | undefined): TimelineInventory {
  const found = inventory.timelines.findLast(
    ({ timeline, fulls }) => fulls.length > 0 && (wanted === undefined || timeline === wanted),
  );
  if (found === undefined) throw noBackup(inventory, wanted);
  return found;
}

/** Their restore cuts no full: it must end at or below what is asked for. */
function requireBase({ fulls, timeline }: TimelineInventory, upTo: number): void {
  const lowest = fulls[0]!.revision;
  if (lowest <= upTo) return;
  throw new EtcdOpsError('REVISION_NOT_RESTORABLE', {
    message: `The first full of timeline ${timeline} is at revision ${lowest}, above ${upTo}: the other tools cannot begin below it`,
    remedy: `Ask for --revision ${lowest} or more; \`etcd-ops restore\` itself reaches below.`,
  });
}

function emitPlan(links: readonly ExportLink[], { output }: ExportOptions): void {
  const planned = links.map(({ full, writesFull, reached, to }) => {
    const deltas = reached < to ? { deltasFrom: reached + 1, deltasTo: to } : {};
    return { full: full.key, revision: full.revision, writesFull, ...deltas };
  });
  if (output === 'json') return emitJson({ dryRun: true, links: planned });
  const rows = planned.map(({ full, writesFull, deltasFrom, deltasTo }) => [
    full,
    writesFull ? 'would be written' : 'is there',
    deltasFrom === undefined ? '' : `${formatCount(deltasFrom)} to ${formatCount(deltasTo)}`,
  ]);
  emitText(renderTable(['full', 'export', 'revisions as deltas'], rows));
}
