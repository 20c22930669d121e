import type { ErrorCode } from '../base/error-codes.ts';
import { isEtcdOpsError } from '../base/errors.ts';
import type { ObservedTime } from '../delta/delta-format.ts';
import type { Identities } from '../encryption/identities.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { openStoredDelta } from './delta-source.ts';
import { reachedMsOf } from './full-times.ts';
import type { DeltaEntry, Inventory, TimelineInventory } from './inventory.ts';
import {
  planRestore,
  timelinesFor,
  without,
  type PlanOptions,
  type RestorePlan,
  type RestoreTarget,
} from './plan-restore.ts';
import { describeTimeBehindEnd } from './time-behind-end.ts';
import {
  deltaToLookInto,
  describeResolved,
  resolveTimeByPoints,
  timelinesAt,
  type ResolvedTime,
} from './time-points.ts';

export interface ResolveTimeOptions extends PlanOptions {
  timeline?: number | undefined;
  /** What opens encrypted deltas: without them, times are as fine as names tell. */
  identities?: Identities | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * The largest revision that is surely not later than `timeMs`, by looking into the times of the one delta that matters (in
 * each timeline that had begun by then; mostly that is one). If that delta is damaged, or encrypted and no identity at hand
 * opens it, its name must do, and in the latter case `notLookedInto` says so.
 * @throws EtcdOpsError NO_BACKUP, TIME_NOT_RESTORABLE, STORE_FAILED, CANCELLED.
 */
export async function resolveTime(
  store: ObjectStore,
  inventory: Inventory,
  timeMs: number,
  options: ResolveTimeOptions = {},
): Promise<ResolvedTime> {
  const timelines = timelinesFor(without(inventory, options.exclude ?? new Set()), options.timeline);
  const seen = new Map<number, readonly ObservedTime[]>();
  const locked: string[] = [];
  for (const timeline of timelinesAt(timelines, timeMs)) {
    seen.set(timeline.timeline, await readTimes(store, timeline, timeMs, { ...options, locked }));
    // Times are fine enough as soon as something is known to be that old: older timelines are not looked into.
    if (seen.get(timeline.timeline)!.some(({ observedMs }) => observedMs <= timeMs)) break;
    if (timeline.fulls.some((full) => reachedMsOf(full) <= timeMs)) break;
  }
  const resolved = resolveTimeByPoints(timelines, timeMs, seen);
  return locked.length === 0 ? resolved : { ...resolved, notLookedInto: locked };
}

/** `planRestore`, but a time is resolved as finely as the deltas tell. */
export async function planRestoreFrom(
  store: ObjectStore,
  inventory: Inventory,
  target: RestoreTarget,
  options: Omit<ResolveTimeOptions, 'timeline'> = {},
): Promise<RestorePlan> {
  if (target.kind !== 'time') return await observed(store, inventory, planRestore(inventory, target, options), options);
  const { timeMs } = target;
  const resolved = await resolveTime(store, inventory, timeMs, { ...options, timeline: target.timeline });
  const { timeline, revision, observedMs } = resolved;
  const timelines = timelinesFor(without(inventory, options.exclude ?? new Set()), target.timeline);
  const only = target.timeline !== undefined;
  const behind = describeTimeBehindEnd(inventory, timelines, resolved, { timeMs, only });
  const plan = planRestore(inventory, { kind: 'revision', revision, timeline }, options);
  return {
    ...plan,
    latestObservedMs: observedMs,
    warnings: [...describeResolved(resolved), ...behind, ...plan.warnings],
  };
}

/** A revision inside of a delta: its times tell better than the end of it when the revision had been reached. */
async function observed(
  store: ObjectStore,
  inventory: Inventory,
  plan: RestorePlan,
  { identities, signal }: ResolveTimeOptions,
): Promise<RestorePlan> {
  const { revision } = plan;
  if (revision === (plan.deltas.at(-1)?.last ?? plan.full.revision)) return plan;
  const deltas = inventory.timelines.find(({ timeline }) => timeline === plan.timeline)?.deltas ?? [];
  const delta = plan.deltas.at(-1) ?? deltas.find(({ first, last }) => first <= revision && revision <= last);
  if (delta === undefined) return plan;
  const times = await timesOf(store, delta, { identities, signal, locked: [] });
  const seen = times.find((time) => time.revision >= revision);
  return seen === undefined ? plan : { ...plan, latestObservedMs: seen.observedMs };
}

const NAME_MUST_DO: readonly ErrorCode[] = ['DELTA_DAMAGED', 'OBJECT_DAMAGED', 'STORE_NOT_FOUND', 'IDENTITY_MISSING'];

async function readTimes(
  store: ObjectStore,
  timeline: TimelineInventory,
  timeMs: number,
  options: ResolveTimeOptions & { locked: string[] },
): Promise<readonly ObservedTime[]> {
  const delta = deltaToLookInto(timeline, timeMs);
  return delta === undefined ? [] : await timesOf(store, delta, options);
}

async function timesOf(
  store: ObjectStore,
  delta: DeltaEntry,
  { identities, signal, locked }: ResolveTimeOptions & { locked: string[] },
): Promise<readonly ObservedTime[]> {
  try {
    const reader = await openStoredDelta(store, delta, { identities, signal });
    return await reader.times();
  } catch (error) {
    if (!isEtcdOpsError(error) || !NAME_MUST_DO.includes(error.code)) throw error;
    if (error.code === 'IDENTITY_MISSING') locked.push(delta.key);
    return [];
  }
}
