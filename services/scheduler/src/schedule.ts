/**
 * When ticks are. A tick is a moment that follows from the schedule alone, never from when somebody looked:
 * schedulers with clocks apart, started at different times, name the same ticks.
 */
export interface Schedule {
  /** The first tick after `afterMs` (milliseconds since the epoch); undefined when there is none in sight. */
  next(afterMs: number): number | undefined;
  /** The newest tick at or before `atMs`; undefined when there is none in sight. */
  last(atMs: number): number | undefined;
}

/** A tick at each whole multiple of the period since the epoch. */
export function periodSchedule(periodMs: number): Schedule {
  if (!Number.isInteger(periodMs) || periodMs < 1) throw new RangeError(`A period of ${periodMs} ms`);
  return {
    next: (afterMs) => (Math.floor(afterMs / periodMs) + 1) * periodMs,
    last: (atMs) => Math.floor(atMs / periodMs) * periodMs,
  };
}

/** The newest tick in (after, at]: of several that were missed only the newest is worth doing. */
export function dueTick(schedule: Schedule, afterMs: number, atMs: number): number | undefined {
  const tick = schedule.last(atMs);
  return tick !== undefined && tick > afterMs ? tick : undefined;
}
