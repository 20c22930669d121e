import { reachedMsOf, seenMsOf } from './full-times.ts';
import type { DeltaEntry, FullEntry, Inventory, TimelineInventory } from './inventory.ts';

/**
 * The rule of all planning (docs/FORMAT.md, "What is restorable"). In one timeline:
 *
 *     restorable(R)  <=>  some full has C <= R <= S,
 *                         or some full has S < R <= D, where deltas cover every revision of (S, D].
 */
export interface Chain {
  full: FullEntry;
  /** Lowest restorable revision: C, at least 1. */
  from: number;
  /** D: the end of the contiguous deltas above S; S when there are none. */
  to: number;
}

export interface RestorableRange {
  timeline: number;
  from: number;
  to: number;
  /** When `from` had certainly been reached, and when the cluster was last seen in the range. Absent when no time is known. */
  fromTimeMs?: number;
  toTimeMs?: number;
}

/** Revisions of a timeline that cannot be restored although some before them can. */
export interface Gap {
  timeline: number;
  /** The restorable revision before the gap; the gap begins at the next one. */
  after: number;
  /** The restorable revision behind the gap, or undefined when none follows. */
  before: number | undefined;
  /** The highest revision known to exist inside of the gap: deltas hold it, but nothing they could follow. */
  capturedTo?: number;
}

/** Which revisions the deltas of one timeline cover, as runs without a hole. */
export class DeltaCoverage {
  readonly runs: { from: number; to: number }[] = [];

  /** `deltas` by ascending first revision. */
  constructor(deltas: readonly Pick<DeltaEntry, 'first' | 'last'>[]) {
    for (const { first, last } of deltas) {
      const run = this.runs.at(-1);
      if (run === undefined || first > run.to + 1) this.runs.push({ from: first, to: last });
      else run.to = Math.max(run.to, last);
    }
  }

  /** The end of the run that holds the revision after `revision`; `revision` itself when no delta holds that. */
  reachFrom(revision: number): number {
    let low = 0;
    let high = this.runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.runs[middle]!.to > revision) high = middle;
      else low = middle + 1;
    }
    const run = this.runs[low];
    return run !== undefined && run.from <= revision + 1 ? run.to : revision;
  }
}

/** One chain for each full, in the order of the fulls. */
export function chains(timeline: TimelineInventory): Chain[] {
  const coverage = new DeltaCoverage(timeline.deltas);
  return timeline.fulls.map((full) => ({ full, from: lowestRevision(full), to: coverage.reachFrom(full.revision) }));
}

/** C, counted from 1: what was never compacted is whole from the first revision on. */
export function lowestRevision(full: FullEntry): number {
  return Math.max(full.manifest.compactRevision, 1);
}

/** All that can be restored, timeline by timeline, as ranges that neither touch nor overlap. */
export function restorableRanges(inventory: Inventory): RestorableRange[] {
  return inventory.timelines.flatMap(rangesOf);
}

export function rangesOf(timeline: TimelineInventory): RestorableRange[] {
  const ranges: RestorableRange[] = [];
  for (const { from, to } of chains(timeline).sort((left, right) => left.from - right.from)) {
    const last = ranges.at(-1);
    if (last === undefined || from > last.to + 1) ranges.push({ timeline: timeline.timeline, from, to });
    else last.to = Math.max(last.to, to);
  }
  return withTimes(ranges, timeline);
}

/** What lies between the restorable ranges of each timeline, and deltas behind the last one that follow nothing. */
export function gaps(inventory: Inventory): Gap[] {
  return inventory.timelines.flatMap((timeline) => gapsOf(timeline, rangesOf(timeline)));
}

export function gapsOf(timeline: TimelineInventory, ranges: readonly RestorableRange[]): Gap[] {
  // The farthest revision of all deltas up to one: they ascend by their first.
  const reach: number[] = [];
  for (const { last } of timeline.deltas) reach.push(Math.max(last, reach.at(-1) ?? 0));
  return ranges.flatMap((range, index): Gap[] => {
    const before = ranges[index + 1]?.from;
    const count = firstIndex(timeline.deltas.length, (at) => timeline.deltas[at]!.first >= (before ?? Infinity));
    const captured = reach[count - 1] ?? 0;
    if (before === undefined && captured <= range.to) return [];
    const gap = { timeline: timeline.timeline, after: range.to, before };
    return [captured > range.to ? { ...gap, capturedTo: Math.min(captured, (before ?? Infinity) - 1) } : gap];
  });
}

/** The earliest and the latest time that is known in each range; ranges ascend and lie apart. */
function withTimes(ranges: readonly RestorableRange[], timeline: TimelineInventory): RestorableRange[] {
  const times = ranges.map(() => ({ fromTimeMs: Infinity, toTimeMs: 0 }));
  const note = (revision: number, reachedMs: number, seenMs = reachedMs): void => {
    const index = firstIndex(ranges.length, (at) => ranges[at]!.to >= revision);
    const found = times[index];
    if (reachedMs <= 0 || found === undefined || ranges[index]!.from > revision) return;
    found.fromTimeMs = Math.min(found.fromTimeMs, reachedMs);
    found.toTimeMs = Math.max(found.toTimeMs, seenMs);
  };
  for (const full of timeline.fulls) note(full.revision, reachedMsOf(full), seenMsOf(full) ?? 0);
  for (const { last, lastObservedMs } of timeline.deltas) note(last, lastObservedMs);
  return ranges.map((range, index) => {
    const { fromTimeMs, toTimeMs } = times[index]!;
    return {
      ...range,
      ...(fromTimeMs === Infinity ? {} : { fromTimeMs }),
      ...(toTimeMs === 0 ? {} : { toTimeMs }),
    };
  });
}

/** The first of so many indexes of which something holds that holds of all after it, too; their count when it holds of none. */
function firstIndex(count: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
