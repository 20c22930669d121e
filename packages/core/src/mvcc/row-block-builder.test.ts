import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RowBlock, RowBlockBuilder } from './row-block.ts';

const rows = fc.array(fc.record({ tombstone: fc.boolean(), valueBytes: fc.nat({ max: 3_000 }) }), { maxLength: 40 });

test('a builder that is used again makes what a new one makes, whatever it held before', () => {
  fc.assert(
    fc.property(fc.array(rows, { minLength: 1, maxLength: 6 }), (blocks) => {
      const again = new RowBlockBuilder();
      for (const block of blocks) {
        const once = new RowBlockBuilder();
        for (const [index, { tombstone, valueBytes }] of block.entries()) {
          const value = Buffer.alloc(valueBytes, index + 1);
          for (const builder of [again, once]) builder.append(index + 1, 0, tombstone, value);
        }
        const bytes = again.take();
        expect(bytes.equals(once.take())).toBe(true);
        expect(RowBlock.parse(bytes).rowCount).toBe(block.length);
      }
    }),
  );
});

test('a builder whose last block was small holds little, however large one before was', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heldBytes = (): number => {
    collect();
    return process.memoryUsage().arrayBuffers;
  };
  const builders = Array.from({ length: 100 }, () => new RowBlockBuilder());
  const before = heldBytes();
  const take = (valueBytes: number): void => {
    for (const builder of builders) {
      builder.append(1, 0, false, Buffer.alloc(valueBytes));
      builder.take();
    }
  };
  take(100);
  expect(heldBytes() - before).toBeLessThan(builders.length * 2_000);
  take(100_000);
  take(100);
  expect(heldBytes() - before).toBeLessThan(builders.length * 2_000);
});
