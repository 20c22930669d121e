import { EtcdOpsError } from '../base/errors.ts';
import { readInventory, type Inventory } from '../repository/inventory.ts';
import { readProofs } from '../repository/read-proofs.ts';
import type { RetentionRecords, StoredRecord } from '../repository/read-retention-records.ts';
import type { PinRecord } from '../repository/retention-records.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { lossesOf, type RetentionLosses } from './losses.ts';
import { heedLocks, planRetention, type RetentionPlan } from './plan-retention.ts';
import type { RetentionPolicy } from './policy.ts';
import { readLocks } from './read-locks.ts';
import { stageRemoval, type RemovalStage } from './stage-removal.ts';

export interface CollectionOptions {
  store: ObjectStore;
  cluster: string;
  policy: RetentionPolicy;
  /** See `RetentionOptions`. */
  orphanGraceMs: number;
  /** From marking an object to removing it. */
  graceMs: number;
  /** Milliseconds since the epoch. */
  now: () => number;
  signal?: AbortSignal | undefined;
}

/** What the policy makes of a repository, and how far its removals are. */
export interface Collection {
  inventory: Inventory;
  plan: RetentionPlan;
  stage: RemovalStage;
  /** What the whole plan makes unrestorable. */
  losses: RetentionLosses;
}

/**
 * Reads a repository and plans its retention: with pins, proofs and the store's own locks.
 * @throws EtcdOpsError MANIFEST_DAMAGED when a pin cannot be read: what it keeps is not known. STORE_..., CANCELLED.
 */
export async function planCollection(options: CollectionOptions): Promise<Collection> {
  const { store, cluster, policy, orphanGraceMs, graceMs, signal } = options;
  const inventory = await readInventory(store, cluster, { signal });
  const records = recordsOf(inventory);
  const { provenChains } = await readProofs(store, cluster, { signal });
  const nowMs = options.now();
  const planned = planRetention(inventory, policy, {
    nowMs,
    orphanGraceMs,
    provenFullKeys: provenChains.map(({ record }) => record.full),
    pins: livePins(records, nowMs).map(({ record }) => record),
  });
  const plan = heedLocks(planned, await readLocks(store, planned.remove, { nowMs, signal }));
  const stage = stageRemoval(plan, records, { nowMs, graceMs });
  return { inventory, plan, stage, losses: lossesOf(inventory, plan.remove) };
}

/** Pins that have not ended. @throws EtcdOpsError MANIFEST_DAMAGED when one cannot be read. */
export function livePins(records: RetentionRecords, nowMs: number): StoredRecord<PinRecord>[] {
  const unreadable = records.damaged.find(({ kind }) => kind === 'pin');
  if (unreadable !== undefined) {
    throw new EtcdOpsError('MANIFEST_DAMAGED', {
      message: `The pin ${unreadable.key} cannot be read, so nobody knows what it keeps: ${unreadable.reason}`,
      remedy:
        'Nothing is removed until it is gone: `etcd-ops unpin` takes it away by its id, and `pin` makes a new one.',
    });
  }
  return records.pins.filter(({ record }) => record.until === undefined || Date.parse(record.until) > nowMs);
}

export function recordsOf({ retention }: Inventory): RetentionRecords {
  return retention ?? { pins: [], holds: [], marks: [], damaged: [] };
}
