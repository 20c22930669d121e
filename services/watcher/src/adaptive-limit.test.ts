import { expect, it } from 'vitest';
import { AdaptiveLimit } from './adaptive-limit.ts';

/** Answers of an etcd that serves so many at a time without delay. */
function answers(limit: AdaptiveLimit, count: number, latencyMs: (open: number) => number): void {
  for (let index = 0; index < count; index++) limit.answered(latencyMs(limit.current));
}

it('grows while answers stay quick, up to its maximum', () => {
  const limit = new AdaptiveLimit(8);
  expect(limit.current).toBe(1);
  answers(limit, 100, () => 0.5);
  expect(limit.current).toBe(8);
});

it('stays near what etcd serves without delay', () => {
  const limit = new AdaptiveLimit(64);
  answers(limit, 5_000, (open) => 2 * Math.max(1, open / 4));
  expect(limit.current).toBeGreaterThan(3);
  expect(limit.current).toBeLessThan(16);
});

it('backs off when etcd gets busy, to one, and comes back', () => {
  const limit = new AdaptiveLimit(32);
  answers(limit, 600, () => 1);
  answers(limit, 200, () => 50);
  expect(limit.current).toBe(1);
  // One at a time, and with rests between.
  expect(limit.restMs(50)).toBe(1_000);
  answers(limit, 60, () => 1);
  expect(limit.current).toBeGreaterThan(5);
  expect(limit.restMs(50)).toBe(0);
  limit.failed();
  expect(limit.current).toBe(1);
});

it('learns that the way became longer', () => {
  const limit = new AdaptiveLimit(32);
  answers(limit, 600, () => 1);
  answers(limit, 2_500, () => 40);
  expect(limit.current).toBe(32);
});
