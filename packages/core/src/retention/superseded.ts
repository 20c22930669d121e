import type { DeltaEntry } from '../repository/inventory.ts';

/**
 * Deltas whose revisions all lie in one larger delta of the same timeline, which was captured no earlier: merging makes such. The
 * rows of a revision are the same in both, so the smaller is not needed any more.
 * @param deltas of one timeline, by first, then by last revision.
 * @param mayReplace whether a larger one may stand in for others: it should have lain there for a while.
 */
export function supersededDeltas(
  deltas: readonly DeltaEntry[],
  mayReplace: (delta: DeltaEntry) => boolean,
): Set<string> {
  const superseded = new Set<string>();
  // Those that begin no later than the one looked at, and of which no other reaches farther and is younger.
  let larger: DeltaEntry[] = [];
  for (const delta of byFirstThenFarthest(deltas)) {
    larger = larger.filter(({ last }) => last >= delta.first);
    const isHeld = larger.some((one) => holds(one, delta));
    if (isHeld) superseded.add(delta.key);
    else if (mayReplace(delta)) larger.push(delta);
  }
  return superseded;
}

function holds(larger: DeltaEntry, { first, last, lastObservedMs }: DeltaEntry): boolean {
  const isLarger = larger.first < first || larger.last > last;
  return isLarger && larger.first <= first && larger.last >= last && larger.lastObservedMs >= lastObservedMs;
}

function byFirstThenFarthest(deltas: readonly DeltaEntry[]): DeltaEntry[] {
  return deltas.toSorted((left, right) => left.first - right.first || right.last - left.last);
}
