import { EtcdOpsError } from '../base/errors.ts';
import type { CalendarPeriod } from './policy.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Numbers the hours, days, weeks, months and years of one time zone: moments of one period have one number, later ones a larger. */
export class Calendar {
  readonly #offsets: (timeMs: number) => number;

  /** @throws EtcdOpsError CONFIG_INVALID for a zone that is not known. */
  constructor(timeZone: string) {
    this.#offsets = timeZone === 'UTC' ? () => 0 : offsetsOf(timeZone);
  }

  /** `timeMs`: milliseconds since the epoch. */
  numberOf(timeMs: number, period: CalendarPeriod): number {
    const offsetMs = this.#offsets(timeMs);
    // The hour that a clock shows twice when it is set back is two hours: only what is not a whole hour shifts their ends.
    if (period === 'hour') return Math.floor((timeMs + (offsetMs % HOUR_MS)) / HOUR_MS);
    const localMs = timeMs + offsetMs;
    const day = Math.floor(localMs / DAY_MS);
    if (period === 'day') return day;
    // The epoch was a Thursday.
    if (period === 'week') return Math.floor((day + 3) / 7);
    const local = new Date(localMs);
    return period === 'month' ? local.getUTCFullYear() * 12 + local.getUTCMonth() : local.getUTCFullYear();
  }
}

/** Whether the time zone is known on this host. */
export function isTimeZone(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** Milliseconds by which the zone's clocks are ahead of UTC. Asked twice a day of history, for asking is slow. */
function offsetsOf(timeZone: string): (timeMs: number) => number {
  if (!isTimeZone(timeZone)) {
    throw new EtcdOpsError('CONFIG_INVALID', {
      message: `${timeZone} is no time zone`,
      remedy: 'Use an IANA name, as Asia/Shanghai, or UTC.',
    });
  }
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' },
  });
  const known = new Map<number, number>();
  const offsetAt = (timeMs: number): number => {
    const found = known.get(timeMs);
    if (found !== undefined) return found;
    const parts = Object.fromEntries(format.formatToParts(timeMs).map(({ type, value }) => [type, Number(value)]));
    const localMs = Date.UTC(
      parts['year']!,
      parts['month']! - 1,
      parts['day'],
      parts['hour'],
      parts['minute'],
      parts['second'],
    );
    const offsetMs = localMs - Math.floor(timeMs / 1000) * 1000;
    known.set(timeMs, offsetMs);
    return offsetMs;
  };
  return (timeMs) => {
    const dayMs = Math.floor(timeMs / DAY_MS) * DAY_MS;
    const atBegin = offsetAt(dayMs);
    // Where clocks are changed on that day, the moment itself is asked for.
    return atBegin === offsetAt(dayMs + DAY_MS) ? atBegin : offsetAt(timeMs);
  };
}
