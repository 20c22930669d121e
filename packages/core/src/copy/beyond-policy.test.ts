import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Inventory, TimelineInventory } from '../repository/inventory.ts';
import { manifestKey } from '../repository/object-key.ts';
import { inventoryOf } from '../repository/repository-samples.ts';
import { planRetention } from '../retention/plan-retention.ts';
import type { RetentionPolicy } from '../retention/policy.ts';
import { NOW_MS, retentionHistory, retentionHistoryOnTime, retentionPolicy } from '../retention/retention-arbitrary.ts';
import { supersededDeltas } from '../retention/superseded.ts';
import type { ObjectInfo } from '../storage/object-store.ts';
import { beyondPolicy } from './beyond-policy.ts';
import { planCopy, type CopySides } from './copy-plan.ts';

type Side = CopySides['source'];

function sideOf(inventory: Inventory): Side {
  const objects = new Map<string, ObjectInfo>();
  for (const { fulls, deltas } of inventory.timelines) {
    for (const { key, bytes } of [...fulls, ...deltas]) objects.set(key, { key, bytes, modifiedAtMs: 0 });
    for (const { key } of fulls) objects.set(manifestKey(key), { key: manifestKey(key), bytes: 1, modifiedAtMs: 0 });
  }
  return { inventory, objects };
}

function only(inventory: Inventory, keys: ReadonlySet<string>): Inventory {
  const timelines = inventory.timelines.map((timeline) => ({
    ...timeline,
    fulls: timeline.fulls.filter(({ key }) => keys.has(key)),
    deltas: timeline.deltas.filter(({ key }) => keys.has(key)),
  }));
  return { ...inventory, timelines };
}

/** What the target holds after a copy for a policy, and what was copied. */
function copied(source: Inventory, target: Inventory, policy: RetentionPolicy): { target: Inventory; count: number } {
  const sides = { source: sideOf(source), target: sideOf(target) };
  const exclude = beyondPolicy(sides, { policy, nowMs: NOW_MS, provenFullKeys: [] });
  const { stages } = planCopy(sides, { scope: { kind: 'all' }, exclude, pins: true, nowMs: NOW_MS, targetName: 't' });
  const items = stages.flat();
  return {
    target: only(source, new Set([...sides.target.objects.keys(), ...items.map(({ key }) => key)])),
    count: items.length,
  };
}

const empty = (inventory: Inventory): Inventory => only(inventory, new Set());

test('ten in the source, one for each day in the target', () => {
  const fulls = Array.from({ length: 10 }, (_, index) => ({
    revision: index + 1,
    createdAtMs: NOW_MS - (10 - index) * 8 * 3_600_000,
  }));
  const source = inventoryOf(fulls, []);
  const policy: RetentionPolicy = {
    ...{ rules: [{ kind: 'each', period: 'day', count: 30 }], deltaRetention: 'with-base' },
    ...{ windowMs: 0, timeZone: 'UTC' },
  };
  const { target } = copied(source, empty(source), policy);
  const days = target.timelines[0]!.fulls.map(({ createdAtMs }) => new Date(createdAtMs).toISOString().slice(0, 10));
  expect(days).toEqual(['2026-11-17', '2026-11-18', '2026-11-19', '2026-11-20']);
});

/** A time that is still to come counts for nothing, and a delta that replaces others has only its last. */
function isOfThePast({ fulls, deltas }: TimelineInventory): boolean {
  const times = [...fulls.map(({ createdAtMs }) => createdAtMs), ...deltas.map(({ lastObservedMs }) => lastObservedMs)];
  return times.every((timeMs) => timeMs <= NOW_MS);
}

const options = { nowMs: NOW_MS, orphanGraceMs: 0 };

test('whatever the history and the policy: all that the policy keeps is there', () => {
  fc.assert(
    fc.property(retentionHistoryOnTime, retentionPolicy, (source, policy) => {
      fc.pre(source.timelines.some(({ fulls }) => fulls.length > 0) && source.timelines.every(isOfThePast));
      const { target } = copied(source, empty(source), policy);
      const there = new Set(sideOf(target).objects.keys());
      const kept = planRetention(source, policy, options).keep.filter(
        ({ kind }) => kind === 'full' || kind === 'delta',
      );
      // What a larger delta replaces goes along in that one.
      const replaced = new Set(source.timelines.flatMap(({ deltas }) => [...supersededDeltas(deltas, () => true)]));
      for (const key of kept.flatMap(({ keys }) => keys)) if (!replaced.has(key)) expect(there).toContain(key);
    }),
    { numRuns: 600 },
  );
});

test('and what the retention of the target removed does not come back, whatever the clocks', () => {
  fc.assert(
    fc.property(retentionHistory, retentionPolicy, (source, policy) => {
      fc.pre(source.timelines.some(({ fulls }) => fulls.length > 0));
      const { target } = copied(source, empty(source), policy);
      expect(copied(source, target, policy).count).toBe(0);
      const gone = new Set(planRetention(target, policy, options).remove.flatMap(({ keys }) => keys));
      const there = [...sideOf(target).objects.keys()].filter((key) => !gone.has(key));
      expect(copied(source, only(target, new Set(there)), policy).count).toBe(0);
    }),
    { numRuns: 600 },
  );
});
