import { expect, test } from 'vitest';
import { Pace } from './pace.ts';
import { ManualClock } from './manual-clock.ts';

test('lets the first through at once, and the others one after the other, also after a rest', async () => {
  const clock = new ManualClock(0);
  const pace = new Pace({ periodMs: 100, clock, monotonicMs: () => clock.now() });
  const through: number[] = [];
  const come = async (signal?: AbortSignal): Promise<void> => {
    await pace.turn(signal);
    through.push(clock.now());
  };
  const impatient = new AbortController();
  const all = [come(), come(), come(impatient.signal), come()];
  await clock.advance(100);
  impatient.abort();
  await expect(all[2]).rejects.toMatchObject({ code: 'CANCELLED' });
  await clock.advance(100);
  await clock.advance(100);
  await Promise.all([all[0], all[1], all[3]]);
  expect(through).toEqual([0, 100, 300]);
  await clock.advance(1_000);
  await come();
  expect(through.at(-1)).toBe(1_300);
});
