import { DeltaCoverage } from '../repository/coverage.ts';
import type { FullManifest } from '../repository/full-manifest.ts';
import { isOfCluster } from '../repository/full-origin.ts';
import type { DeltaEntry } from '../repository/inventory.ts';

/** Revisions `from` to `to`, both inclusive, that the deltas of a timeline hold without a hole. */
export interface RevisionSpan {
  from: number;
  to: number;
}

/** What must be known of a timeline. */
export interface EdgeTimeline {
  fulls: readonly { revision: number; manifest: Pick<FullManifest, 'cause'> }[];
  /** By ascending first revision. */
  deltas: readonly DeltaEntry[];
}

/**
 * What the edge proof of a full compares: all that deltas hold up to its S and that no edge before it settled. Revisions that were
 * not yet in a delta when the full before this one was proved are so compared with this one. Between two spans lies a gap. Where no
 * edge was settled, they begin behind the last full that the cluster gave: a product of these deltas is not compared with them.
 * `settledTo`: up to where the edges before it are settled, 0 for none.
 */
export function edgeSpans(timeline: EdgeTimeline, full: { revision: number }, settledTo: number): RevisionSpan[] {
  const before = timeline.fulls.reduce(
    (most, other) => (other.revision < full.revision && isOfCluster(other) ? Math.max(most, other.revision) : most),
    0,
  );
  const after = settledTo > 0 ? settledTo : before;
  return new DeltaCoverage(timeline.deltas).runs
    .map(({ from, to }) => ({ from: Math.max(from, after + 1), to: Math.min(to, full.revision) }))
    .filter(({ from, to }) => from <= to);
}
