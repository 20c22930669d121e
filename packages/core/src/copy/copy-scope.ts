import { EtcdOpsError } from '../base/errors.ts';
import { DeltaCoverage } from '../repository/coverage.ts';
import { reachedMsOf } from '../repository/full-times.ts';
import type { DeltaEntry, FullEntry, Inventory, LeaseEntry, TimelineInventory } from '../repository/inventory.ts';
import { noBackup } from '../repository/not-restorable.ts';
import { plannedLeases } from '../repository/planned-leases.ts';
import { planRestore } from '../repository/plan-restore.ts';
import { supersededDeltas } from '../retention/superseded.ts';

/** What of a repository is copied. */
export type CopyScope =
  | { kind: 'all' }
  /** The chain that a restore of the newest state uses. */
  | { kind: 'newest' }
  /** This full and the contiguous deltas behind it. */
  | { kind: 'snapshot'; key: string }
  /** All that makes every moment from this one on restorable, in milliseconds since the epoch. */
  | { kind: 'since'; timeMs: number };

/** The part of one timeline that is copied. */
export interface CopiedTimeline {
  timeline: number;
  /** By revision, then by time. */
  fulls: FullEntry[];
  /** By first, then by last revision. */
  deltas: DeltaEntry[];
  /** By revision, then by time; without those that a copied delta took in. */
  leases: LeaseEntry[];
}

/**
 * Deltas that a larger one replaces are left behind: what they say goes along in that one.
 * @throws EtcdOpsError NO_BACKUP when there is nothing that could be restored, STORE_NOT_FOUND for an unknown snapshot.
 */
export function scopeOfCopy(inventory: Inventory, scope: CopyScope): CopiedTimeline[] {
  if (inventory.timelines.every(({ fulls }) => fulls.length === 0)) throw noBackup(inventory);
  const timelines = inventory.timelines.map(withoutSuperseded);
  switch (scope.kind) {
    case 'all':
      return timelines;
    case 'newest': {
      // A copy of what there is, is better than none; `check` and `verify` of the source tell what lacks.
      const { full } = planRestore(inventory, { kind: 'latest' }, { allowOlder: true });
      return chainOf(timelines, full.key);
    }
    case 'snapshot':
      return chainOf(timelines, scope.key);
    case 'since':
      return since(timelines, scope.timeMs);
  }
}

/** As a copy takes it. */
export function withoutSuperseded(whole: TimelineInventory): CopiedTimeline {
  const { timeline, fulls } = whole;
  const superseded = supersededDeltas(whole.deltas, () => true);
  const deltas = whole.deltas.filter(({ key }) => !superseded.has(key));
  return { timeline, fulls, deltas, leases: plannedLeases(whole, { from: 0, to: Infinity, deltas }) };
}

function chainOf(timelines: readonly CopiedTimeline[], key: string): CopiedTimeline[] {
  for (const { timeline, fulls, deltas, leases } of timelines) {
    const full = fulls.find((one) => one.key === key);
    if (full === undefined) continue;
    const end = new DeltaCoverage(deltas).reachFrom(full.revision);
    return [
      {
        timeline,
        fulls: [full],
        deltas: deltas.filter(({ first, last }) => last > full.revision && first <= end),
        leases: leases.filter(({ revision }) => revision >= full.revision && revision <= end),
      },
    ];
  }
  throw new EtcdOpsError('STORE_NOT_FOUND', {
    message: `There is no full snapshot ${key} in the repository`,
    remedy: '`etcd-ops list` shows the keys of all fulls.',
  });
}

/**
 * From the newest full that is older than the moment on. Of timelines that had ended before it only the last one counts: it tells what
 * the state was.
 */
function since(timelines: readonly CopiedTimeline[], timeMs: number): CopiedTimeline[] {
  const withFulls = timelines.filter(({ fulls }) => fulls.length > 0);
  return withFulls.flatMap((found) => {
    const { timeline, fulls, deltas, leases } = found;
    const endedMs = latestOf([...fulls.map(reachedMsOf), ...deltas.map(lastSeenMs)]);
    if (endedMs <= timeMs && found !== withFulls.at(-1)) return [];
    const base = fulls.findLast((full) => reachedMsOf(full) <= timeMs);
    const start = base?.revision ?? 0;
    return [
      {
        timeline,
        fulls: fulls.filter((full) => full === base || reachedMsOf(full) > timeMs),
        deltas: deltas.filter(({ last }) => last > start),
        leases: leases.filter(({ revision }) => revision >= start),
      },
    ];
  });
}

function lastSeenMs({ lastObservedMs, modifiedAtMs }: DeltaEntry): number {
  return lastObservedMs === 0 ? modifiedAtMs : lastObservedMs;
}

/** Of more numbers than a call takes arguments. */
function latestOf(timesMs: readonly number[]): number {
  return timesMs.reduce((latest, timeMs) => Math.max(latest, timeMs), 0);
}
