import { EtcdOpsError } from '../base/errors.ts';
import type { FullEntry, Inventory } from '../repository/inventory.ts';
import { clusterRecordKey, manifestKey, parseObjectKey, timelineRecordKey } from '../repository/object-key.ts';
import { without } from '../repository/plan-restore.ts';
import type { ObjectInfo } from '../storage/object-store.ts';
import { scopeOfCopy, type CopiedTimeline, type CopyScope } from './copy-scope.ts';

export type CopyKind = 'full' | 'manifest' | 'delta' | 'leases' | 'document';

export interface CopyItem {
  kind: CopyKind;
  key: string;
  /** As listed in the source. */
  bytes: number;
  /** Of a full: SHA-256 of the stored bytes, in hex. Of a manifest: that of the full beside it. */
  sha256?: string;
  /** The data of a full that is there without its manifest: is it the same? Read before it is believed. */
  isInDoubt?: boolean;
}

export interface CopyPlan {
  /** To be done one after the other; what is in one may be done side by side. */
  stages: CopyItem[][];
  objects: number;
  bytes: number;
  /** What the target holds already. */
  present: { objects: number; bytes: number };
}

/** Both sides, as they were listed. */
export interface CopySides {
  source: { inventory: Inventory; objects: ReadonlyMap<string, ObjectInfo> };
  target: { inventory: Inventory; objects: ReadonlyMap<string, ObjectInfo> };
}

export interface CopyPlanOptions {
  scope: CopyScope;
  /** Keys of fulls, deltas and lease objects that stay behind. */
  exclude: ReadonlySet<string>;
  /** Deltas of the source that cannot be copied: those that such a one would stand for go along. */
  unusable?: ReadonlySet<string>;
  /** Pins that have not ended go along, with the whole repository. */
  pins: boolean;
  nowMs: number;
  /** For people: names the target in an error. */
  targetName: string;
}

/**
 * What is to be copied, in an order in which the target is a sound repository at every moment: newest chain first; of a chain the data
 * of the full, its manifest, the deltas behind it; documents last. Pure.
 * @throws EtcdOpsError NO_BACKUP; STORE_EXISTS when the target has another object under one of the names.
 */
export function planCopy(sides: CopySides, options: CopyPlanOptions): CopyPlan {
  const planner = new CopyPlanner(sides, options.targetName);
  const usable = without(sides.source.inventory, options.unusable ?? new Set());
  const timelines = scopeOfCopy(usable, options.scope).map(({ timeline, fulls, deltas, leases }) => ({
    timeline,
    fulls: fulls.filter(({ key }) => !options.exclude.has(key)),
    deltas: deltas.filter(({ key }) => !options.exclude.has(key)),
    leases: leases.filter(({ key }) => !options.exclude.has(key)),
  }));
  for (const timeline of timelines.toReversed()) addTimeline(planner, timeline);
  const documents = documentsOf(sides, timelines, options);
  planner.addStage(documents.map((key) => ({ kind: 'document', key })));
  return planner.finish();
}

function addTimeline(planner: CopyPlanner, { fulls, deltas, leases }: CopiedTimeline): void {
  let end = deltas.length;
  const byLast = deltas.toSorted((left, right) => left.last - right.last || left.first - right.first);
  for (const [index, full] of [...fulls.entries()].toReversed()) {
    planner.addFull(full);
    // What ends at or below this full needs an older one; what is older than all of them comes behind the oldest.
    const begin = index === 0 ? 0 : byLast.findIndex(({ last }) => last > full.revision);
    const start = begin === -1 ? end : Math.min(begin, end);
    planner.addStage(byLast.slice(start, end).map(({ key }) => ({ kind: 'delta', key })));
    end = start;
  }
  if (fulls.length === 0) planner.addStage(byLast.map(({ key }) => ({ kind: 'delta', key })));
  planner.addStage(leases.map(({ key }) => ({ kind: 'leases', key })));
}

/** The records of the timelines and of the cluster, proofs and witnesses of what is copied, pins. */
function documentsOf({ source }: CopySides, timelines: readonly CopiedTimeline[], options: CopyPlanOptions): string[] {
  const { cluster, retention } = source.inventory;
  const copiedTimelines = new Set(timelines.map(({ timeline }) => timeline));
  const copiedFulls = new Set(timelines.flatMap(({ fulls }) => fulls).map(fullId));
  const pins = (retention?.pins ?? []).filter(
    ({ record }) => record.until === undefined || Date.parse(record.until) > options.nowMs,
  );
  const livePins = new Set(options.pins && options.scope.kind === 'all' ? pins.map(({ key }) => key) : []);
  const wanted = [...source.objects.keys()].filter((key) => {
    const parsed = parseObjectKey(key);
    if (parsed?.kind === 'proof') return copiedFulls.has(fullId(parsed));
    if (parsed?.kind === 'witness') return copiedTimelines.has(parsed.timeline);
    return livePins.has(key);
  });
  const records = [...copiedTimelines].map((timeline) => timelineRecordKey(cluster, timeline));
  return [...records, clusterRecordKey(cluster), ...wanted].filter((key) => source.objects.has(key));
}

function fullId({ timeline, revision, createdAtMs }: Pick<FullEntry, 'timeline' | 'revision' | 'createdAtMs'>): string {
  return `${timeline}/${revision}/${createdAtMs}`;
}

class CopyPlanner {
  readonly #sides: CopySides;
  readonly #targetName: string;
  readonly #targetFulls: ReadonlyMap<string, FullEntry>;
  readonly #plan: CopyPlan = { stages: [], objects: 0, bytes: 0, present: { objects: 0, bytes: 0 } };

  constructor(sides: CopySides, targetName: string) {
    this.#sides = sides;
    this.#targetName = targetName;
    const fulls = sides.target.inventory.timelines.flatMap((timeline) => timeline.fulls);
    this.#targetFulls = new Map(fulls.map((full) => [full.key, full]));
  }

  addFull({ key, bytes, manifest }: FullEntry): void {
    const { source, target } = this.#sides;
    const sha256 = manifest.storedSha256;
    const record = manifestKey(key);
    const found = this.#targetFulls.get(key);
    if (target.objects.has(record) && found?.manifest.storedSha256 !== sha256) throw this.#isOther(record);
    const isThere = target.objects.has(key);
    if (isThere && target.objects.get(key)!.bytes !== bytes) throw this.#isOther(key);
    if (found !== undefined) {
      this.#isPresent(bytes);
      return this.#isPresent(source.objects.get(record)?.bytes ?? 0);
    }
    this.#add([{ kind: 'full', key, bytes, sha256, ...(isThere ? { isInDoubt: true } : {}) }]);
    this.#add([{ kind: 'manifest', key: record, bytes: source.objects.get(record)?.bytes ?? 0, sha256 }]);
  }

  addStage(items: readonly { kind: CopyKind; key: string }[]): void {
    const { source, target } = this.#sides;
    const missing: CopyItem[] = [];
    for (const { kind, key } of items) {
      const { bytes } = source.objects.get(key) ?? { bytes: 0 };
      const there = target.objects.get(key);
      if (there === undefined) missing.push({ kind, key, bytes });
      // The record of the cluster is written again when its configuration changes; the copy keeps the one it has.
      else if (there.bytes === bytes || parseObjectKey(key)?.kind === 'cluster') this.#isPresent(bytes);
      else throw this.#isOther(key);
    }
    this.#add(missing);
  }

  finish(): CopyPlan {
    return this.#plan;
  }

  #add(items: CopyItem[]): void {
    if (items.length === 0) return;
    this.#plan.stages.push(items);
    this.#plan.objects += items.length;
    this.#plan.bytes += items.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #isPresent(bytes: number): void {
    this.#plan.present.objects++;
    this.#plan.present.bytes += bytes;
  }

  #isOther(key: string): EtcdOpsError {
    return otherObject(key, this.#targetName);
  }
}

export function otherObject(key: string, targetName: string): EtcdOpsError {
  return new EtcdOpsError('STORE_EXISTS', {
    message: `${key} exists in ${targetName} and is another object than that of the source`,
    remedy:
      'Nothing was overwritten. Copy into an empty folder, or find out who else writes there: one repository has one writer and one origin.',
    facts: { key },
  });
}
