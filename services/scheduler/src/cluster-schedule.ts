import type { ClusterSpec, DestinationSpec, LastDone } from '@etcd-ops/bus';
import { isEtcdOpsError } from '@etcd-ops/core';
import { retry, type Clock, type Logger } from '@etcd-ops/service-kit';
import { DISPATCHED_KINDS } from './dispatched-kinds.ts';
import { copyIsDue, decideAtStart, decideDelta, gcIsDue, leavesWork, mergeIsDue } from './decisions.ts';
import { jitterMs } from './jitter.ts';
import { DISPATCH_DEADLINE_MS_MAX, dispatchTick, kindTicks } from './kind-ticks.ts';
import { parseSchedule } from './parse-schedule.ts';
import { dueTick, periodSchedule, type Schedule } from './schedule.ts';
import type { SchedulerPort } from './scheduler-port.ts';
import type { SchedulerSettings } from './settings.ts';
import type { SchedulerMetrics } from './metrics.ts';
import type { TickDispatcher } from './tick-dispatcher.ts';
import { ticks } from './ticks.ts';

export interface ClusterScheduleOptions {
  spec: ClusterSpec;
  settings: SchedulerSettings;
  port: SchedulerPort;
  dispatcher: TickDispatcher;
  /** Shown when the next ticks come. */
  gauges: Pick<SchedulerMetrics, 'nextTick'>;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
  /** Clusters in the fleet now. */
  fleetSize: () => number;
  /** Until when an earlier run of this schedule, under an earlier spec, took care of all ticks; undefined at the first. */
  caredForUntilMs: number | undefined;
}

/** What a garbage collection had to leave is taken up again after the grace, and not before this. */
const GC_AGAIN_MS_MIN = 60_000;
/** Looks at streams per millisecond over the whole fleet stay below one in so many milliseconds. */
const LOOK_SPACING_MS = 10;

/** Asks for the tasks of one cluster until the signal is aborted: fulls, deltas, proofs, and the care of both. */
export async function runClusterSchedule(options: ClusterScheduleOptions): Promise<void> {
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(options.signal.reason);
  options.signal.addEventListener('abort', onAbort, { once: true });
  if (options.signal.aborted) onAbort();
  // What an earlier spec had scheduled may not be any more.
  for (const kind of DISPATCHED_KINDS) options.gauges.nextTick.set({ cluster: options.spec.name, kind }, 0);
  const loops = [fulls, deltas, garbageCollections, defragmentations, proofs, merges, witnesses, copies].map(
    async (loop) => {
      try {
        await loop({ ...options, signal: stop.signal });
      } catch (error) {
        if (stop.signal.aborted && isEtcdOpsError(error, 'CANCELLED')) return;
        // One wrong schedule must not stop the others; it is right again with the next spec.
        if (isEtcdOpsError(error, 'CONFIG_INVALID')) {
          return options.logger.error({ error }, 'A schedule cannot be followed');
        }
        stop.abort(error);
        throw error;
      }
    },
  );
  try {
    await Promise.all(loops);
    // Without any schedule there is still a spec to hold.
    if (!stop.signal.aborted) await aborted(stop.signal);
  } finally {
    options.signal.removeEventListener('abort', onAbort);
    await Promise.allSettled(loops);
  }
}

async function fulls(options: ClusterScheduleOptions): Promise<void> {
  const { spec } = options;
  const schedule = parseSchedule(spec.snapshots.schedule, spec.timezone);
  const afterMs = await startOfFulls(schedule, options);
  for await (const tickMs of kindTicks('full', schedule, afterMs, options)) {
    await dispatchTick('full', 'schedule', tickMs, schedule, options);
  }
}

/** Settles what was missed, and answers up to when all ticks are settled. */
async function startOfFulls(schedule: Schedule, options: ClusterScheduleOptions): Promise<number> {
  const { spec, port, dispatcher, clock, signal, logger } = options;
  if (options.caredForUntilMs !== undefined) return options.caredForUntilMs;
  const last = await retry(() => port.lastDone('full', spec.name), {
    signal,
    clock,
    onRetry: ({ error, delayMs }) => logger.warn({ error, delayMs }, 'Waiting to learn of the last full'),
  });
  const nowMs = clock.now();
  const decision = decideAtStart({ lastTickMs: schedule.last(nowMs), lastFullMs: settledMs(last) });
  if (decision.kind === 'dispatch') {
    const { cause, tickMs } = decision;
    await dispatcher.dispatch(
      { kind: 'full', cluster: spec.name, cause, tickMs, deadlineMs: DISPATCH_DEADLINE_MS_MAX },
      signal,
    );
  }
  return nowMs;
}

/** The moment up to which fulls are settled: the end of the last good one; after a failure, the newest tick that was good. */
function settledMs(last: LastDone | undefined): number | undefined {
  if (last === undefined) return undefined;
  if (last.ok) return Date.parse(last.finishedAt);
  return last.tick === undefined ? undefined : Date.parse(last.tick);
}

async function deltas(options: ClusterScheduleOptions): Promise<void> {
  const { spec, settings, port, dispatcher, gauges, clock, signal, logger } = options;
  const { deltaPeriodMs, deltaBytesMax } = spec.snapshots;
  if (deltaPeriodMs === 0) return;
  const period = periodSchedule(deltaPeriodMs);
  const lookMs = Math.min(
    deltaPeriodMs,
    Math.max(settings.schedulerBytesCheckMs, options.fleetSize() * LOOK_SPACING_MS),
  );
  const jitter = (): number =>
    jitterMs(spec.name, { clusters: options.fleetSize(), jitterMsMax: deltaPeriodMs, periodMs: deltaPeriodMs });
  let afterMs = clock.now();
  let failing = false;
  for await (const lookAtMs of ticks(periodSchedule(lookMs), { clock, signal, afterMs, delayMs: jitter })) {
    const tickMs = dueTick(period, afterMs, lookAtMs);
    gauges.nextTick.set({ cluster: spec.name, kind: 'delta' }, (period.next(lookAtMs) ?? 0) / 1_000);
    try {
      const decision = decideDelta(await port.streamState(spec.name), {
        periodIsOver: tickMs !== undefined,
        bytesMax: deltaBytesMax,
      });
      if (failing) logger.info('The stream can be looked at again');
      failing = false;
      if (tickMs !== undefined) afterMs = tickMs;
      if (decision.kind === 'idle') continue;
      const { cutSequence, cause } = decision;
      const wish = {
        kind: 'delta' as const,
        cluster: spec.name,
        cause,
        cutSequence,
        occasion: `sequence-${cutSequence}`,
        deadlineMs: 0,
      };
      await dispatcher.dispatch({ ...wish, tickMs }, signal);
    } catch (error) {
      if (isEtcdOpsError(error, 'CANCELLED')) throw error;
      // An outage is told once, not each second; the tick stays due.
      if (!failing) logger.warn({ error }, 'Cannot look at the stream; no deltas are asked for meanwhile');
      failing = true;
    }
  }
}

async function garbageCollections(options: ClusterScheduleOptions): Promise<void> {
  const { spec, settings, port, clock, logger } = options;
  const schedule = periodSchedule(spec.retention.gcPeriodMs);
  for await (const tickMs of kindTicks('gc', schedule, clock.now(), options)) {
    try {
      const [full, gc] = await Promise.all([port.lastDone('full', spec.name), port.lastDone('gc', spec.name)]);
      const lastFullMs = full?.ok === true ? Date.parse(full.finishedAt) : undefined;
      const lastGcMs = gc === undefined ? undefined : Date.parse(gc.finishedAt);
      const leftWork = gc !== undefined && leavesWork(gc);
      const leftAgainMs = Math.max(GC_AGAIN_MS_MIN, spec.retention.graceMs);
      const periods = { restsEveryMs: settings.schedulerGcRestsEveryMs, leftAgainMs };
      if (!gcIsDue({ lastFullMs, lastGcMs, leftWork }, { nowMs: clock.now(), ...periods })) continue;
    } catch (error) {
      logger.warn({ error }, 'Cannot learn whether garbage collection is due');
      continue;
    }
    await dispatchTick('gc', 'schedule', tickMs, schedule, options);
  }
}

async function defragmentations(options: ClusterScheduleOptions): Promise<void> {
  const { spec, clock } = options;
  if (!spec.defrag.enabled) return;
  const schedule = parseSchedule(spec.defrag.schedule, spec.timezone);
  const afterMs = options.caredForUntilMs ?? clock.now();
  for await (const tickMs of kindTicks('defrag', schedule, afterMs, options)) {
    await dispatchTick('defrag', 'schedule', tickMs, schedule, options);
  }
}

/** A proof that was missed while nobody was there is made up for, once: late is better than a day without. */
async function proofs(options: ClusterScheduleOptions): Promise<void> {
  const { spec } = options;
  if (!spec.proof.enabled) return;
  const schedule = parseSchedule(spec.proof.schedule, spec.timezone);
  const afterMs = options.caredForUntilMs ?? (await startOfProofs(schedule, options));
  for await (const tickMs of kindTicks('verify', schedule, afterMs, options)) {
    await dispatchTick('verify', 'schedule', tickMs, schedule, options);
  }
}

/** Up to when proofs are settled: the newest tick when one was done since, else the one before it. */
async function startOfProofs(
  schedule: Schedule,
  { spec, port, clock, signal, logger }: ClusterScheduleOptions,
): Promise<number> {
  const last = await retry(() => port.lastDone('verify', spec.name), {
    signal,
    clock,
    onRetry: ({ error, delayMs }) => logger.warn({ error, delayMs }, 'Waiting to learn of the last proof'),
  });
  const nowMs = clock.now();
  const tickMs = schedule.last(nowMs);
  const isMissed = last?.tick !== undefined && tickMs !== undefined && Date.parse(last.tick) < tickMs;
  return isMissed ? tickMs - 1 : nowMs;
}

async function merges(options: ClusterScheduleOptions): Promise<void> {
  const { spec, settings, port, clock, logger } = options;
  const { enabled, periodMs, windowsMs, settleMs } = spec.merging;
  if (!enabled || spec.snapshots.deltaPeriodMs === 0) return;
  const schedule = periodSchedule(periodMs);
  const afterMs = options.caredForUntilMs ?? clock.now();
  for await (const tickMs of kindTicks('merge', schedule, afterMs, options)) {
    try {
      const [full, delta, lastMerge] = await Promise.all(
        (['full', 'delta', 'merge'] as const).map((kind) => port.lastDone(kind, spec.name)),
      );
      const stored = [full, delta].flatMap((done) => (done === undefined ? [] : [Date.parse(done.finishedAt)]));
      const lastStoredMs = stored.length === 0 ? undefined : Math.max(...stored);
      const windows = { windowsMs, settleMs, restsEveryMs: settings.schedulerGcRestsEveryMs };
      if (!mergeIsDue({ lastStoredMs, lastMerge }, { nowMs: clock.now(), ...windows })) continue;
    } catch (error) {
      logger.warn({ error }, 'Cannot learn whether a merge is due');
      continue;
    }
    await dispatchTick('merge', 'schedule', tickMs, schedule, options);
  }
}

async function witnesses(options: ClusterScheduleOptions): Promise<void> {
  const { spec, clock } = options;
  if (spec.proof.witnesses === 'off') return;
  const schedule = periodSchedule(spec.proof.witnessPeriodMs);
  const afterMs = options.caredForUntilMs ?? clock.now();
  for await (const tickMs of kindTicks('witness', schedule, afterMs, options)) {
    await dispatchTick('witness', 'schedule', tickMs, schedule, options);
  }
}

/** Each destination by itself: one that is away holds up no other. */
async function copies(options: ClusterScheduleOptions): Promise<void> {
  const { destinations = [] } = options.spec;
  await Promise.all(destinations.map(async (destination) => await copiesInto(destination, options)));
}

async function copiesInto(destination: DestinationSpec, options: ClusterScheduleOptions): Promise<void> {
  const { spec, settings, port, clock, logger } = options;
  const schedule = periodSchedule(destination.periodMs);
  for await (const tickMs of kindTicks('copy', schedule, clock.now(), options)) {
    try {
      const [full, delta, merge, lastCopy] = await Promise.all([
        ...(['full', 'delta', 'merge'] as const).map((kind) => port.lastDone(kind, spec.name)),
        port.lastDone('copy', spec.name, destination.name),
      ]);
      const state = { lastFullMs: settledMs(full), lastDeltaMs: endOf(delta), lastMergeMs: endOf(merge), lastCopy };
      const leftAgainMs = Math.max(GC_AGAIN_MS_MIN, destination.retention.graceMs);
      const periods = { restsEveryMs: settings.schedulerGcRestsEveryMs, leftAgainMs };
      if (!copyIsDue(state, { nowMs: clock.now(), ...periods })) continue;
    } catch (error) {
      logger.warn({ error, destination: destination.name }, 'Cannot learn whether a copy is due');
      continue;
    }
    await dispatchTick('copy', 'schedule', tickMs, schedule, options, destination.name);
  }
}

/** When a task last ended well and had something to do. */
function endOf(done: LastDone | undefined): number | undefined {
  return done?.ok === true && done.summary['merged'] !== 0 ? Date.parse(done.finishedAt) : undefined;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
