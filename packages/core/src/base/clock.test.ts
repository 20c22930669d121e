import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { systemClock } from './clock.ts';

const HOUR_MS = 3_600_000;

test('a sleep ends when its time is over, and leaves nothing at the signal', async () => {
  const { signal } = new AbortController();
  const before = performance.now();
  await systemClock.sleep(30, signal);
  // Timers may be a millisecond early.
  expect(performance.now() - before).toBeGreaterThanOrEqual(28);
  await systemClock.sleep(-1);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('a sleep ends with its signal, and does not begin after it', async () => {
  const stop = new AbortController();
  const sleeping = Array.from({ length: 20 }, () => systemClock.sleep(HOUR_MS, stop.signal));
  stop.abort(new Error('enough'));
  for (const sleep of [...sleeping, systemClock.sleep(HOUR_MS, stop.signal)]) {
    await expect(sleep).rejects.toMatchObject({ code: 'CANCELLED', cause: { message: 'enough' } });
  }
});

test('more than a timer can hold is not at once', async () => {
  const stop = new AbortController();
  const sleep = systemClock.sleep(Infinity, stop.signal);
  expect(await Promise.race([sleep, systemClock.sleep(20).then(() => 'still asleep')])).toBe('still asleep');
  stop.abort();
  await expect(sleep).rejects.toMatchObject({ code: 'CANCELLED' });
});
