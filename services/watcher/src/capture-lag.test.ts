import { expect, test } from 'vitest';
import { CaptureLag } from './capture-lag.ts';

test('nothing is known before anything was captured', () => {
  const lag = new CaptureLag();
  lag.noteHead(5, 100);
  expect(lag.at(200)).toBeUndefined();
});

test('a capture that keeps up lags as long as the oldest revision that lacks', () => {
  const lag = new CaptureLag();
  lag.noteCaptured(1, 10);
  expect(lag.at(1_000)).toEqual({ timeline: 1, revision: 10, headRevision: 10, lagMs: 0 });
  lag.noteHead(12, 1_000);
  lag.noteHead(15, 2_000);
  expect(lag.at(2_500)).toEqual({ timeline: 1, revision: 10, headRevision: 15, lagMs: 1_500 });
  lag.noteCaptured(1, 12);
  expect(lag.at(2_500)).toMatchObject({ revision: 12, headRevision: 15, lagMs: 500 });
  lag.noteCaptured(1, 15);
  expect(lag.at(2_500)).toMatchObject({ revision: 15, headRevision: 15, lagMs: 0 });
});

test('an older head is no news, and a long outage is remembered from its beginning', () => {
  const lag = new CaptureLag();
  lag.noteCaptured(1, 10);
  for (let index = 1; index <= 1_000; index++) lag.noteHead(10 + index, index);
  lag.noteHead(500, 2_000);
  expect(lag.at(2_000)).toMatchObject({ headRevision: 1_010, lagMs: 1_999 });
  lag.noteCaptured(1, 1_009);
  expect(lag.at(2_000)?.lagMs).toBeGreaterThan(0);
  lag.noteCaptured(1, 1_010);
  expect(lag.at(2_000)?.lagMs).toBe(0);
});

test('the heads of an ended timeline say nothing about the next', () => {
  const lag = new CaptureLag();
  lag.noteCaptured(1, 100);
  lag.noteHead(200, 1_000);
  lag.noteCaptured(2, 50);
  expect(lag.at(9_000)).toEqual({ timeline: 2, revision: 50, headRevision: 50, lagMs: 0 });
});
