import { describeError, EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import { DeltaCoverage } from '../repository/coverage.ts';
import { readInventory, type Inventory } from '../repository/inventory.ts';
import { clusterRecordKey, timelineRecordKey } from '../repository/object-key.ts';
import { encodeClusterRecord, encodeTimelineRecord } from '../repository/repository-records.ts';
import { DamagedObjectError } from '../restore/damaged-object.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { adoptDelta, type AdoptTarget, type ImportSource } from './adopt-delta.ts';
import { adoptFull, importIdOf, type ForeignFull } from './adopt-full.ts';
import type { ForeignObject, ForeignRepository } from './foreign-repository.ts';

/** A snapshot to be imported: out of a repository of another tool, or a file that stands alone (whose `last` is 0: unknown). */
export type ImportItem = ({ kind: 'full'; last: number } & ForeignFull) | (ForeignObject & { kind: 'delta' });

export interface ImportJob {
  source: ImportSource;
  items: readonly ImportItem[];
}

/**
 * All snapshots of a foreign repository, each timeline's fulls before its deltas: what was broken off holds a full then, whose manifest
 * says that an import made it. Deltas of a timeline without a full are of no use and left out.
 */
export function importItemsOf({ objects }: ForeignRepository): ImportItem[] {
  const fulls = objects.filter(({ kind }) => kind === 'full');
  const timelines = new Set(fulls.map(({ timeline }) => timeline));
  const deltas = objects.filter(({ timeline }) => timelines.has(timeline)).filter(isDelta);
  return [
    ...fulls.map((object) => ({ ...object, kind: 'full' as const, createdAtMs: object.createdSeconds * 1000 })),
    ...deltas,
  ];
}

function isDelta(object: ForeignObject): object is ForeignObject & { kind: 'delta' } {
  return object.kind === 'delta';
}

export interface ImportStep {
  item: ImportItem;
  /** `there`: an import before this one has done it. */
  action: 'import' | 'there';
}

export interface ImportReport {
  fulls: number;
  deltas: number;
  /** Were there already. */
  there: number;
  rows: number;
  /** Left out. */
  damaged: { key: string; problem: string }[];
}

/**
 * What an import has to do. Only a repository that is empty, or that imports made, takes one: imported revisions would otherwise come
 * to lie among those that capture wrote.
 * @throws EtcdOpsError TARGET_OCCUPIED, STORE_..., CANCELLED.
 */
export async function planImport(job: ImportJob, { store, cluster, signal }: AdoptTarget): Promise<ImportStep[]> {
  const inventory = await readInventory(store, cluster, { signal });
  requireOwn(inventory, store);
  const there = new Set(
    inventory.timelines
      .flatMap(({ fulls }) => fulls.map(({ manifest }) => manifest.taskId))
      .filter((id) => id !== undefined),
  );
  const coverage = new Map(inventory.timelines.map(({ timeline, deltas }) => [timeline, new DeltaCoverage(deltas)]));
  return job.items.map((item) => {
    const isThere =
      item.kind === 'full'
        ? there.has(importIdOf(item.key))
        : (coverage.get(item.timeline)?.runs ?? []).some(({ from, to }) => from <= item.first && item.last <= to);
    return { item, action: isThere ? 'there' : 'import' };
  });
}

function requireOwn(inventory: Inventory, store: ObjectStore): void {
  const captured = inventory.timelines.find(
    ({ fulls, deltas }) =>
      fulls.some(({ manifest }) => manifest.cause !== 'import') || (fulls.length === 0 && deltas.length > 0),
  );
  if (captured === undefined) return;
  throw new EtcdOpsError('TARGET_OCCUPIED', {
    message: `${inventory.cluster} in ${store.description} holds backups of its own`,
    remedy: 'Import under another --cluster-name, such as one that ends in -before; or import before capture begins.',
  });
}

/**
 * Carries a plan out, object by object: what is damaged is left out and told, the rest goes on. Broken off, it goes on where it was the
 * next time.
 * @throws EtcdOpsError STORE_..., DISK_FAILED, CANCELLED.
 */
export async function importSnapshots(
  job: ImportJob,
  plan: readonly ImportStep[],
  target: AdoptTarget,
  options: { nowMs: number; onStep?: (done: number, total: number) => void },
): Promise<ImportReport> {
  const report: ImportReport = { fulls: 0, deltas: 0, there: 0, rows: 0, damaged: [] };
  await writeRecords(plan, target, options.nowMs);
  for (const [index, { item, action }] of plan.entries()) {
    options.onStep?.(index, plan.length);
    if (action === 'there') {
      report.there++;
      continue;
    }
    try {
      if (item.kind === 'full') {
        await adoptFull(job.source, item, target);
        report.fulls++;
      } else {
        report.rows += (await adoptDelta(job.source, item, target)).rows;
        report.deltas++;
      }
    } catch (error) {
      if (!(error instanceof DamagedObjectError)) throw error;
      report.damaged.push({ key: item.key, problem: describeError(error) });
    }
  }
  return report;
}

async function writeRecords(
  plan: readonly ImportStep[],
  { store, cluster, clusterId, signal }: AdoptTarget,
  nowMs: number,
): Promise<void> {
  const options = { ifAbsent: true, ...(signal === undefined ? {} : { signal }) };
  const id = clusterId.toString(16);
  const now = new Date(nowMs).toISOString();
  const record = encodeClusterRecord({ version: 1, kind: 'cluster', cluster, clusterId: id, createdAt: now });
  await putOnce(store, clusterRecordKey(cluster), record, options);
  const timelines = [...new Set(plan.map(({ item }) => item.timeline))].toSorted((left, right) => left - right);
  for (const timeline of timelines) {
    const own = plan.filter(({ item }) => item.timeline === timeline).map(({ item }) => item);
    const before = plan.filter(({ item }) => item.timeline === timeline - 1).map(({ item }) => item);
    const started = Math.min(...own.map(createdMsOf));
    const facts = {
      version: 1,
      kind: 'timeline',
      timeline,
      clusterId: id,
      startedAt: new Date(started).toISOString(),
    } as const;
    const previous = Math.max(0, ...before.map(({ last }) => last));
    const bytes = encodeTimelineRecord(
      timeline === 1
        ? { ...facts, startedAtRevision: 0, cause: 'first' }
        : {
            ...{ ...facts, startedAtRevision: Math.min(...own.map(({ last }) => last)), cause: 'fork' },
            ...{ previousTimeline: timeline - 1, previousRevision: previous },
          },
    );
    await putOnce(store, timelineRecordKey(cluster, timeline), bytes, options);
  }
}

/** What is there stays: the first import wrote it. */
async function putOnce(
  store: ObjectStore,
  key: string,
  bytes: Buffer,
  options: { ifAbsent: boolean; signal?: AbortSignal },
): Promise<void> {
  try {
    await store.put(key, bytes, options);
  } catch (error) {
    if (!isEtcdOpsError(error, 'STORE_EXISTS')) throw error;
  }
}

function createdMsOf(item: ImportItem): number {
  return 'createdSeconds' in item ? item.createdSeconds * 1000 : item.createdAtMs;
}
