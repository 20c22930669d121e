import fc from 'fast-check';
import { expect, test } from 'vitest';
import { exponentialKeeps } from './exponential.ts';
import { gardenerKeeps } from './gardener-walk.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = Date.parse('2026-11-20T11:17:43.210Z');

/** What is left after collecting once an hour, beside a full every so often, for so many days; ages in days. */
function lived(keeps: typeof exponentialKeeps, { days, everyMs }: { days: number; everyMs: number }): number[] {
  let times: number[] = [];
  const endMs = NOW_MS;
  for (let timeMs = endMs - days * DAY_MS; timeMs <= endMs; timeMs += everyMs) {
    times.push(timeMs);
    const kept = keeps(times, timeMs);
    times = times.filter((_, index) => kept.has(index));
  }
  return times.map((timeMs) => Math.floor((endMs - timeMs) / DAY_MS));
}

const anyTimes = fc
  .array(fc.integer({ min: 0, max: 50 * DAY_MS }), { maxLength: 60 })
  .map((ages) => ages.map((ageMs) => NOW_MS - ageMs).sort((left, right) => left - right));

test('at one moment it keeps all that etcd-backup-restore keeps, and beyond that the last of calendar weeks only', () => {
  fc.assert(
    fc.property(anyTimes, (times) => {
      const ours = exponentialKeeps(times, NOW_MS);
      const theirs = gardenerKeeps(times, NOW_MS);
      for (const index of theirs) expect(ours.has(index)).toBe(true);
      for (const index of ours) {
        if (theirs.has(index)) continue;
        const day = (timeMs: number): number => Math.floor(timeMs / DAY_MS);
        const week = (timeMs: number): number => Math.floor((day(timeMs) + 3) / 7);
        const isLastOfWeek = week(times[index]!) !== week(times[index + 1]!);
        const ageDays = day(NOW_MS) - day(times[index]!);
        expect(ageDays).toBeGreaterThanOrEqual(8);
        expect(isLastOfWeek || ageDays === 35).toBe(true);
      }
    }),
    { numRuns: 3_000 },
  );
});

test('a history at once: hours of today, seven days, five weeks', () => {
  const times = Array.from({ length: 60 * 24 }, (_, index) => NOW_MS - index * HOUR_MS).toReversed();
  const ages = [...exponentialKeeps(times, NOW_MS)].map((index) => (NOW_MS - times[index]!) / DAY_MS);
  expect(ages.filter((age) => age <= 11.3 / 24)).toHaveLength(12);
  expect(ages.filter((age) => age > 0.5 && age < 8)).toHaveLength(7);
  // The last of weeks that end yesterday, the newest of which is a day of the seven; and of calendar weeks.
  expect(ages.filter((age) => age >= 8)).toHaveLength(3 + 4);
  expect(Math.max(...ages)).toBeLessThan(36);
});

test('collected all the time, the weeks are there still; with bounds that move on each day there would be none', () => {
  const life = { days: 100, everyMs: HOUR_MS };
  expect(lived(gardenerKeeps, life).filter((age) => age > 9)).toEqual([]);
  const ours = lived(exponentialKeeps, life);
  expect(ours.filter((age) => age > 9)).toHaveLength(4);
  expect(Math.max(...ours)).toBeGreaterThan(27);
  expect(ours.length).toBeLessThan(40);
});

test('collecting again at once removes nothing more', () => {
  fc.assert(
    fc.property(anyTimes, (times) => {
      const kept = exponentialKeeps(times, NOW_MS);
      const left = times.filter((_, index) => kept.has(index));
      expect(exponentialKeeps(left, NOW_MS).size).toBe(left.length);
    }),
  );
});
