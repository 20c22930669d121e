import type { Chain } from '../repository/coverage.ts';
import { reachedMsOf } from '../repository/full-times.ts';
import type { DeltaEntry, FullEntry, Inventory, TimelineInventory } from '../repository/inventory.ts';
import { RevisionSpans } from './revision-spans.ts';

/** What a point-in-time window needs of one timeline. */
export interface WindowNeed {
  /** Every revision from here on that could be restored must stay restorable. */
  from: number;
  /** Fulls that stay for it. */
  fulls: Set<string>;
  /** The restorable revisions from `from` on: deltas that hold any of them stay, for their rows or for their times. */
  restorable: { first: number; last: number }[];
  /** From the revision above each to the next `from`: deltas that lead from a full before the window into it. */
  leads: { first: number; last: number }[];
}

/**
 * Inside of the window the rules may thin out fulls; of each eighth of it the first stays. So no chain gets longer than that,
 * and what the window leaves behind can go in time: with one full at its beginning alone, its deltas never could.
 */
const SPANS = 8;

interface Point {
  revision: number;
  timeMs: number;
  full?: FullEntry;
  delta?: DeltaEntry;
}

/**
 * What must stay so that every revision and every moment younger than the window's beginning can be restored. A moment means
 * the newest revision that is surely not later, so the last state known before the window belongs to it.
 * @param chainsOf of each timeline of the inventory, in order.
 * @param startMs the beginning: ages are counted from each object's own time.
 * @returns by timeline; a timeline that ended before the window and was superseded before it has no entry.
 */
export function windowNeeds(
  inventory: Inventory,
  chainsOf: ReadonlyMap<number, readonly Chain[]>,
  { startMs, windowMs, keptFulls }: { startMs: number; windowMs: number; keptFulls: ReadonlySet<string> },
): Map<number, WindowNeed> {
  const needs = new Map<number, WindowNeed>();
  let isSuperseded = false;
  for (const timeline of inventory.timelines.toReversed()) {
    const chains = chainsOf.get(timeline.timeline) ?? [];
    if (chains.length === 0) continue;
    const { entry, before } = bordersOf(timeline, chains, startMs);
    if (entry === undefined && isSuperseded) continue;
    const from = beginOf(entry, before);
    if (from < Infinity) {
      const fulls = new Set([before?.full, entry?.full].flatMap((full) => (full === undefined ? [] : [full.key])));
      for (const key of firstOfSpans(timeline.fulls, { from, startMs, spanMs: windowMs / SPANS })) fulls.add(key);
      const restorable = chains.map((chain) => ({ first: Math.max(chain.from, from), last: chain.to }));
      const need: WindowNeed = { from, fulls, restorable, leads: [] };
      addBases(chains, need, keptFulls);
      needs.set(timeline.timeline, need);
    }
    const hasBegun = timeline.record === undefined || Date.parse(timeline.record.startedAt) <= startMs;
    if (before !== undefined && hasBegun) isSuperseded = true;
  }
  return needs;
}

/**
 * Of the restorable points of known time: the lowest that lies in the window, and the last one before that. Of several at one revision the
 * earliest counts, since the revision was there then.
 */
function bordersOf(
  timeline: TimelineInventory,
  chains: readonly Chain[],
  startMs: number,
): { entry?: Point; before?: Point } {
  const reached = new RevisionSpans(chains.map(({ from, to }) => ({ first: from, last: to })));
  const earliest = new Map<number, Point>();
  const add = (point: Point): void => {
    const known = earliest.get(point.revision);
    if (known === undefined || point.timeMs < known.timeMs) earliest.set(point.revision, point);
  };
  for (const full of timeline.fulls) add({ revision: full.revision, timeMs: reachedMsOf(full), full });
  for (const delta of timeline.deltas) {
    const isReached = reached.meets({ first: delta.last, last: delta.last });
    if (delta.lastObservedMs > 0 && isReached) add({ revision: delta.last, timeMs: delta.lastObservedMs, delta });
  }
  let entry: Point | undefined;
  for (const point of earliest.values()) {
    if (point.timeMs > startMs && point.revision < (entry?.revision ?? Infinity)) entry = point;
  }
  let before: Point | undefined;
  for (const point of earliest.values()) {
    if (point.revision < (entry?.revision ?? Infinity) && point.revision > (before?.revision ?? 0)) before = point;
  }
  return { ...(entry === undefined ? {} : { entry }), ...(before === undefined ? {} : { before }) };
}

/** Infinity where nothing lies in the window. Of revisions that nobody knows to be older, any may have come inside of it. */
function beginOf(entry: Point | undefined, before: Point | undefined): number {
  if (before === undefined) return entry === undefined ? Infinity : 0;
  return Math.min(before.revision, (entry?.delta?.first ?? Infinity) - 1);
}

/** By spans of the epoch, so that the same full is the first one tomorrow. */
function firstOfSpans(
  fulls: readonly FullEntry[],
  { from, startMs, spanMs }: { from: number; startMs: number; spanMs: number },
): string[] {
  const first = new Map<number, FullEntry>();
  for (const full of fulls) {
    const reachedMs = reachedMsOf(full);
    if (full.revision < from || reachedMs <= startMs) continue;
    const span = Math.floor(reachedMs / spanMs);
    const known = first.get(span);
    if (known === undefined || reachedMs < reachedMsOf(known)) first.set(span, full);
  }
  return [...first.values()].map(({ key }) => key);
}

/** Adds fulls until every restorable revision from `need.from` on has one to begin with. */
function addBases(chains: readonly Chain[], need: WindowNeed, keptFulls: ReadonlySet<string>): void {
  const isKept = ({ full }: Chain): boolean => keptFulls.has(full.key) || need.fulls.has(full.key);
  const covered = unionOf(chains.filter((chain) => isKept(chain) && chain.full.revision >= need.from));
  const byFrom = chains.toSorted((left, right) => left.from - right.from);
  const cursor = { below: 0, from: 0, cut: undefined as Chain | undefined };
  for (let revision = need.from; ;) {
    const next = nextRestorable(byFrom, revision, cursor, chains);
    if (next === undefined) return;
    const end = covered(next.revision);
    if (end !== undefined) {
      revision = end + 1;
      continue;
    }
    const { full, to } = next.chain;
    need.fulls.add(full.key);
    if (full.revision < next.revision) need.leads.push({ first: full.revision + 1, last: next.revision });
    revision = to + 1;
  }
}

/** Answers up to where a revision is covered without a hole; asked with ascending revisions only. */
function unionOf(chains: readonly Chain[]): (revision: number) => number | undefined {
  const runs: { from: number; to: number }[] = [];
  for (const { from, to } of chains.toSorted((left, right) => left.from - right.from)) {
    const last = runs.at(-1);
    if (last === undefined || from > last.to + 1) runs.push({ from, to });
    else last.to = Math.max(last.to, to);
  }
  let at = 0;
  return (revision) => {
    while (at < runs.length && runs[at]!.to < revision) at++;
    const run = runs[at];
    return run !== undefined && run.from <= revision ? run.to : undefined;
  };
}

/**
 * The lowest restorable revision at or above `revision`, and the chain that makes it best: the nearest full at or below, since
 * the leases are known then, else the full that reaches farthest. Asked with ascending revisions only.
 */
function nextRestorable(
  byFrom: readonly Chain[],
  revision: number,
  cursor: { below: number; from: number; cut: Chain | undefined },
  chains: readonly Chain[],
): { revision: number; chain: Chain } | undefined {
  for (let at = revision; ;) {
    while (cursor.below < chains.length && chains[cursor.below]!.full.revision <= at) cursor.below++;
    const base = chains[cursor.below - 1];
    if (base !== undefined && base.to >= at) return { revision: at, chain: base };
    for (; cursor.from < byFrom.length && byFrom[cursor.from]!.from <= at; cursor.from++) {
      const chain = byFrom[cursor.from]!;
      if (cursor.cut === undefined || chain.full.revision >= cursor.cut.full.revision) cursor.cut = chain;
    }
    if (cursor.cut !== undefined && cursor.cut.to >= at) return { revision: at, chain: cursor.cut };
    const next = byFrom[cursor.from];
    if (next === undefined) return undefined;
    at = next.from;
  }
}
