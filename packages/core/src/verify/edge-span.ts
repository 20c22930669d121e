import { DeltaCoverage } from '../repository/coverage.ts';
import type { FullEntry, TimelineInventory } from '../repository/inventory.ts';

/** Revisions `from` to `to`, both inclusive, that the deltas of a timeline hold without a hole. */
export interface RevisionSpan {
  from: number;
  to: number;
}

/**
 * What the edge proof of a full compares: all that deltas hold up to its S and that no edge before it settled. Revisions that were
 * not yet in a delta when the full before this one was proved are so compared with this one. Between two spans lies a gap.
 * `settledTo`: up to where the edges before it are settled, 0 for none.
 */
export function edgeSpans(timeline: TimelineInventory, full: FullEntry, settledTo: number): RevisionSpan[] {
  const before = timeline.fulls.findLast(({ revision }) => revision < full.revision);
  const after = settledTo > 0 ? settledTo : (before?.revision ?? 0);
  return new DeltaCoverage(timeline.deltas).runs
    .map(({ from, to }) => ({ from: Math.max(from, after + 1), to: Math.min(to, full.revision) }))
    .filter(({ from, to }) => from <= to);
}
