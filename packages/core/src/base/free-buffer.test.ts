import { expect, test } from 'vitest';
import { freeBuffer } from './free-buffer.ts';

const LARGE = 64 * 1024;

test('a large buffer that is its own is empty afterwards, with every view of it', () => {
  const buffer = Buffer.allocUnsafeSlow(LARGE);
  const view = buffer.subarray(10, 20);
  freeBuffer(buffer);
  expect([buffer.length, view.length, buffer.buffer.byteLength]).toEqual([0, 0, 0]);
  freeBuffer(buffer);
});

test('what is small, a view of something larger, or shared with a thread stays', () => {
  const small = Buffer.allocUnsafeSlow(LARGE - 1).fill(7);
  freeBuffer(small);
  expect(small[100]).toBe(7);
  const pooled = Buffer.from('a word');
  freeBuffer(pooled);
  expect(pooled.toString()).toBe('a word');
  const whole = Buffer.allocUnsafeSlow(2 * LARGE).fill(7);
  freeBuffer(whole.subarray(1));
  freeBuffer(whole.subarray(0, LARGE));
  expect(whole.every((byte) => byte === 7)).toBe(true);
  const shared = Buffer.from(new SharedArrayBuffer(LARGE));
  freeBuffer(shared);
  expect(shared.length).toBe(LARGE);
});
