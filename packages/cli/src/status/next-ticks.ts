import type { StatusAnswer } from '@etcd-ops/bus';
import { parseSchedule, periodSchedule } from '@etcd-ops/scheduler';

type Schedules = NonNullable<StatusAnswer['clusters'][number]['schedules']>;

/** RFC 3339; a kind that is turned off has none. */
export interface NextTicks {
  full?: string;
  delta?: string;
  gc?: string;
  defrag?: string;
}

/**
 * When each kind of work is due next. A tick follows from the schedule alone, so nobody need be asked: work may come earlier (a full stream,
 * a long chain), a little later in a large fleet, or not at all when there is nothing to do.
 */
export function nextTicks({ timezone, full, deltaPeriodMs, gcPeriodMs, defrag }: Schedules, nowMs: number): NextTicks {
  const ticks = {
    full: parseSchedule(full, timezone).next(nowMs),
    delta: deltaPeriodMs === 0 ? undefined : periodSchedule(deltaPeriodMs).next(nowMs),
    gc: periodSchedule(gcPeriodMs).next(nowMs),
    defrag: defrag === undefined ? undefined : parseSchedule(defrag, timezone).next(nowMs),
  };
  return Object.fromEntries(
    Object.entries(ticks).flatMap(([kind, ms]) => (ms === undefined ? [] : [[kind, new Date(ms).toISOString()]])),
  );
}
