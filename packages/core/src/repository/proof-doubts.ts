import type { DeltaEntry } from './inventory.ts';
import type { ProofRecord } from './proof-record.ts';

/** An object that a proof speaks against: plans go round it where they can, and say so where they cannot. */
export interface Doubt {
  key: string;
  reason: string;
}

/**
 * What the edge proofs of one repository leave in doubt. Two witnesses that differ do not say which one is wrong, a third does:
 *
 * - The edge of a full fails: the full and the deltas from the first difference on are both in doubt.
 * - Another full agrees with the same deltas (its edge is `ok`): the deltas are right, the first full stays in doubt alone.
 * - Another full differs from the deltas in the same way (the same rows at the same revision): the fulls are right, the deltas
 *   stay in doubt alone.
 * - The same full is proved again, and now agrees: nothing is left of it (it was a bad read).
 *
 * Deltas are in doubt by what they hold, not by name: one that was merged of doubted ones, or that a doubted one was merged of, has the
 * same rows. `deltas`: all that there are now.
 */
export function doubtsOf(edges: readonly ProofRecord[], deltas: readonly HeldRevisions[] = []): Doubt[] {
  const doubts = new Map<string, string>();
  const newest = newestOfEach(edges);
  for (const failed of newest.filter(({ verdict }) => verdict === 'failed')) {
    const { difference, full } = failed;
    if (difference === undefined) continue;
    const others = newest.filter((other) => other.full !== full && other.timeline === failed.timeline);
    const fullsAgree = others.some((other) => agrees(other, failed));
    const deltasHold = others.some(
      ({ verdict, from, to }) => verdict === 'ok' && from <= difference.revision && difference.revision <= to,
    );
    const what = `at revision ${difference.revision}, ${difference.rule}`;
    // One full for the deltas, another against them: nobody is acquitted.
    if (!fullsAgree || deltasHold) doubts.set(full, `it differs from the deltas before it: ${what}`);
    if (deltasHold && !fullsAgree) continue;
    const concerned = deltas.filter(({ timeline, first, last }) => {
      return timeline === failed.timeline && first <= failed.to && last >= difference.revision;
    });
    for (const key of [...(failed.deltaKeys ?? []), ...concerned.map((delta) => delta.key)]) {
      if (!doubts.has(key)) doubts.set(key, `it differs from the full ${full}: ${what}`);
    }
  }
  return [...doubts].map(([key, reason]) => ({ key, reason }));
}

/** For people, one for each reason: what lies behind one difference may be thousands of deltas. `key`: the first, and how many more. */
export function groupDoubts(doubts: readonly Doubt[]): Doubt[] {
  return [...Map.groupBy(doubts, ({ reason }) => reason)].map(([reason, [first, ...others]]) => {
    const more = others.length === 0 ? '' : ` and ${others.length} more`;
    return { key: `${first!.key}${more}`, reason };
  });
}

type HeldRevisions = Pick<DeltaEntry, 'key' | 'timeline' | 'first' | 'last'>;

/** Up to where the edges of a timeline are settled, so that a later full need not compare it again; 0 for nothing. */
export function settledTo(edges: readonly ProofRecord[], timeline: number): number {
  const newest = newestOfEach(edges).filter((edge) => edge.timeline === timeline);
  return newest.reduce((settled, edge) => {
    const confirmed = newest.some((other) => other.full !== edge.full && agrees(other, edge));
    const counts = edge.verdict === 'ok' || (edge.verdict === 'failed' && confirmed);
    return counts ? Math.max(settled, edge.to) : settled;
  }, 0);
}

/** Two fulls that differ from the deltas in the same way bear each other out. */
function agrees(left: ProofRecord, right: ProofRecord): boolean {
  if (left.verdict !== 'failed' || right.verdict !== 'failed') return false;
  if (left.difference === undefined || right.difference === undefined) return false;
  return (
    left.difference.revision === right.difference.revision && left.difference.fullDigest === right.difference.fullDigest
  );
}

/** What could not be compared takes nothing back. */
function newestOfEach(edges: readonly ProofRecord[]): ProofRecord[] {
  const newest = new Map<string, ProofRecord>();
  for (const edge of edges) {
    if (edge.verdict === 'open') continue;
    const known = newest.get(edge.full);
    if (known === undefined || known.provedAt <= edge.provedAt) newest.set(edge.full, edge);
  }
  return [...newest.values()];
}
