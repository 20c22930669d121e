import { Calendar } from './calendar.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
/** Ages are counted from the end of today; above this many days they are counted in weeks, up to five that end yesterday. */
const DAILY_DAYS = 8;
const WEEKLY_DAYS = 36;

/**
 * Which fulls etcd-backup-restore's policy `Exponential` keeps (its `RunGarbageCollector`), in UTC:
 *
 * - of today: every full of the hour that it is now, and the last of each other hour;
 * - of the seven days before: the last of each day;
 * - of the five weeks that end yesterday: the last of each week;
 * - and the newest full.
 *
 * Its weeks end yesterday, so their bounds move on by a day each day: what is the last of its week today is not tomorrow, and
 * where it runs all the time, no full ever gets older than a week and a day. So the last of each calendar week is kept as well:
 * the promise of a month holds. A full between 35 and 36 days old may stay for a day longer than there.
 *
 * @param timesMs when the fulls were taken, ascending.
 * @returns the indexes of those that stay.
 */
export function exponentialKeeps(timesMs: readonly number[], nowMs: number): Set<number> {
  const kept = new Set<number>();
  const endOfDayMs = Math.floor(nowMs / DAY_MS) * DAY_MS + DAY_MS;
  const calendar = new Calendar('UTC');
  for (const [index, timeMs] of timesMs.entries()) {
    const newerMs = timesMs[index + 1];
    if (newerMs === undefined || timeMs > nowMs) {
      kept.add(index);
      continue;
    }
    const age = endOfDayMs - timeMs;
    const isLastOf = (period: (ms: number) => number): boolean => period(timeMs) !== period(newerMs);
    const isLastOfCalendarWeek = isLastOf((ms) => calendar.numberOf(ms, 'week'));
    // Ages grow from the end of a period backwards: what is exactly a day old at midnight is of yesterday.
    if (age <= DAY_MS) {
      if (hourOf(timeMs) === hourOf(nowMs) || isLastOf(hourOf)) kept.add(index);
    } else if (age <= DAILY_DAYS * DAY_MS) {
      if (isLastOf(dayOf)) kept.add(index);
    } else if (age <= WEEKLY_DAYS * DAY_MS) {
      if (isLastOf((ms) => weekBefore(ms, endOfDayMs - DAY_MS)) || isLastOfCalendarWeek) kept.add(index);
    }
  }
  return kept;
}

function hourOf(timeMs: number): number {
  return Math.floor(timeMs / HOUR_MS);
}

function dayOf(timeMs: number): number {
  return Math.floor(timeMs / DAY_MS);
}

/** How many whole weeks before `endMs`. */
function weekBefore(timeMs: number, endMs: number): number {
  return Math.floor((endMs - 1 - timeMs) / WEEK_MS);
}
