import { EtcdOpsError } from '@etcd-ops/core';
import { createTask, parse, validateDetailed } from 'node-cron';
import type { Schedule } from './schedule.ts';
import { WallClock } from './wall-clock.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
/** Every zone's offset is a multiple of it, so inside one the wall clock runs evenly. */
const QUARTER_HOUR_MS = 15 * MINUTE_MS;
const DAY_MS = 86_400_000;
/** 29 February on a given day of the week comes every 28 years. */
const SIGHT_MS = 29 * 366 * DAY_MS;

interface TimeOfDay {
  seconds: readonly number[];
  minutes: ReadonlySet<number>;
  hours: ReadonlySet<number>;
}

/**
 * A cron expression of five fields, or six with seconds first, in the given time zone. node-cron reads it and decides which moments match;
 * its own timers are not used, since they name a tick by when they fired.
 *
 * - Day of month and day of week both restricted means either of them, as crond and the tools before us have it (node-cron alone means both).
 * - A wall time that a change to summer time skips has no tick; one that comes twice has two.
 * @throws EtcdOpsError CONFIG_INVALID naming the field that is wrong.
 */
export function cronSchedule(expression: string, timezone = 'UTC'): Schedule {
  const matchers = variants(expression).map((variant) => createMatcher(variant, timezone, expression));
  const fields = parse(expression);
  const times: TimeOfDay = {
    seconds: fields.second.toSorted((left, right) => left - right),
    minutes: new Set(fields.minute),
    hours: new Set(fields.hour),
  };
  const wallClock = new WallClock(timezone);
  const matches = (atMs: number): boolean => matchers.some((matcher) => matcher(new Date(atMs)));
  const search = (from: number, step: 1 | -1, accept: (tickMs: number) => boolean): number | undefined => {
    const firstQuarter = Math.floor(from / QUARTER_HOUR_MS) * QUARTER_HOUR_MS;
    let day: { startMs: number; open: boolean } | undefined;
    for (let quarter = firstQuarter; Math.abs(quarter - firstQuarter) <= SIGHT_MS; quarter += step * QUARTER_HOUR_MS) {
      const candidates = candidatesIn(quarter, wallClock, times);
      if (candidates.length === 0) continue;
      // Whether a day matches at all is asked once: most days of a sparse schedule do not.
      const dayStartMs = wallClock.dayStart(quarter);
      if (day?.startMs !== dayStartMs) day = { startMs: dayStartMs, open: matches(candidates[0]!) };
      if (!day.open) continue;
      for (const candidate of step === 1 ? candidates : candidates.toReversed()) {
        if (accept(candidate) && matches(candidate)) return candidate;
      }
    }
    return undefined;
  };
  return {
    next: (afterMs) => search(afterMs, 1, (tickMs) => tickMs > afterMs),
    last: (atMs) => search(atMs, -1, (tickMs) => tickMs <= atMs),
  };
}

/** The moments of a quarter of an hour whose hour, minute and second fit; the day is not looked at. */
function candidatesIn(quarterMs: number, wallClock: WallClock, times: TimeOfDay): number[] {
  const { hour, minute } = wallClock.timeOfDay(quarterMs);
  if (!times.hours.has(hour)) return [];
  const candidates: number[] = [];
  for (let index = 0; index < QUARTER_HOUR_MS / MINUTE_MS; index++) {
    if (!times.minutes.has(minute + index)) continue;
    for (const second of times.seconds) candidates.push(quarterMs + index * MINUTE_MS + second * SECOND_MS);
  }
  return candidates;
}

function createMatcher(expression: string, timezone: string, shown: string): (date: Date) => boolean {
  const checked = validateDetailed(expression);
  if (!checked.valid) {
    throw invalid(shown, checked.errors.map(({ field, message }) => `${field}: ${message}`).join('; '));
  }
  try {
    const task = createTask(expression, () => undefined, { timezone });
    const matcher = (date: Date): boolean => task.match(date);
    matcher(new Date(0));
    return matcher;
  } catch (error) {
    throw invalid(shown, error instanceof Error ? error.message : String(error));
  }
}

/** One expression for "day of month" and one for "day of week" when both are restricted. */
function variants(expression: string): string[] {
  const fields = expression.trim().split(/\s+/);
  const dayOfMonth = fields.length - 3;
  const dayOfWeek = fields.length - 1;
  const restricted = (index: number): boolean => !/^[*?]/.test(fields[index] ?? '*');
  if (fields.length < 5 || !restricted(dayOfMonth) || !restricted(dayOfWeek)) return [expression.trim()];
  return [fields.with(dayOfWeek, '*').join(' '), fields.with(dayOfMonth, '*').join(' ')];
}

function invalid(expression: string, reason: string): EtcdOpsError {
  return new EtcdOpsError('CONFIG_INVALID', { message: `${JSON.stringify(expression)} is no schedule: ${reason}` });
}
