import type { Inventory } from '../repository/inventory.ts';
import { planRestore, type RestorePlan } from '../repository/plan-restore.ts';
import { markedKeys, readRetentionRecords } from '../repository/read-retention-records.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { holdObjects, type Hold } from './hold.ts';

export interface HeldPlan extends Hold {
  readonly plan: RestorePlan;
}

export interface HoldPlanOptions {
  plan: RestorePlan;
  /** For people: `restore`. */
  purpose: string;
  /** Keys that the plan must go round. */
  exclude: ReadonlySet<string>;
  /** Exactly this full was asked for: nothing else makes the plan. */
  isFixed: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Holds what a plan reads, and plans the same revision anew if some of it was marked for removal since the inventory was read.
 * To be disposed when the reading is done.
 * @throws EtcdOpsError STORE_..., CANCELLED.
 */
export async function holdPlan(
  store: ObjectStore,
  inventory: Inventory,
  { plan, purpose, exclude, isFixed, signal }: HoldPlanOptions,
): Promise<HeldPlan> {
  const { cluster, timeline, revision, full } = plan;
  const hold = await holdObjects(store, { cluster, purpose, chain: { timeline, full: full.key, to: revision } });
  // V8 takes no bound function for a disposer.
  const release = async (): Promise<void> => await hold[Symbol.asyncDispose]();
  const held = (found: RestorePlan): HeldPlan => ({
    plan: found,
    problem: hold.problem,
    [Symbol.asyncDispose]: release,
  });
  if (hold.problem !== undefined || isFixed) return held(plan);
  try {
    const retention = await readRetentionRecords(store, cluster, { signal });
    const marked = new Set(retention.marks.flatMap(markedKeys));
    if (![full, ...plan.deltas].some(({ key }) => marked.has(key))) return held(plan);
    const again = planRestore({ ...inventory, retention }, { kind: 'revision', revision, timeline }, { exclude });
    // The way there differs; what was said about the moment that was asked for still holds.
    return held({ ...again, warnings: [...new Set([...plan.warnings, ...again.warnings])] });
  } catch (error) {
    await release();
    throw error;
  }
}
