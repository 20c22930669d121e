import { readInventory, type RestorePlan } from '@etcd-ops/core';
import type { ChaosWorld } from '../world/chaos-world.ts';
import { checkLeases } from './lease-check.ts';
import { checkDeltas, checkGaps, checkHash, checkRows, settled } from './repository-check.ts';
import type { StreamAudit } from './stream-audit.ts';

export interface CheckOptions {
  world: ChaosWorld;
  audit: StreamAudit;
  /** Revisions at which the load asked for a compaction. */
  compactions?: readonly number[];
  /** Rows up to here were compared before. */
  after?: number;
  /** Redelivery of a task, a new owner, a scheduled full: all together stay far below. */
  settleMsMax?: number;
}

export interface CheckReport {
  plan: RestorePlan;
  /** Rows of deltas that were compared with the cluster's file. */
  rows: number;
  /** Leases whose TTL was compared with the living cluster. */
  leases: number;
  gaps: number;
  /** Until everything was restorable. */
  settleMs: number;
}

const SETTLE_MS_MAX = 120_000;

/**
 * Waits until the repository has reached the head of a cluster that nobody writes to, then holds it against the living cluster: all
 * that was acknowledged can be restored, equal to the byte, in one timeline, and what lacks was compacted. @throws naming what is wrong.
 */
export async function checkWorld(options: CheckOptions): Promise<CheckReport> {
  const { world, audit, compactions = [], after = 0, settleMsMax = SETTLE_MS_MAX } = options;
  const begunMs = performance.now();
  // Before: leases run out all the time, and what is acknowledged while we look belongs to the next look.
  const acknowledged = audit.acknowledged.map((found) => ({ ...found }));
  const plan = await settled(world, settleMsMax);
  const settleMs = Math.round(performance.now() - begunMs);
  const inventory = await readInventory(world.store, world.cluster);
  if (inventory.timelines.length !== 1) {
    throw new Error(`${inventory.timelines.length} timelines, though nothing forked`);
  }
  if (inventory.damaged.length > 0) throw new Error(`Damaged: ${JSON.stringify(inventory.damaged)}`);
  for (const { timeline, revision } of acknowledged) {
    if (timeline === plan.timeline && revision <= plan.revision) continue;
    throw new Error(`Revision ${revision} was acknowledged and ${plan.revision} is the last restorable one`);
  }
  if (audit.violations.length > 0) throw new Error(`The event stream: ${audit.violations.join('; ')}`);
  checkDeltas(inventory, compactions, { positionsWereLost: world.tailsLost > 0 });
  const gaps = checkGaps(inventory, compactions);
  await checkHash(world, plan);
  const rows = await checkRows(world, inventory, after);
  const leases = await checkLeases(world);
  return { plan, rows, leases, gaps, settleMs };
}
