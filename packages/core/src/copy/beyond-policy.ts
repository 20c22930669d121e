import type { Inventory, TimelineInventory } from '../repository/inventory.ts';
import { planRetention } from '../retention/plan-retention.ts';
import type { RetentionPolicy } from '../retention/policy.ts';
import type { CopySides } from './copy-plan.ts';
import { withoutSuperseded } from './copy-scope.ts';

export interface BeyondPolicyOptions {
  policy: RetentionPolicy;
  nowMs: number;
  /** Fulls whose chains were proven, on either side, newest proof first. */
  provenFullKeys: readonly string[];
}

/**
 * What a policy of the target would not keep there, once all were copied: it need not be copied, and, since both sides are looked at
 * together, what retention took away in the target does not come back while the source still has it. Pure.
 */
export function beyondPolicy({ source, target }: CopySides, options: BeyondPolicyOptions): Set<string> {
  const inventory: Inventory = {
    cluster: source.inventory.cluster,
    timelines: joined(
      source.inventory.timelines.map((one) => ({ ...one, ...withoutSuperseded(one) })),
      target.inventory.timelines,
    ),
    foreign: [],
    incomplete: [],
    damaged: [],
  };
  const { policy, nowMs, provenFullKeys } = options;
  const pins = [source, target]
    .flatMap((side) => side.inventory.retention?.pins ?? [])
    .map(({ record }) => record)
    .filter(({ until }) => until === undefined || Date.parse(until) > nowMs);
  const plan = planRetention(inventory, policy, { nowMs, orphanGraceMs: 0, provenFullKeys, pins });
  return new Set(plan.remove.flatMap(({ keys }) => keys));
}

/** The objects of both, each once, in the order that an inventory has. */
function joined(left: readonly TimelineInventory[], right: readonly TimelineInventory[]): TimelineInventory[] {
  const numbers = [...new Set([...left, ...right].map(({ timeline }) => timeline))].toSorted((one, two) => one - two);
  return numbers.map((timeline) => {
    const sides = [right, left].flatMap((side) => side.find((one) => one.timeline === timeline) ?? []);
    const record = sides.findLast((side) => side.record !== undefined)?.record;
    return {
      timeline,
      ...(record === undefined ? {} : { record }),
      fulls: unique(sides.flatMap(({ fulls }) => fulls)).toSorted(
        (one, two) => one.revision - two.revision || one.createdAtMs - two.createdAtMs || byKey(one, two),
      ),
      deltas: unique(sides.flatMap(({ deltas }) => deltas)).toSorted(
        (one, two) => one.first - two.first || one.last - two.last || byKey(one, two),
      ),
    };
  });
}

function unique<T extends { key: string }>(entries: readonly T[]): T[] {
  return [...new Map(entries.map((entry) => [entry.key, entry])).values()];
}

function byKey(one: { key: string }, two: { key: string }): number {
  return one.key < two.key ? -1 : one.key > two.key ? 1 : 0;
}
