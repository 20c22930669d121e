import type { ClusterScheduleOptions } from './cluster-schedule.ts';
import type { DispatchedKind } from './dispatched-kinds.ts';
import { jitterMs } from './jitter.ts';
import type { Schedule } from './schedule.ts';
import { ticks } from './ticks.ts';

/** A tick later than this is not asked for again when the bus comes back: the schedule goes on with the next. */
export const DISPATCH_DEADLINE_MS_MAX = 600_000;

/** The ticks of one kind; the one that comes next is shown. */
export function kindTicks(
  kind: DispatchedKind,
  schedule: Schedule,
  afterMs: number,
  options: ClusterScheduleOptions,
): AsyncGenerator<number> {
  const { spec, gauges, clock, signal } = options;
  const show = (): void => gauges.nextTick.set({ cluster: spec.name, kind }, (schedule.next(clock.now()) ?? 0) / 1_000);
  show();
  return ticks(schedule, { clock, signal, afterMs, delayMs: jitterOf(schedule, options), onDue: show });
}

export async function dispatchTick(
  kind: 'full' | 'gc' | 'defrag' | 'verify' | 'merge' | 'witness' | 'copy',
  cause: 'schedule',
  tickMs: number,
  schedule: Schedule,
  { spec, dispatcher, clock, signal }: ClusterScheduleOptions,
  destination?: string,
): Promise<void> {
  const untilNextMs = (schedule.next(tickMs) ?? Infinity) - clock.now();
  const deadlineMs = Math.max(0, Math.min(untilNextMs, DISPATCH_DEADLINE_MS_MAX));
  await dispatcher.dispatch({ kind, cluster: spec.name, cause, tickMs, deadlineMs, destination }, signal);
}

function jitterOf(schedule: Schedule, { spec, settings, clock, fleetSize }: ClusterScheduleOptions): () => number {
  const next = schedule.next(clock.now());
  const after = next === undefined ? undefined : schedule.next(next);
  const periodMs = next === undefined || after === undefined ? Infinity : after - next;
  return () => jitterMs(spec.name, { clusters: fleetSize(), jitterMsMax: settings.schedulerJitterMsMax, periodMs });
}
