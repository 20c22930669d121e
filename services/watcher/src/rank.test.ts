import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rankOf } from './rank.ts';

const names = fc.uniqueArray(fc.uuid(), { minLength: 1, maxLength: 6 });
const others = (all: readonly string[], own: string): string[] => all.filter((name) => name !== own);

test('all agree: for each key everybody has another rank, from the first to the last', () => {
  fc.assert(
    fc.property(names, fc.string(), (all, key) => {
      const ranks = all.map((own) => rankOf(key, own, others(all, own)));
      expect(new Set(ranks)).toEqual(new Set(all.keys()));
    }),
  );
});

test('who goes changes nothing between the others', () => {
  fc.assert(
    fc.property(names, fc.string(), (all, key) => {
      const left = all.slice(1);
      const order = (of: readonly string[], own: string): number => rankOf(key, own, others(of, own));
      const before = left.toSorted((one, other) => order(all, one) - order(all, other));
      expect(left.toSorted((one, other) => order(left, one) - order(left, other))).toEqual(before);
    }),
  );
});

test('each comes first for about as many keys as any other', () => {
  const all = ['watcher.a', 'watcher.b', 'watcher.c'];
  const first = all.map((own) => {
    const keys = Array.from({ length: 3_000 }, (_, index) => `scale-${String(index).padStart(5, '0')}`);
    return keys.filter((key) => rankOf(key, own, others(all, own)) === 0).length;
  });
  for (const count of first) expect(Math.abs(count - 1_000)).toBeLessThan(100);
});
