import fc from 'fast-check';
import type { Inventory, TimelineInventory } from './inventory.ts';
import { inventoryOf, type SampleDeltaName, type SampleFull } from './repository-samples.ts';

/** Random repositories and the rule of what is restorable, counted out revision by revision. For tests. */
export const REVISIONS_MAX = 45;

const full = (timeline: number): fc.Arbitrary<SampleFull> =>
  fc
    .record({
      revision: fc.integer({ min: 1, max: REVISIONS_MAX }),
      compactPart: fc.double({ min: 0, max: 1, noNaN: true }),
      never: fc.boolean(),
      late: fc.nat(2),
    })
    .map(({ revision, compactPart, never, late }) => ({
      timeline,
      revision,
      compact: never ? -1 : Math.round(revision * compactPart),
      createdAtMs: 1_795_154_400_000 + revision * 60_000 + late,
    }));

/** Deltas as they come in life: a run of neighbours with some lost, some overlapping; and some anywhere. */
const deltas = (timeline: number): fc.Arbitrary<SampleDeltaName[]> =>
  fc
    .record({
      start: fc.integer({ min: 1, max: 20 }),
      run: fc.array(fc.record({ length: fc.integer({ min: 1, max: 6 }), back: fc.nat(2), lost: fc.nat(5) }), {
        maxLength: 10,
      }),
      stray: fc.array(fc.tuple(fc.integer({ min: 1, max: REVISIONS_MAX }), fc.integer({ min: 0, max: 12 })), {
        maxLength: 2,
      }),
    })
    .map(({ start, run, stray }) => {
      const found: SampleDeltaName[] = stray.map(([first, more]) => ({ timeline, first, last: first + more }));
      let next = start;
      for (const { length, back, lost } of run) {
        const first = Math.max(1, next - back);
        if (lost > 0) found.push({ timeline, first, last: next + length - 1 });
        next += length;
      }
      return found;
    });

export const repository: fc.Arbitrary<Inventory> = fc
  .tuple(fc.array(full(1), { minLength: 1, maxLength: 5 }), deltas(1), fc.array(full(2), { maxLength: 3 }), deltas(2))
  .map(([fullsA, deltasA, fullsB, deltasB]) => inventoryOf([...fullsA, ...fullsB], [...deltasA, ...deltasB]));

/** The rule itself: some full with C <= R <= S, or every revision of (S, R] in some delta. */
export function isRestorable({ fulls, deltas: all }: TimelineInventory, revision: number): boolean {
  return fulls.some((base) => {
    const lowest = Math.max(base.manifest.compactRevision, 1);
    if (revision < lowest) return false;
    for (let one = base.revision + 1; one <= revision; one++) {
      if (!all.some(({ first, last }) => first <= one && one <= last)) return false;
    }
    return true;
  });
}

export function restorableSet(timeline: TimelineInventory): Set<number> {
  const found = new Set<number>();
  for (let revision = 1; revision <= 2 * REVISIONS_MAX; revision++) {
    if (isRestorable(timeline, revision)) found.add(revision);
  }
  return found;
}
