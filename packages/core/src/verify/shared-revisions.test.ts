import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SharedRevisions } from './shared-revisions.ts';

interface Held {
  key: string;
  timeline: number;
  first: number;
  last: number;
}

const held: fc.Arbitrary<Held[]> = fc
  .array(
    fc.record({ timeline: fc.integer({ min: 1, max: 2 }), first: fc.integer({ min: 2, max: 30 }), more: fc.nat(12) }),
    { minLength: 1, maxLength: 12 },
  )
  .map((all) =>
    all.map(({ timeline, first, more }, index) => ({ key: `d${index}`, timeline, first, last: first + more })),
  );

test('spans are exactly the revisions that others hold too, and each span has the same holders throughout', () => {
  fc.assert(
    fc.property(held, (deltas) => {
      const shared = new SharedRevisions(deltas);
      for (const delta of deltas) {
        const holdersOf = (revision: number): string =>
          deltas
            .filter(({ timeline, first, last }) => timeline === delta.timeline && first <= revision && revision <= last)
            .map(({ key }) => key)
            .join();
        const expected: number[] = [];
        for (let revision = delta.first; revision <= delta.last; revision++) {
          if (holdersOf(revision) !== delta.key) expected.push(revision);
        }
        const found: number[] = [];
        for (const { from, to } of shared.spansOf(delta)) {
          for (let revision = from; revision <= to; revision++) {
            expect(holdersOf(revision)).toBe(holdersOf(from));
            found.push(revision);
          }
        }
        expect(found).toEqual(expected);
      }
    }),
  );
});

test('whichever of two comes last is told of, with the one that came first', () => {
  const deltas = [
    { key: 'a', timeline: 1, first: 2, last: 9 },
    { key: 'b', timeline: 1, first: 5, last: 12 },
    { key: 'c', timeline: 2, first: 5, last: 12 },
  ];
  const [a, b, c] = deltas as [Held, Held, Held];
  const span = { from: 5, to: 9 };
  const shared = new SharedRevisions(deltas);
  expect(shared.compare(b, span, 'x')).toBeUndefined();
  expect(shared.compare(c, span, 'y')).toBeUndefined();
  expect(shared.compare(a, span, 'x')).toBeUndefined();
  expect(shared.compare(a, span, 'y')).toEqual({ one: b, other: a, span });
});
