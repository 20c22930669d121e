import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseDeltas, OBJECT_COST_BYTES } from './choose-deltas.ts';
import type { DeltaEntry } from './inventory.ts';
import { deltaEntry } from './repository-samples.ts';

interface Sample {
  first: number;
  length: number;
  megabytes: number;
}

const sample: fc.Arbitrary<Sample> = fc.record({
  first: fc.integer({ min: 1, max: 14 }),
  length: fc.integer({ min: 1, max: 8 }),
  megabytes: fc.integer({ min: 0, max: 6 }),
});

function entryOf({ first, length, megabytes }: Sample, index: number): DeltaEntry {
  const entry = deltaEntry({ first, last: first + length - 1, lastObservedMs: index });
  return { ...entry, bytes: megabytes * OBJECT_COST_BYTES };
}

function costOf(deltas: readonly DeltaEntry[]): number {
  return deltas.reduce((sum, { bytes }) => sum + bytes + OBJECT_COST_BYTES, 0);
}

/** The least that any set of the deltas costs that covers the range, without those that a later one of the same range stands in for. */
function leastCost(all: readonly DeltaEntry[], from: number, to: number): number {
  const isSameRange = (left: DeltaEntry, right: DeltaEntry): boolean =>
    left.first === right.first && left.last === right.last;
  const deltas = all.filter(
    (delta) => !all.some((other) => isSameRange(delta, other) && other.lastObservedMs > delta.lastObservedMs),
  );
  let least = Infinity;
  for (let set = 0; set < 2 ** deltas.length; set++) {
    const chosen = deltas.filter((_, index) => (set & (1 << index)) !== 0);
    let covered = true;
    for (let revision = from + 1; revision <= to && covered; revision++) {
      covered = chosen.some(({ first, last }) => first <= revision && revision <= last);
    }
    if (covered) least = Math.min(least, costOf(chosen));
  }
  return least;
}

test('nothing covers the range more cheaply than what is chosen', () => {
  fc.assert(
    fc.property(
      fc.array(sample, { maxLength: 9 }),
      fc.integer({ min: 0, max: 10 }),
      fc.nat(12),
      (samples, from, more) => {
        const deltas = samples.map(entryOf);
        const to = from + more;
        const chosen = chooseDeltas(deltas, from, to);
        const least = leastCost(deltas, from, to);
        expect(chosen === undefined ? Infinity : costOf(chosen)).toBe(least);
        if (chosen === undefined) return;
        let reached = from;
        for (const { first, last } of chosen) {
          expect(first).toBeLessThanOrEqual(reached + 1);
          expect(last).toBeGreaterThan(reached);
          reached = last;
        }
        expect(reached).toBeGreaterThanOrEqual(to);
      },
    ),
    { numRuns: 400 },
  );
});

test.for([0.5, 1, 2])('the later delta of a range is taken, if the earlier has %f times its size', (part) => {
  const later = deltaEntry({ first: 11, last: 20, lastObservedMs: 1_002 });
  const earlier = deltaEntry({ first: 11, last: 20, lastObservedMs: 1_001 });
  const twins = [later, { ...earlier, bytes: later.bytes * part }];
  const before = deltaEntry({ first: 1, last: 10 });
  expect(chooseDeltas([before, ...twins], 0, 20)).toEqual([before, later]);
  expect(chooseDeltas([before, ...twins.toReversed()], 0, 20)).toEqual([before, later]);
});

test('the order in which the deltas come does not matter', () => {
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 9 }), fc.integer({ min: 1, max: 16 }), (samples, to) => {
      const deltas = samples.map(entryOf);
      const keys = (found: DeltaEntry[] | undefined): string[] | undefined => found?.map(({ key }) => key);
      expect(keys(chooseDeltas(deltas.toReversed(), 0, to))).toEqual(keys(chooseDeltas(deltas, 0, to)));
    }),
  );
});

test('a merged delta is taken when it saves requests, and not when a corner of it is wanted', () => {
  const small = Array.from({ length: 360 }, (_, index) => ({
    ...deltaEntry({ first: index * 10 + 1, last: index * 10 + 10 }),
    bytes: 20_000,
  }));
  const merged = { ...deltaEntry({ first: 1, last: 3_600 }), bytes: 7_000_000 };
  const all = [merged, ...small];
  expect(chooseDeltas(all, 0, 3_600)).toEqual([merged]);
  expect(chooseDeltas(all, 3_580, 3_600)).toEqual(small.slice(-2));
  expect(chooseDeltas(small, 0, 3_600)).toEqual(small);
  expect(chooseDeltas(small.toSpliced(7, 1), 0, 3_600)).toBeUndefined();
});
