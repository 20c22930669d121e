import { expect, test } from 'vitest';
import { joinAndFree } from './join-and-free.ts';

const KIB = 1024;

test('joins the parts in order and gives back large ones that lie alone in their memory', () => {
  const slab = Buffer.alloc(200 * KIB, 's');
  const [small, large, view] = [Buffer.from('small'), Buffer.alloc(100 * KIB, 'l'), slab.subarray(100 * KIB)];
  const expected = Buffer.concat([small, large, view]);
  const parts = [small, large, view, Buffer.alloc(0)];
  const whole = joinAndFree(parts);
  expect(whole.equals(expected)).toBe(true);
  expect(parts).toEqual([]);
  expect(large.length).toBe(0);
  // Others may look at the memory of these.
  expect(small.toString()).toBe('small');
  expect(slab.equals(Buffer.alloc(200 * KIB, 's'))).toBe(true);
});

test('joins nothing to nothing', () => {
  expect(joinAndFree([]).length).toBe(0);
});
