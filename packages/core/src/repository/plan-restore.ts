import { EtcdOpsError } from '../base/errors.ts';
import { capturedLater, describeLater, newestNotRestorable } from './captured-later.ts';
import { chains, rangesOf } from './coverage.ts';
import { chooseDeltas } from './choose-deltas.ts';
import { reachedMsOf } from './full-times.ts';
import type { DeltaEntry, FullEntry, Inventory, LeaseEntry, TimelineInventory } from './inventory.ts';
import { noBackup, revisionNotRestorable } from './not-restorable.ts';
import { parseObjectKey } from './object-key.ts';
import { plannedLeases } from './planned-leases.ts';
import { groupDoubts } from './proof-doubts.ts';
import { markedKeys } from './read-retention-records.ts';
import { describeTimeBehindEnd } from './time-behind-end.ts';
import { describeResolved, resolveTimeByPoints } from './time-points.ts';

const NOTHING: TimelineInventory = { timeline: 0, fulls: [], deltas: [] };

export type RestoreTarget =
  | { kind: 'latest'; timeline?: number }
  | { kind: 'revision'; revision: number; timeline?: number }
  | { kind: 'time'; timeMs: number; timeline?: number }
  /** One full, as it is: the key of its data, or its last part. */
  | { kind: 'snapshot'; key: string };

export interface RestorePlan {
  cluster: string;
  timeline: number;
  /** The revision that the restored store will have. */
  revision: number;
  full: FullEntry;
  /** The revision is below S: the rows above it are cut off. */
  cutFull: boolean;
  /** In the order to apply them. They may overlap the full and each other: rows that are there already are skipped. */
  deltas: DeltaEntry[];
  /** Lease objects of the chain; their bytes are too few to count. Absent: none. */
  leases?: LeaseEntry[];
  bytesToFetch: number;
  /** An estimate: the full's file and all bytes of the deltas. */
  expectedDbBytes: number;
  /** What the operator should know before it starts. */
  warnings: string[];
  /** When `revision` had certainly been reached: the earliest known time of it, or of a later one. Absent when no time is known. */
  latestObservedMs?: number;
}

export interface PlanOptions {
  /** Keys that proved damaged or missing: the plan goes round them. */
  exclude?: ReadonlySet<string>;
  /** `latest` is the newest that can be restored, even where the listing shows that more was captured; then that is a warning. */
  allowOlder?: boolean | undefined;
}

/**
 * Chooses the objects that make the target: the nearest full at or below it with deltas (then the leases are known at the
 * target), else a full above it whose upper rows are cut. Pure: a time is resolved as far as names go, to the end of a
 * delta (`resolveTime` looks into one).
 * @throws EtcdOpsError NO_BACKUP, REVISION_NOT_RESTORABLE, TIME_NOT_RESTORABLE, NEWEST_NOT_RESTORABLE (which name what can be had
 * instead), STORE_NOT_FOUND for an unknown snapshot.
 */
export function planRestore(inventory: Inventory, target: RestoreTarget, options: PlanOptions = {}): RestorePlan {
  const usable = without(inventory, options.exclude ?? new Set());
  const isFixed = target.kind === 'snapshot';
  const plan = roundDoubts(usable, planOf(usable, target, { inventory, ...options }), { isFixed });
  return roundMarks(usable, plan, { isFixed });
}

/**
 * A plan with an object that is marked for removal is replaced by one that nobody takes anything away from, if the same revision of
 * the same timeline can be made so, and without anything in doubt. Else it stays: a hold keeps the objects for as long as they are read.
 */
function roundMarks(inventory: Inventory, plan: RestorePlan, { isFixed }: { isFixed: boolean }): RestorePlan {
  const marked = new Set(inventory.retention?.marks.flatMap(markedKeys));
  const hit = [plan.full, ...plan.deltas].filter(({ key }) => marked.has(key));
  if (hit.length === 0) return plan;
  const avoided = new Set([...marked, ...(inventory.doubts ?? []).map(({ key }) => key)]);
  const timeline = without(inventory, avoided).timelines.find((found) => found.timeline === plan.timeline);
  const { revision } = plan;
  const isPossible = rangesOf(timeline ?? NOTHING).some(({ from, to }) => from <= revision && revision <= to);
  if (timeline === undefined || !isPossible || isFixed) {
    const warning = `${hit.length} of the objects that this needs are marked for removal, ${hit[0]!.key} among them: pin the revision if it is to stay.`;
    return { ...plan, warnings: [...plan.warnings, warning] };
  }
  const others = plan.warnings.filter((warning) => warning !== sayCut(plan.full, revision));
  return planAt(inventory, [timeline], timeline, revision, others);
}

/**
 * A plan with an object that a proof speaks against is replaced by one without any such object, if the same revision of the same
 * timeline can be made so. Else it stays, with a warning for each: whether to use them is the operator's choice.
 */
function roundDoubts(inventory: Inventory, plan: RestorePlan, { isFixed }: { isFixed: boolean }): RestorePlan {
  const doubts = inventory.doubts ?? [];
  const used = new Set([plan.full.key, ...plan.deltas.map(({ key }) => key)]);
  const hit = doubts.filter(({ key }) => used.has(key));
  if (hit.length === 0) return plan;
  const sound = without(inventory, new Set(doubts.map(({ key }) => key)));
  const timeline = sound.timelines.find((found) => found.timeline === plan.timeline);
  const { revision } = plan;
  const isPossible = rangesOf(timeline ?? NOTHING).some(({ from, to }) => from <= revision && revision <= to);
  if (timeline !== undefined && isPossible && !isFixed) {
    const round = groupDoubts(hit).map(({ key, reason }) => `${key} was not used: ${reason}.`);
    const others = plan.warnings.filter((warning) => warning !== sayCut(plan.full, revision));
    return planAt(sound, [timeline], timeline, revision, [...others, ...round]);
  }
  const warnings = groupDoubts(hit).map(
    ({ key, reason }) => `IN DOUBT: this plan needs ${key}, and ${reason}. \`verify --prove\` tells more.`,
  );
  return { ...plan, warnings: [...plan.warnings, ...warnings] };
}

/** `inventory`: with what is to be gone round, too. */
function planOf(
  usable: Inventory,
  target: RestoreTarget,
  { inventory, allowOlder }: PlanOptions & { inventory: Inventory },
): RestorePlan {
  if (target.kind === 'snapshot') return planSnapshot(usable, target.key);
  const timelines = timelinesFor(usable, target.timeline);
  switch (target.kind) {
    case 'latest': {
      const timeline = timelines[0]!;
      const revision = rangesOf(timeline).at(-1)!.to;
      const place = { timeline: timeline.timeline, revision };
      const later = capturedLater(inventory, place, { only: target.timeline !== undefined });
      if (later !== undefined && allowOlder !== true) throw newestNotRestorable(later);
      const begun = target.timeline === undefined ? begunWarnings(usable, timeline) : [];
      const warnings = later === undefined ? begun : [`More was captured than this: ${describeLater(later)}.`];
      return planAt(usable, timelines, timeline, revision, warnings);
    }
    case 'revision':
      return planRevision(usable, timelines, target.revision);
    case 'time': {
      const { timeMs } = target;
      const resolved = resolveTimeByPoints(timelines, timeMs);
      const only = target.timeline !== undefined;
      const behind = describeTimeBehindEnd(inventory, timelines, resolved, { timeMs, only });
      const timeline = timelines.find((found) => found.timeline === resolved.timeline)!;
      const warnings = [...describeResolved(resolved), ...behind];
      const plan = planAt(usable, timelines, timeline, resolved.revision, warnings);
      return { ...plan, latestObservedMs: resolved.observedMs };
    }
  }
}

/** The inventory as if some objects were not there. */
export function without(inventory: Inventory, exclude: ReadonlySet<string>): Inventory {
  if (exclude.size === 0) return inventory;
  const timelines = inventory.timelines.map((timeline) => ({
    ...timeline,
    fulls: timeline.fulls.filter(({ key }) => !exclude.has(key)),
    deltas: timeline.deltas.filter(({ key }) => !exclude.has(key)),
  }));
  return { ...inventory, timelines };
}

/** Timelines with at least one full, newest first. */
export function timelinesFor(inventory: Inventory, timeline: number | undefined): TimelineInventory[] {
  const found = inventory.timelines.filter(
    (one) => one.fulls.length > 0 && (timeline === undefined || one.timeline === timeline),
  );
  if (found.length === 0) throw noBackup(inventory, timeline);
  return found.toReversed();
}

function planRevision(inventory: Inventory, timelines: readonly TimelineInventory[], revision: number): RestorePlan {
  const able = timelines.filter((timeline) =>
    rangesOf(timeline).some(({ from, to }) => from <= revision && revision <= to),
  );
  if (able.length === 0) throw revisionNotRestorable(timelines, revision);
  const others = able.slice(1).map(({ timeline }) => timeline);
  const warning = `Timeline ${others.join(', ')} holds a revision ${revision} too; this is that of timeline ${able[0]!.timeline}, the newest.`;
  return planAt(inventory, timelines, able[0]!, revision, others.length === 0 ? [] : [warning]);
}

function planAt(
  inventory: Inventory,
  timelines: readonly TimelineInventory[],
  timeline: TimelineInventory,
  revision: number,
  warnings: readonly string[],
): RestorePlan {
  const all = chains(timeline);
  // Fulls come by revision, then time: the last is the nearest, and of several at one revision the newest.
  const base = all.findLast(({ full, to }) => full.revision <= revision && revision <= to);
  if (base !== undefined) {
    const deltas = chooseDeltas(timeline.deltas, base.full.revision, revision);
    // The chain's end was computed from the very deltas that are chosen from here.
    if (deltas === undefined) throw revisionNotRestorable(timelines, revision);
    return buildPlan(inventory, timeline, base.full, deltas, revision, warnings);
  }
  const cut = all.find(({ full, from }) => from <= revision && revision < full.revision);
  if (cut === undefined) throw revisionNotRestorable(timelines, revision);
  return buildPlan(inventory, timeline, cut.full, [], revision, [...warnings, sayCut(cut.full, revision)]);
}

function sayCut(full: FullEntry, revision: number): string {
  return `The full of revision ${full.revision} is cut at ${revision}: leases that ended between them are unknown, auth is that of ${full.revision}.`;
}

function planSnapshot(inventory: Inventory, key: string): RestorePlan {
  for (const timeline of inventory.timelines) {
    const full = timeline.fulls.find((found) => found.key === key || found.key.endsWith(`/${key}`));
    if (full !== undefined) return buildPlan(inventory, timeline, full, [], full.revision, []);
  }
  const damage = inventory.damaged.find((found) => found.key === key || found.key === `${key}.json`);
  if (damage !== undefined) {
    throw new EtcdOpsError('OBJECT_DAMAGED', {
      message: `The full ${key} cannot be used: ${damage.reason}`,
      facts: { key },
    });
  }
  if (inventory.timelines.every(({ fulls }) => fulls.length === 0)) throw noBackup(inventory);
  const kind = parseObjectKey(key)?.kind;
  const hint = kind === 'delta' || kind === 'manifest' ? `; it names a ${kind}` : '';
  throw new EtcdOpsError('STORE_NOT_FOUND', {
    message: `Cluster ${inventory.cluster} has no full snapshot ${key}${hint}`,
    remedy: '`list` shows the fulls; give the key of one.',
    facts: { key, cluster: inventory.cluster },
  });
}

function buildPlan(
  inventory: Inventory,
  timeline: TimelineInventory,
  full: FullEntry,
  deltas: DeltaEntry[],
  revision: number,
  warnings: readonly string[],
): RestorePlan {
  const deltaBytes = deltas.reduce((sum, delta) => sum + delta.bytes, 0);
  const lastDelta = deltas.at(-1);
  const endMs = lastDelta === undefined ? reachedMsOf(full) : lastDelta.lastObservedMs;
  const leases = plannedLeases(timeline, { from: full.revision, to: revision, deltas });
  const isExact = revision === (lastDelta?.last ?? full.revision) && endMs > 0;
  const observedMs = isExact ? endMs : earliestBehind(timeline, revision);
  return {
    cluster: inventory.cluster,
    timeline: timeline.timeline,
    revision,
    full,
    cutFull: revision < full.revision,
    deltas,
    ...(leases.length === 0 ? {} : { leases }),
    bytesToFetch: full.bytes + deltaBytes,
    expectedDbBytes: full.manifest.plainBytes + deltaBytes,
    warnings: [...warnings],
    ...(observedMs === undefined ? {} : { latestObservedMs: observedMs }),
  };
}

/** The earliest known time at which a revision or a later one had been reached. */
function earliestBehind({ fulls, deltas }: TimelineInventory, revision: number): number | undefined {
  const behind = [
    ...fulls.filter((full) => full.revision >= revision).map(reachedMsOf),
    ...deltas
      .filter(({ last, lastObservedMs }) => last >= revision && lastObservedMs > 0)
      .map((one) => one.lastObservedMs),
  ];
  return behind.reduce<number | undefined>(
    (least, timeMs) => (least === undefined ? timeMs : Math.min(least, timeMs)),
    undefined,
  );
}

/** Newer timelines that hold nothing yet. */
function begunWarnings(inventory: Inventory, { timeline }: TimelineInventory): string[] {
  return inventory.timelines
    .filter((found) => found.timeline > timeline)
    .map(
      (found) =>
        `Timeline ${found.timeline} has begun, but holds nothing yet: this is the end of timeline ${timeline}.`,
    );
}
