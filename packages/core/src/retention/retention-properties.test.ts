import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chains } from '../repository/coverage.ts';
import type { FullEntry, Inventory, TimelineInventory } from '../repository/inventory.ts';
import { capturedLater } from '../repository/captured-later.ts';
import { planRestore, without } from '../repository/plan-restore.ts';
import { resolveTimeByPoints } from '../repository/time-points.ts';
import { gardenerKeeps } from './gardener-walk.ts';
import { planRetention, type RetentionOptions, type RetentionPlan } from './plan-retention.ts';
import type { RetentionPolicy, RetentionRule } from './policy.ts';
import {
  heldOptions,
  NOW_MS,
  retentionHeld,
  retentionHistory,
  retentionHistoryOnTime,
  retentionPolicy,
} from './retention-arbitrary.ts';

/** One and the same histories in every run of the suite; others with another seed. */
const SEED = Number(process.env['ETCD_OPS_TEST_SEED'] ?? 20_261_120);
const RUNS = 10_000;
/** Of the slower one. */
const MOMENT_RUNS = 2_000;
const DAY_MS = 86_400_000;

/** The inventory when the objects of some decisions are gone. */
function after(inventory: Inventory, removed: RetentionPlan['remove']): Inventory {
  return without(inventory, new Set(removed.flatMap(({ keys }) => keys)));
}

/** Revisions that a timeline can restore, counted out; from one full, or from all. */
function restorable({ fulls, deltas }: Pick<TimelineInventory, 'fulls' | 'deltas'>): Set<number> {
  const captured = new Set<number>();
  for (const { first, last } of deltas) for (let one = first; one <= last; one++) captured.add(one);
  const found = new Set<number>();
  for (const { revision, manifest } of fulls) {
    for (let one = Math.max(1, manifest.compactRevision); one <= revision; one++) found.add(one);
    for (let one = revision + 1; captured.has(one); one++) found.add(one);
  }
  return found;
}

function restorableFrom(timeline: TimelineInventory, full: FullEntry, withDeltas = true): Set<number> {
  return restorable({ fulls: [full], deltas: withDeltas ? timeline.deltas : [] });
}

/** Ages count to the newest backup: that of the newest full, or of a delta behind it. */
function agingMs(inventory: Inventory): number {
  const newest = inventory.timelines.findLast(({ fulls }) => fulls.length > 0);
  if (newest === undefined) return NOW_MS;
  const full = newest.fulls.at(-1)!;
  const behind = newest.deltas.filter(({ last }) => last > full.revision);
  const times = [stateMs(full), ...behind.map(({ lastObservedMs }) => lastObservedMs)].filter(
    (timeMs) => timeMs > 0 && timeMs <= NOW_MS,
  );
  return times.length === 0 ? NOW_MS : Math.max(...times);
}

/** The fulls that a rule wants, by another way than the planner's. */
function wantedBy(rule: RetentionRule, inventory: Inventory): FullEntry[] {
  const all = inventory.timelines.flatMap(({ fulls }) => fulls);
  const past = all.filter((full) => stateMs(full) <= NOW_MS);
  const future = all.filter((full) => stateMs(full) > NOW_MS);
  switch (rule.kind) {
    case 'always':
      return all;
    case 'last':
      return all.slice(-rule.count);
    case 'within':
      return [...future, ...past.filter((full) => agingMs(inventory) - stateMs(full) <= rule.durationMs)];
    case 'each': {
      const nameOf = (full: FullEntry): string => {
        const iso = new Date(stateMs(full)).toISOString();
        const { length } = { hour: 'yyyy-mm-ddThh', day: 'yyyy-mm-dd', month: 'yyyy-mm', year: 'yyyy', week: '' }[
          rule.period
        ];
        if (rule.period !== 'week') return iso.slice(0, length);
        const monday = Date.parse(iso.slice(0, 10));
        return new Date(monday - ((new Date(monday).getUTCDay() + 6) % 7) * DAY_MS).toISOString();
      };
      const names = [...new Set(past.map(nameOf))].sort().slice(-rule.count);
      return [
        ...future,
        ...names.flatMap((name) => {
          const own = past.filter((full) => nameOf(full) === name);
          const newest = Math.max(...own.map(stateMs));
          const found = own.filter((full) => stateMs(full) === newest);
          // Of several of one moment it may be any.
          return found.length === 1 ? found : [];
        }),
      ];
    }
    case 'exponential': {
      const byTime = past.toSorted((left, right) => stateMs(left) - stateMs(right));
      const kept = gardenerKeeps(byTime.map(stateMs), Math.min(NOW_MS, agingMs(inventory) + DAY_MS));
      return [...future, ...byTime.filter((_, index) => kept.has(index))];
    }
  }
}

/** Of a full that was made of others, when they were seen. */
function stateMs({ createdAtMs, manifest }: FullEntry): number {
  return manifest.seenAt === undefined ? createdAtMs : Date.parse(manifest.seenAt);
}

/** What must be restorable afterwards, by timeline. */
function promised(inventory: Inventory, policy: RetentionPolicy, options: RetentionOptions): Map<number, Set<number>> {
  const must = new Map<number, Set<number>>();
  const all = inventory.timelines.flatMap(({ fulls }) => fulls);
  const wanted = new Set(policy.rules.flatMap((rule) => wantedBy(rule, inventory)));
  const proven = options.provenFullKeys?.find((key) => all.some((full) => full.key === key));
  for (const timeline of inventory.timelines) {
    const own = new Set<number>();
    const promise = (revisions: Iterable<number>): void => {
      for (const revision of revisions) own.add(revision);
    };
    for (const full of timeline.fulls) {
      if (full === all.at(-1) || full.key === proven) promise(restorableFrom(timeline, full));
      if (wanted.has(full)) promise(restorableFrom(timeline, full, policy.deltaRetention === 'with-base'));
    }
    const possible = restorable(timeline);
    for (const pin of options.pins ?? []) {
      if (pin.timeline === timeline.timeline && possible.has(pin.revision)) own.add(pin.revision);
    }
    if (policy.windowMs > 0) promise(insideWindow(timeline, agingMs(inventory) - policy.windowMs));
    must.set(timeline.timeline, own);
  }
  if (policy.windowMs > 0) {
    for (const { timeline, revision } of momentsInside(inventory, policy)) must.get(timeline)!.add(revision);
  }
  return must;
}

/** The restorable revisions that came inside of the window: nothing tells that they, or later ones, were there before. */
function insideWindow(timeline: TimelineInventory, startMs: number): number[] {
  const possible = restorable(timeline);
  const before = [
    ...timeline.fulls.filter((full) => stateMs(full) <= startMs).map(({ revision }) => revision),
    ...timeline.deltas
      .filter(({ last, lastObservedMs }) => lastObservedMs > 0 && lastObservedMs <= startMs && possible.has(last))
      .map(({ last }) => last),
  ];
  const young = [
    ...timeline.fulls.filter((full) => stateMs(full) > startMs).map(({ revision }) => revision),
    ...timeline.deltas
      .filter(({ last, lastObservedMs }) => lastObservedMs > startMs && possible.has(last))
      .map(({ last }) => last),
  ];
  return [...possible].filter(
    (revision) => revision > Math.max(0, ...before) && young.some((known) => revision <= known),
  );
}

/** Every moment inside of the window, as `restore --time` understands it. */
function momentsInside(inventory: Inventory, policy: RetentionPolicy): { timeline: number; revision: number }[] {
  const endMs = agingMs(inventory);
  const startMs = endMs - policy.windowMs;
  const times = inventory.timelines
    .flatMap(({ fulls, deltas, record }) => [
      ...fulls.map(stateMs),
      ...deltas.map(({ lastObservedMs }) => lastObservedMs),
      ...(record === undefined ? [] : [Date.parse(record.startedAt)]),
    ])
    .flatMap((timeMs) => [timeMs - 1, timeMs]);
  const asked = [startMs, ...times, endMs, NOW_MS].filter((timeMs) => timeMs >= startMs && timeMs <= NOW_MS);
  return asked.flatMap((timeMs) => resolve(inventory, timeMs) ?? []);
}

/**
 * What a moment means. `whole`: the inventory before anything went; a merged delta holds the times of those that it was made of.
 */
function resolve(
  inventory: Inventory,
  timeMs: number,
  whole = inventory,
): { timeline: number; revision: number } | undefined {
  const timelines = inventory.timelines.filter(({ fulls }) => fulls.length > 0).toReversed();
  const seen = new Map(
    timelines.map(({ timeline, deltas }) => {
      const before = whole.timelines.find((one) => one.timeline === timeline)!.deltas;
      const held = before.filter(({ first, last }) => deltas.some((one) => one.first <= first && one.last >= last));
      const times = held.map(({ last, lastObservedMs }) => ({ revision: last, observedMs: lastObservedMs }));
      return [timeline, times.filter(({ observedMs }) => observedMs > 0)] as const;
    }),
  );
  try {
    return resolveTimeByPoints(timelines, timeMs, seen);
  } catch {
    return undefined;
  }
}

const scenario = fc.record({
  inventory: retentionHistory,
  policy: retentionPolicy,
  held: retentionHeld,
  /** Where a crash ends the work. */
  cut: fc.double({ min: 0, max: 1, noNaN: true }),
  /** Which removals a run does: others are held, refused or not due. */
  some: fc.infiniteStream(fc.boolean()),
});

describe('over random histories', () => {
  test('no plan breaks a promise, wherever it is broken off', { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(scenario, ({ inventory, policy, held, cut, some }) => {
        const options = heldOptions(inventory, held);
        const plan = planRetention(inventory, policy, options);
        expectWholeAndOnce(inventory, plan);
        const going = new Set(plan.remove.flatMap(({ keys }) => keys));
        for (const key of options.locked!.keys()) expect(going.has(key), `${key} is locked`).toBe(false);

        const must = promised(inventory, policy, options);
        const count = Math.floor(cut * (plan.remove.length + 1));
        const states = [plan.remove, plan.remove.slice(0, count), plan.remove.filter(() => some.next().value === true)];
        for (const removed of states) {
          const left = after(inventory, removed);
          expectPromises(left, must);
          // The next run plans anew, with whatever the first one did not get done.
          const again = planRetention(left, policy, options);
          expectPromises(after(left, again.remove), must);
          if (removed === plan.remove) expect(again.remove).toEqual([]);
        }
        expectSameLatest(inventory, after(inventory, plan.remove));
      }),
      { numRuns: RUNS, seed: SEED },
    );
  });

  test('moments of the window can still be asked for', { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(retentionHistoryOnTime, retentionPolicy, retentionHeld, (inventory, policy, held) => {
        fc.pre(policy.windowMs > 0);
        const plan = planRetention(inventory, policy, heldOptions(inventory, held));
        const left = after(inventory, plan.remove);
        const startMs = agingMs(inventory) - policy.windowMs;
        for (let part = 0; part <= 8; part++) {
          const timeMs = startMs + (part * (NOW_MS - startMs)) / 8;
          if (resolve(inventory, timeMs) !== undefined) expect(resolve(left, timeMs, inventory)).toBeDefined();
        }
      }),
      { numRuns: MOMENT_RUNS, seed: SEED },
    );
  });
});

function expectWholeAndOnce(inventory: Inventory, plan: RetentionPlan): void {
  const keys = [...plan.keep, ...plan.remove].flatMap((decision) => decision.keys);
  const fulls = inventory.timelines.flatMap((timeline) => timeline.fulls);
  const deltas = inventory.timelines.flatMap((timeline) => timeline.deltas);
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys.length).toBe(2 * fulls.length + deltas.length);
}

function expectPromises(inventory: Inventory, must: ReadonlyMap<number, ReadonlySet<number>>): void {
  for (const [timeline, revisions] of must) {
    const possible = restorable(inventory.timelines.find((one) => one.timeline === timeline)!);
    for (const revision of revisions) {
      if (!possible.has(revision)) throw new Error(`revision ${revision} of timeline ${timeline} was promised`);
    }
  }
}

function expectSameLatest(before: Inventory, left: Inventory): void {
  if (before.timelines.every((timeline) => chains(timeline).length === 0)) return;
  const latest = planRestore(before, { kind: 'latest' }, { allowOlder: true });
  const { revision, timeline } = planRestore(left, { kind: 'latest' }, { allowOlder: true });
  expect({ revision, timeline }).toEqual({ revision: latest.revision, timeline: latest.timeline });
  // And what could be had without a question still can.
  if (capturedLater(before, latest) === undefined) expect(capturedLater(left, latest)).toBeUndefined();
}
