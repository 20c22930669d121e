import { isEtcdOpsError } from '../base/errors.ts';
import type { ObservedTime } from '../delta/delta-format.ts';
import { DeltaReader } from '../delta/delta-reader.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { storedDeltaSource } from './delta-source.ts';
import type { Inventory, TimelineInventory } from './inventory.ts';
import {
  planRestore,
  timelinesFor,
  without,
  type PlanOptions,
  type RestorePlan,
  type RestoreTarget,
} from './plan-restore.ts';
import {
  deltaToLookInto,
  describeResolved,
  resolveTimeByPoints,
  timelinesAt,
  type ResolvedTime,
} from './time-points.ts';

export interface ResolveTimeOptions extends PlanOptions {
  timeline?: number | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * The largest revision that is surely not later than `timeMs`, by looking into the times of the one delta that matters (in
 * each timeline that had begun by then; mostly that is one). If that delta is damaged, its name must do.
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
  for (const timeline of timelinesAt(timelines, timeMs)) {
    seen.set(timeline.timeline, await readTimes(store, timeline, timeMs, options.signal));
    // Times are fine enough as soon as something is known to be that old: older timelines are not looked into.
    if (seen.get(timeline.timeline)!.some(({ observedMs }) => observedMs <= timeMs)) break;
    if (timeline.fulls.some(({ createdAtMs }) => createdAtMs <= timeMs)) break;
  }
  return resolveTimeByPoints(timelines, timeMs, seen);
}

/** `planRestore`, but a time is resolved as finely as the deltas tell. */
export async function planRestoreFrom(
  store: ObjectStore,
  inventory: Inventory,
  target: RestoreTarget,
  options: Omit<ResolveTimeOptions, 'timeline'> = {},
): Promise<RestorePlan> {
  if (target.kind !== 'time') return planRestore(inventory, target, options);
  const resolved = await resolveTime(store, inventory, target.timeMs, { ...options, timeline: target.timeline });
  const { timeline, revision, observedMs } = resolved;
  const plan = planRestore(inventory, { kind: 'revision', revision, timeline }, options);
  return { ...plan, latestObservedMs: observedMs, warnings: [...describeResolved(resolved), ...plan.warnings] };
}

async function readTimes(
  store: ObjectStore,
  timeline: TimelineInventory,
  timeMs: number,
  signal: AbortSignal | undefined,
): Promise<readonly ObservedTime[]> {
  const delta = deltaToLookInto(timeline, timeMs);
  if (delta === undefined) return [];
  try {
    const reader = await DeltaReader.open(storedDeltaSource(store, delta, signal));
    return await reader.times();
  } catch (error) {
    if (isEtcdOpsError(error, 'DELTA_DAMAGED') || isEtcdOpsError(error, 'STORE_NOT_FOUND')) return [];
    throw error;
  }
}
