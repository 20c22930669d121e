import { describeError, EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import { chains, DeltaCoverage } from '../repository/coverage.ts';
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
  const there = new Map(
    inventory.timelines.flatMap(({ timeline, fulls }) => fulls.map(({ manifest }) => [manifest.taskId, timeline])),
  );
  const coverage = new Map(inventory.timelines.map(({ timeline, deltas }) => [timeline, new DeltaCoverage(deltas)]));
  const timelineOf = numberTimelines(job.items, inventory, there);
  return job.items.map((found) => {
    const item = { ...found, timeline: timelineOf.get(found.timeline)! };
    const isThere =
      item.kind === 'full'
        ? there.has(importIdOf(item.key))
        : (coverage.get(item.timeline)?.runs ?? []).some(({ from, to }) => from <= item.first && item.last <= to);
    return { item, action: isThere ? 'there' : 'import' };
  });
}

/**
 * Which timeline of ours each history of the source belongs to. The source may have lost its oldest snapshots since the last import, so
 * its own numbers do not last: a history is known by a full that was imported before. One that is not known goes on in the newest
 * timeline if it begins at or above its end, as a cluster that was not set back does; else it is a timeline of its own.
 */
function numberTimelines(
  items: readonly ImportItem[],
  { timelines }: Inventory,
  there: ReadonlyMap<string | undefined, number>,
): Map<number, number> {
  const numbers = new Map<number, number>();
  let newest = timelines.at(-1)?.timeline ?? 0;
  let end = Math.max(0, ...(timelines.at(-1) === undefined ? [] : chains(timelines.at(-1)!).map(({ to }) => to)));
  for (const timeline of [...new Set(items.map((item) => item.timeline))].toSorted((left, right) => left - right)) {
    const fulls = items.filter((item) => item.kind === 'full' && item.timeline === timeline);
    const known = fulls.map(({ key }) => there.get(importIdOf(key))).find((number) => number !== undefined);
    const begins = Math.min(...fulls.map(({ last }) => last));
    // Single files tell no revision before they are read.
    const goesOn = newest > 0 && numbers.size === 0 && (begins === 0 || begins >= end);
    const number = known ?? (goesOn ? newest : newest + 1);
    numbers.set(timeline, number);
    newest = Math.max(newest, number);
    end = Infinity;
  }
  return numbers;
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
