import type { DeltaEntry, LeaseEntry, TimelineInventory } from './inventory.ts';

type Span = Pick<DeltaEntry, 'first' | 'last'>;

/** Whether a delta says what a lease object says: merging folds in what was learned between its rows, never what follows its last. */
export function foldsIn({ first, last }: Span, { revision }: Pick<LeaseEntry, 'revision'>): boolean {
  return first <= revision && revision < last;
}

/** The lease objects of a chain from the full at `from` to `to`, in their order, without those that its deltas have taken in. */
export function plannedLeases(
  { leases = [] }: Pick<TimelineInventory, 'leases'>,
  { from, to, deltas }: { from: number; to: number; deltas: readonly Span[] },
): LeaseEntry[] {
  const inChain = leases.filter(({ revision }) => from <= revision && revision <= to);
  if (inChain.length === 0) return inChain;
  // Both ascend; deltas of a plan may overlap, each reaching farther than the one before it.
  let next = 0;
  return inChain.filter((entry) => {
    while (next < deltas.length && deltas[next]!.last <= entry.revision) next++;
    const delta = deltas[next];
    return delta === undefined || !foldsIn(delta, entry);
  });
}
