import type { ErrorCode } from '../base/error-codes.ts';
import { describeError, EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import type { DeltaEntry, Inventory } from '../repository/inventory.ts';
import { planRestore, type RestorePlan, type RestoreTarget } from '../repository/plan-restore.ts';
import { planRestoreFrom } from '../repository/resolve-time.ts';
import { holdPlan } from '../retention/hold-plan.ts';
import { DamagedObjectError } from './damaged-object.ts';
import { restore } from './restore.ts';
import type { RestoreOptions, RestoreReport } from './restore-options.ts';
import { planSafeBump, type SafeBump } from './safe-bump.ts';

export interface RestoreAroundOptions extends Omit<RestoreOptions, 'plan' | 'leaseDeltas' | 'leaseObjects'> {
  inventory: Inventory;
  /** A revision, a time, a snapshot or the latest. */
  restoreTo: RestoreTarget;
  /** `latest` is the newest that can be restored, even where the listing shows that more was captured. */
  allowOlder?: boolean | undefined;
  /** Bump the revision so far that no watcher of the old cluster can have passed it; excludes `bumpRevision`. */
  safeBump?: boolean | { lagMsMin?: number; nowMs?: number } | undefined;
}

export interface DamageFound {
  key: string;
  problem: string;
}

export type RestoreAroundReport = RestoreReport & {
  plan: RestorePlan;
  /** Objects that were found damaged on the way and planned around. */
  damaged: DamageFound[];
  /** What was chosen for `safeBump`, and why. */
  safeBump?: SafeBump;
};

/** Each attempt costs up to one fetch of a full. */
const ATTEMPTS_MAX = 20;
/** What planning says when nothing makes the target. */
const PLAN_CODES: readonly ErrorCode[] = [
  'NO_BACKUP',
  'OBJECT_DAMAGED',
  'MANIFEST_DAMAGED',
  'REVISION_NOT_RESTORABLE',
  'TIME_NOT_RESTORABLE',
  'STORE_NOT_FOUND',
];

/**
 * Plans and restores; an object that turns out to be damaged is left out and the restore planned again, as long as another
 * chain of the same timeline makes the same revision. What `latest` or a time means is settled by the first plan: damage
 * may change the way there, never silently the revision. Less than that, or another timeline, is the operator's choice.
 * What is read is held, so that retention does not take it away meanwhile.
 *
 * @throws DamagedObjectError the damage, when no other chain does: its remedy names the newest revision that can still be
 *   restored; else as `restore` and `planRestoreFrom`.
 */
export async function restoreAround(options: RestoreAroundOptions): Promise<RestoreAroundReport> {
  const { inventory, restoreTo, allowOlder, safeBump: wanted, ...rest } = options;
  if (wanted !== undefined && wanted !== false && rest.bumpRevision !== undefined) {
    throw new EtcdOpsError('USAGE', { message: 'Either a bump is given, or a safe one is to be computed' });
  }
  const { store, identities, signal } = options;
  const exclude = new Set<string>();
  const damaged: DamageFound[] = [];
  let plan = await planRestoreFrom(store, inventory, restoreTo, { identities, signal, allowOlder });
  const safeBump = bumpFor(wanted, inventory, plan.revision);
  const bump = safeBump === undefined ? {} : { bumpRevision: safeBump.by };
  for (;;) {
    const isFixed = restoreTo.kind === 'snapshot';
    await using held = await holdPlan(store, inventory, { plan, purpose: 'restore', exclude, isFixed, signal });
    plan = held.plan;
    try {
      const report = await restore({ ...rest, ...bump, plan, ...leaseHintsFor(plan, inventory, exclude) });
      const warnings = damaged.map(({ key, problem }) => `${key} is damaged and was not used: ${problem}`);
      const chosen = safeBump === undefined ? {} : { safeBump };
      return { ...report, ...chosen, warnings: [...warnings, ...report.warnings], plan, damaged };
    } catch (error) {
      if (
        !(error instanceof DamagedObjectError) ||
        exclude.has(error.objectKey) ||
        damaged.length + 1 >= ATTEMPTS_MAX
      ) {
        throw error;
      }
      exclude.add(error.objectKey);
      damaged.push({ key: error.objectKey, problem: describeError(error) });
      plan = planWithout(options, exclude, plan, error);
    }
  }
}

function bumpFor(
  wanted: RestoreAroundOptions['safeBump'],
  inventory: Inventory,
  revision: number,
): SafeBump | undefined {
  if (wanted === undefined || wanted === false) return undefined;
  const { lagMsMin, nowMs = Date.now() } = wanted === true ? {} : wanted;
  return planSafeBump(inventory, { revision, nowMs, lagMsMin });
}

/** The same revision of the same timeline in another way. One full as it is cannot be replaced by another one. */
function planWithout(
  { inventory, restoreTo }: RestoreAroundOptions,
  exclude: ReadonlySet<string>,
  { revision, timeline }: RestorePlan,
  damage: DamagedObjectError,
): RestorePlan {
  if (restoreTo.kind === 'snapshot') throw damage;
  try {
    return planRestore(inventory, { kind: 'revision', revision, timeline }, { exclude });
  } catch (error) {
    // Without the damage there was a plan: the damage is what the reader must know of.
    if (isEtcdOpsError(error) && PLAN_CODES.includes(error.code)) {
      throw withAlternative(damage, inventory, exclude, timeline);
    }
    throw error;
  }
}

/** The same damage, with what can be had in spite of it. */
function withAlternative(
  damage: DamagedObjectError,
  inventory: Inventory,
  exclude: ReadonlySet<string>,
  timeline: number,
): DamagedObjectError {
  const { code, objectKey, rule, cause } = damage;
  try {
    const { revision } = planRestore(inventory, { kind: 'latest', timeline }, { exclude, allowOlder: true });
    const remedy = `Without it, revision ${revision} of timeline ${timeline} is the newest that can be restored; ask for it with --revision ${revision} --timeline ${timeline}.`;
    return new DamagedObjectError(code, objectKey, { rule, cause, remedy, facts: { newest: revision, timeline } });
  } catch {
    return damage;
  }
}

/** What of the timeline the plan does not read, nearest to its revision first: it may know TTLs of its leases. */
function leaseHintsFor(
  plan: RestorePlan,
  inventory: Inventory,
  exclude: ReadonlySet<string>,
): Pick<RestoreOptions, 'leaseDeltas' | 'leaseObjects'> {
  const planned = new Set([...plan.deltas, ...(plan.leases ?? [])].map(({ key }) => key));
  const timeline = inventory.timelines.find((candidate) => candidate.timeline === plan.timeline);
  const isOther = ({ key }: { key: string }): boolean => !planned.has(key) && !exclude.has(key);
  const nearestFirst = (left: Span, right: Span): number =>
    distance(left, plan.revision) - distance(right, plan.revision);
  const leases = (timeline?.leases ?? []).filter(isOther).toSorted((left, right) => {
    return Math.abs(left.revision - plan.revision) - Math.abs(right.revision - plan.revision);
  });
  return {
    leaseDeltas: (timeline?.deltas ?? []).filter(isOther).toSorted(nearestFirst),
    leaseObjects: leases,
  };
}

type Span = Pick<DeltaEntry, 'first' | 'last'>;

function distance({ first, last }: Span, revision: number): number {
  return revision < first ? first - revision : Math.max(0, revision - last);
}
