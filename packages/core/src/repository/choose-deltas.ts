import type { DeltaEntry } from './inventory.ts';

/**
 * What one more object costs, in bytes that could be read instead: a request and the wait for it. A merged delta is taken
 * when it saves this much, and passed over when only a corner of it is needed.
 */
export const OBJECT_COST_BYTES = 1024 * 1024;

/**
 * The cheapest deltas that lead from `from` to `to`, in order: few objects, and few bytes beyond what is needed. They may
 * overlap: who applies them skips rows that are there already. Of equal choices always the same; of equal ranges the later one, which
 * was stored because nobody could read the earlier.
 * @returns undefined when there is a hole.
 */
export function chooseDeltas(deltas: readonly DeltaEntry[], from: number, to: number): DeltaEntry[] | undefined {
  if (from >= to) return [];
  const useful = latestOfEachRange(deltas.filter(({ first, last }) => last > from && first <= to).toSorted(byLast));
  // Ways that nothing later can better: the farther one reaches, the more it costs. Ends and costs both ascend.
  const ways: Way[] = [{ end: from, cost: 0, delta: undefined, before: undefined }];
  for (const delta of useful) {
    // It may begin anywhere up to the end of what it goes on from.
    const before = firstReaching(ways, delta.first - 1);
    if (before === undefined) continue;
    const way = { end: Math.min(delta.last, to), cost: before.cost + delta.bytes + OBJECT_COST_BYTES, delta, before };
    if (ways.at(-1)!.end >= way.end && ways.at(-1)!.cost <= way.cost) continue;
    while (ways.length > 0 && ways.at(-1)!.end <= way.end && ways.at(-1)!.cost >= way.cost) ways.pop();
    ways.push(way);
  }
  const best = ways.at(-1)!;
  return best.end >= to ? deltasOf(best) : undefined;
}

interface Way {
  /** Every revision up to here is covered. */
  end: number;
  cost: number;
  delta: DeltaEntry | undefined;
  before: Way | undefined;
}

/** The cheapest way that reaches `revision`: since costs ascend with ends, the first that does. */
function firstReaching(ways: readonly Way[], revision: number): Way | undefined {
  let low = 0;
  let high = ways.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ways[middle]!.end >= revision) high = middle;
    else low = middle + 1;
  }
  return ways[low];
}

function deltasOf(way: Way): DeltaEntry[] {
  const chosen: DeltaEntry[] = [];
  for (let at: Way | undefined = way; at?.delta !== undefined; at = at.before) chosen.push(at.delta);
  return chosen.toReversed();
}

/** Of sorted deltas. What is unreadable may well be smaller, and cost less, than what stands in for it. */
function latestOfEachRange(sorted: readonly DeltaEntry[]): DeltaEntry[] {
  return sorted.filter(
    ({ first, last }, index) => sorted[index + 1]?.first !== first || sorted[index + 1]!.last !== last,
  );
}

/** Of equal ranges the later one last. */
function byLast(left: DeltaEntry, right: DeltaEntry): number {
  return (
    left.last - right.last ||
    left.first - right.first ||
    left.lastObservedMs - right.lastObservedMs ||
    (left.key < right.key ? 1 : -1)
  );
}
