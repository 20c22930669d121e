import { restorableRanges, type RestorableRange } from '../repository/coverage.ts';
import { reachedMsOf } from '../repository/full-times.ts';
import type { Inventory } from '../repository/inventory.ts';
import { without } from '../repository/plan-restore.ts';
import type { RetentionDecision } from './plan-retention.ts';

export interface RetentionLosses {
  /** Revisions that could be restored before and cannot afterwards, with the times that are known in them. */
  lost: RestorableRange[];
  /** What can be restored afterwards. */
  left: RestorableRange[];
}

/** What becomes unrestorable when decisions are carried out. Pure. */
export function lossesOf(inventory: Inventory, removed: readonly RetentionDecision[]): RetentionLosses {
  const before = restorableRanges(inventory);
  if (removed.length === 0) return { lost: [], left: before };
  const left = restorableRanges(without(inventory, new Set(removed.flatMap(({ keys }) => keys))));
  const byTimeline = Map.groupBy(left, ({ timeline }) => timeline);
  const lost = before.flatMap((range) => subtract(range, byTimeline.get(range.timeline) ?? []));
  return { lost: withTimes(lost, inventory), left };
}

interface Span {
  timeline: number;
  from: number;
  to: number;
}

/** `ranges` ascending and apart from each other. */
function subtract({ timeline, from, to }: Span, ranges: readonly Span[]): Span[] {
  const rest: Span[] = [];
  let at = from;
  for (let index = firstEndingFrom(ranges, from); index < ranges.length && ranges[index]!.from <= to; index++) {
    const range = ranges[index]!;
    if (range.from > at) rest.push({ timeline, from: at, to: range.from - 1 });
    at = range.to + 1;
  }
  if (at <= to) rest.push({ timeline, from: at, to });
  return rest;
}

function firstEndingFrom(ranges: readonly Span[], revision: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]!.to >= revision) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The earliest and the latest time known in each span; spans ascend by timeline, then by revision. */
function withTimes(spans: readonly Span[], inventory: Inventory): RestorableRange[] {
  const byTimeline = Map.groupBy(spans, ({ timeline }) => timeline);
  return inventory.timelines.flatMap(({ timeline, fulls, deltas }) => {
    const own = byTimeline.get(timeline) ?? [];
    const ranges: RestorableRange[] = own.map((span) => ({ ...span }));
    const note = (revision: number, timeMs: number): void => {
      const range = ranges[firstEndingFrom(own, revision)];
      if (range === undefined || range.from > revision || timeMs === 0) return;
      range.fromTimeMs = Math.min(range.fromTimeMs ?? Infinity, timeMs);
      range.toTimeMs = Math.max(range.toTimeMs ?? 0, timeMs);
    };
    for (const full of fulls) note(full.revision, reachedMsOf(full));
    for (const { last, lastObservedMs } of deltas) note(last, lastObservedMs);
    return ranges;
  });
}
