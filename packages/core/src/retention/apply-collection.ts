import { randomBytes } from 'node:crypto';
import { isEtcdOpsError } from '../base/errors.ts';
import { clusterPrefix } from '../repository/object-key.ts';
import { markedKeys, readRetentionRecords, type RetentionRecords } from '../repository/read-retention-records.ts';
import { retentionRecordId, retentionRecordKey } from '../repository/retention-key.ts';
import { encodeMark, MARK_KEYS_MAX, type MarkRecord } from '../repository/retention-records.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { livePins, recordsOf, type Collection, type CollectionOptions } from './collect.ts';
import type { RetentionDecision } from './plan-retention.ts';
import { removeObjects, type RefusedRemoval, type RemovedObjects } from './remove-objects.ts';
import { liveHolds, stageRemoval } from './stage-removal.ts';

/** Holds and pins are looked at again after so many removals. */
const REMOVALS_BETWEEN_LOOKS = 200;

export interface CollectionReport {
  marked: RetentionDecision[];
  removed: RetentionDecision[];
  refused: RefusedRemoval[];
  /** Not tried any more, since the store refused one after the other. */
  untried: number;
  /** A pin was made while this ran: the rest is left to the next run, which plans with it. */
  pinnedMeanwhile: boolean;
  /** What dead writers had left behind: temporary files, parts of uploads. */
  swept: number;
  /** Pins that ended and holds that nobody renewed, taken away. */
  recordsRemoved: number;
}

export interface ApplyCollectionOptions extends CollectionOptions {
  /** Called when all objects of a decision are gone. */
  onRemoved?: (decision: RetentionDecision) => void;
  /** Takes away what dead writers left behind, and answers how many things went; by default the store does. */
  sweep?: () => Promise<number>;
}

/**
 * Carries a collection out, in two phases over two runs: what is not marked yet is marked now; what was marked long enough ago,
 * is still to go, and is not being read, goes now. The marks are in the store before the holds are read, and a reader's hold is
 * there before it reads the marks: one of the two sees the other (docs/decisions, "Removal in two phases").
 *
 * May die at any moment, and may run beside another one: each run plans anew.
 * @throws EtcdOpsError STORE_..., MANIFEST_DAMAGED, CANCELLED; what was done until then stays done.
 */
export async function applyCollection(
  collection: Collection,
  options: ApplyCollectionOptions,
): Promise<CollectionReport> {
  const { store, cluster, signal } = options;
  const report: CollectionReport = {
    marked: collection.stage.mark,
    removed: [],
    refused: [],
    untried: 0,
    pinnedMeanwhile: false,
    swept: 0,
    recordsRemoved: 0,
  };
  await writeMarks(store, cluster, collection.stage.mark, options.now());
  if (collection.stage.remove.length > 0 || (options.graceMs === 0 && report.marked.length > 0)) {
    await removeDue(collection, options, report);
  }
  // The clock before the reading: what is renewed while the records are read must not look ended.
  const nowMs = options.now();
  const records = await readRetentionRecords(store, cluster, { signal });
  await tidyMarks(collection, records, options, report);
  report.recordsRemoved = await removeEndedRecords(records, nowMs, store);
  report.swept = await (options.sweep ?? (async () => await sweepStore(options)))();
  signal?.throwIfAborted();
  return report;
}

async function writeMarks(
  store: ObjectStore,
  cluster: string,
  decisions: readonly RetentionDecision[],
  nowMs: number,
): Promise<void> {
  const prefix = clusterPrefix(cluster);
  const keys = decisions.flatMap((decision) => decision.keys.map((key) => key.slice(prefix.length)));
  for (let start = 0; start < keys.length; start += MARK_KEYS_MAX) {
    await putMark(store, newMarkKey(cluster, nowMs), {
      version: 1,
      kind: 'mark',
      cluster,
      markedAt: new Date(nowMs).toISOString(),
      keys: keys.slice(start, start + MARK_KEYS_MAX),
    });
  }
}

function newMarkKey(cluster: string, nowMs: number): string {
  return retentionRecordKey({
    kind: 'mark',
    cluster,
    id: retentionRecordId(nowMs, randomBytes(4).toString('hex')),
  });
}

async function putMark(store: ObjectStore, key: string, record: MarkRecord): Promise<void> {
  await store.put(key, encodeMark(record));
}

async function removeDue(
  { inventory, plan }: Collection,
  options: ApplyCollectionOptions,
  report: CollectionReport,
): Promise<void> {
  const { store, cluster, graceMs, signal, onRemoved } = options;
  const known = new Set(recordsOf(inventory).pins.map(({ key }) => key));
  const done = new Set<RetentionDecision>();
  for (;;) {
    const records = await readRetentionRecords(store, cluster, { signal });
    const nowMs = options.now();
    if (livePins(records, nowMs).some(({ key }) => !known.has(key))) {
      report.pinnedMeanwhile = true;
      return;
    }
    const due = stageRemoval(plan, records, { nowMs, graceMs }).remove.filter((decision) => !done.has(decision));
    const batch = due.slice(0, REMOVALS_BETWEEN_LOOKS);
    if (batch.length === 0) return;
    for (const decision of batch) done.add(decision);
    const result: RemovedObjects = await removeObjects(store, batch, { signal, onRemoved });
    report.removed.push(...result.removed);
    report.refused.push(...result.refused);
    if (result.untried.length > 0) {
      report.untried = result.untried.length + due.length - batch.length;
      return;
    }
  }
}

/** Marks follow the plan: what has gone or shall stay after all is not marked any more, and what was refused is noted. */
async function tidyMarks(
  { plan }: Collection,
  records: RetentionRecords,
  options: ApplyCollectionOptions,
  report: CollectionReport,
): Promise<void> {
  const { store, cluster } = options;
  const gone = new Set(report.removed);
  const wanted = new Set(plan.remove.filter((decision) => !gone.has(decision)).flatMap(({ keys }) => keys));
  const staying = new Set(plan.keep.flatMap(({ keys }) => keys));
  const refusedKeys = new Set(report.refused.flatMap(({ decision }) => decision.keys));
  const at = new Date(options.now()).toISOString();
  const prefix = clusterPrefix(cluster);
  for (const mark of records.marks) {
    const keys = markedKeys(mark);
    const left = keys.filter((key) => wanted.has(key));
    if (left.length === 0) {
      await store.delete([mark.key]);
      continue;
    }
    const refused = left.filter((key) => refusedKeys.has(key));
    // Some of its keys may have gone: that is said by the listing. Only what shall stay must not look doomed.
    const isStale = keys.some((key) => staying.has(key));
    if (refused.length === 0 && !isStale) continue;
    const before = new Map((mark.record.refused ?? []).map((one) => [prefix + one.key, one]));
    for (const key of refused) {
      before.set(key, { key: key.slice(prefix.length), at, times: (before.get(key)?.times ?? 0) + 1 });
    }
    const noted = [...before].filter(([key]) => wanted.has(key)).map(([, one]) => one);
    await putMark(store, mark.key, {
      ...mark.record,
      keys: left.map((key) => key.slice(prefix.length)),
      ...(noted.length === 0 ? {} : { refused: noted }),
    });
  }
  for (const { key, kind } of records.damaged) if (kind === 'mark') await store.delete([key]);
}

/** Pins that have ended and holds that nobody renewed: by records read just now, since removing may have taken longer than a hold lasts. */
async function removeEndedRecords(records: RetentionRecords, nowMs: number, store: ObjectStore): Promise<number> {
  const pins = new Set(livePins(records, nowMs));
  const holds = new Set(liveHolds(records, nowMs));
  const ended = [
    ...records.pins.filter((pin) => !pins.has(pin)),
    ...records.holds.filter(({ record }) => !holds.has(record)),
  ].map(({ key }) => key);
  for (const key of ended) await store.delete([key]);
  return ended.length;
}

/** A store that does not allow it keeps nobody from collecting garbage. */
async function sweepStore({ store, cluster, orphanGraceMs, now, signal }: ApplyCollectionOptions): Promise<number> {
  if (store.sweepAbandoned === undefined) return 0;
  try {
    return await store.sweepAbandoned(clusterPrefix(cluster), {
      olderThanMs: orphanGraceMs,
      nowMs: now(),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    if (isEtcdOpsError(error, 'CANCELLED')) throw error;
    return 0;
  }
}
