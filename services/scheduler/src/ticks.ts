import type { Clock } from '@etcd-ops/service-kit';
import { dueTick, type Schedule } from './schedule.ts';

/** Sleeps are cut into pieces of this length, so that a clock that was set is noticed. */
const NAP_MS_MAX = 20_000;
/** A clock that falls back further than this was set; its old ticks no longer hold us back. */
const CLOCK_STEP_MS = 120_000;

export interface TicksOptions {
  clock: Clock;
  signal: AbortSignal;
  /** Ticks at or before it are done. */
  afterMs: number;
  /** Added to each tick before it is given. Asked anew each time: it changes with the fleet. */
  delayMs?: () => number;
  /** Called when a tick is due, before it is given. */
  onDue?: () => void;
}

/**
 * The ticks of a schedule as they become due. Those that pass while the consumer is busy, the process is suspended or the clock
 * leaps are merged: only the newest is given. Ends when the signal is aborted or the schedule has no more ticks.
 */
export async function* ticks(schedule: Schedule, options: TicksOptions): AsyncGenerator<number> {
  const { clock, signal, delayMs = () => 0, onDue } = options;
  let { afterMs } = options;
  while (!signal.aborted) {
    const nowMs = clock.now();
    if (nowMs < afterMs - CLOCK_STEP_MS) afterMs = nowMs;
    const due = dueTick(schedule, afterMs, nowMs - delayMs());
    if (due !== undefined) {
      afterMs = due;
      onDue?.();
      yield due;
      continue;
    }
    const next = schedule.next(afterMs);
    if (next === undefined) return;
    try {
      await clock.sleep(Math.min(Math.max(next + delayMs() - nowMs, 1), NAP_MS_MAX), signal);
    } catch {
      // Only the signal ends a sleep early.
      return;
    }
  }
}
