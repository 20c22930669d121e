import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeltaEntry, FullEntry, Inventory } from '../repository/inventory.ts';
import { deltaEntry, fullEntry, inventoryOf as samples } from '../repository/repository-samples.ts';
import { planSafeBump } from './safe-bump.ts';

const START_MS = Date.UTC(2026, 10, 20);
const HOUR_MS = 3_600_000;
type Seen = readonly [revision: number, timeMs: number];

/** Deltas that follow each other; the first holds one revision. */
function inventoryOf(...timelines: readonly (readonly Seen[])[]): Inventory {
  return samples(
    [],
    timelines.flatMap((seen, index) =>
      seen.map(([last, lastObservedMs], at) => {
        const first = at === 0 ? last : seen[at - 1]![0] + 1;
        return { timeline: index + 1, first: Math.min(first, last), last, lastObservedMs };
      }),
    ),
  );
}

function withManifest(full: FullEntry, changes: Partial<FullEntry['manifest']>): FullEntry {
  return { ...full, manifest: { ...full.manifest, ...changes } };
}

/** Neighbours of the first timeline joined: `joins[i]` puts a delta together with the one before it. */
function merged(inventory: Inventory, joins: readonly boolean[]): Inventory {
  const [timeline] = inventory.timelines;
  const deltas: DeltaEntry[] = [];
  for (const [index, delta] of timeline!.deltas.entries()) {
    const first = joins[index] === true && index > 0 ? deltas.pop()!.first : delta.first;
    deltas.push(deltaEntry({ first, last: delta.last, lastObservedMs: delta.lastObservedMs }));
  }
  return { ...inventory, timelines: [{ ...timeline!, deltas }] };
}

/** What a cluster did: so many revisions, so long after the ones before. */
const history = fc.array(
  fc.record({
    revisions: fc.integer({ min: 1, max: 300_000 }),
    ms: fc.oneof(fc.nat(300), fc.nat(20_000)),
  }),
  { minLength: 1, maxLength: 25 },
);

function seenOf(steps: readonly { revisions: number; ms: number }[]): [number, number][] {
  let [revision, timeMs] = [1, START_MS];
  return [
    [revision, timeMs],
    ...steps.map((step): [number, number] => [(revision += step.revisions), (timeMs += step.ms)]),
  ];
}

describe('planSafeBump', () => {
  test('counts from the highest revision of any timeline, with what can have come in a second and the time since', () => {
    const inventory = inventoryOf(
      [
        [100_000, START_MS],
        [350_000, START_MS + 10_000],
      ],
      [
        [90_000, START_MS + 20_000],
        [91_000, START_MS + 30_000],
      ],
    );
    const bump = planSafeBump(inventory, { revision: 80_000, nowMs: START_MS + 130_000 });
    // The first delta and the second meet in one second: 250,001 for 100 s, twice.
    expect(bump).toMatchObject({
      ...{ highestCaptured: 350_000, ratePerSecond: 250_001, rateIsAssumed: false, lagMs: 100_000 },
      ...{ revision: 50_351_000, by: 50_271_000 },
    });
    expect(bump.explanation).toContain('Revision 350000 is the highest');
    expect(bump.explanation).toContain('bumped by 50271000');
  });

  test('a slow cluster may have been fast unseen: no rate below the assumed one is believed', () => {
    const inventory = inventoryOf([
      [10, START_MS],
      [20, START_MS + 10_000],
    ]);
    const bump = planSafeBump(inventory, { revision: 20, nowMs: START_MS + 10_000 + 6 * HOUR_MS });
    expect(bump).toMatchObject({ rateIsAssumed: true, ratePerSecond: 50_000, lagMs: 6 * HOUR_MS });
    expect(bump.by).toBeGreaterThanOrEqual(2 * 50_000 * 6 * 3_600);
  });

  test('a clock that stands before the last capture leaves the least margin', () => {
    const inventory = inventoryOf([
      [10, START_MS],
      [20, START_MS + 10_000],
    ]);
    expect(planSafeBump(inventory, { revision: 20, nowMs: 0 })).toMatchObject({ lagMs: 60_000, ratePerSecond: 50_000 });
    expect(planSafeBump(inventory, { revision: 20, nowMs: 0, lagMsMin: HOUR_MS })).toMatchObject({ lagMs: HOUR_MS });
  });

  test('without times it assumes, and says so', () => {
    const bump = planSafeBump(inventoryOf([[10, 0]]), { revision: 10, nowMs: START_MS });
    expect(bump).toMatchObject({ rateIsAssumed: true, ratePerSecond: 50_000, highestCapturedMs: undefined });
    expect(bump.explanation).toContain('assumed');
  });

  test('a full that was made of others, and one of a member without a quorum, are no sight of the cluster', () => {
    const seen = inventoryOf([
      [10, START_MS],
      [20, START_MS + 10_000],
    ]);
    const nowMs = START_MS + 6 * HOUR_MS;
    const before = planSafeBump(seen, { revision: 20, nowMs });
    const late = fullEntry({ revision: 20, createdAtMs: nowMs - 1_000 });
    for (const manifest of [
      { cause: 'compact', seenAt: new Date(START_MS + 10_000).toISOString() },
      { cause: 'compact' },
      { stale: true as const },
    ]) {
      const fulls = [withManifest(late, manifest)];
      const inventory = { ...seen, timelines: [{ ...seen.timelines[0]!, fulls }] };
      expect(planSafeBump(inventory, { revision: 20, nowMs }), JSON.stringify(manifest)).toEqual(before);
      // Its deltas gone, or its manifest unreadable, it is no younger for that.
      const alone = planSafeBump(
        { ...inventory, timelines: [{ timeline: 1, fulls, deltas: [] }] },
        { revision: 20, nowMs },
      );
      expect(alone.lagMs).toBeGreaterThanOrEqual(before.lagMs);
      const damaged = { ...seen, damaged: [{ key: late.key, reason: 'rotten' }] };
      expect(planSafeBump(damaged, { revision: 20, nowMs })).toEqual(before);
    }
    const inventory = { ...seen, timelines: [{ ...seen.timelines[0]!, fulls: [late] }] };
    expect(planSafeBump(inventory, { revision: 20, nowMs }).lagMs).toBe(60_000);
  });

  test('where only the time of a making is known, the sight was before that', () => {
    const nowMs = START_MS + 100 * HOUR_MS;
    for (const cause of ['import', 'foreign', 'compact']) {
      const fulls = [withManifest(fullEntry({ revision: 20, createdAtMs: START_MS }), { cause })];
      const alone = { ...inventoryOf([]), timelines: [{ timeline: 1, fulls, deltas: [] }] };
      const bump = planSafeBump(alone, { revision: 20, nowMs });
      expect(bump).toMatchObject({ lagMs: 124 * HOUR_MS, highestCapturedMs: undefined });
      expect(bump.explanation).toContain('a day more than the newest full is old');
      // Deltas tell better, and a full that was made later takes nothing from that.
      const seen = deltaEntry({ first: 11, last: 20, lastObservedMs: START_MS - HOUR_MS });
      const beside = { ...alone, timelines: [{ timeline: 1, fulls, deltas: [seen] }] };
      expect(planSafeBump(beside, { revision: 20, nowMs }).lagMs).toBe(101 * HOUR_MS);
    }
  });

  test('merging never lowers it', () => {
    fc.assert(
      fc.property(
        history,
        fc.array(fc.boolean(), { minLength: 26, maxLength: 26 }),
        fc.nat(10 * HOUR_MS),
        (steps, joins, ms) => {
          const seen = seenOf(steps);
          const inventory = inventoryOf(seen);
          const options = { revision: 1, nowMs: seen.at(-1)![1] + ms };
          const once = merged(inventory, joins);
          const all = merged(
            inventory,
            joins.map(() => true),
          );
          const bumps = [inventory, once, all].map((one) => planSafeBump(one, options).by);
          expect(bumps).toEqual(bumps.toSorted((left, right) => left - right));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('covers any burst that the deltas show, however they are cut: as fast in all the time unseen', () => {
    fc.assert(
      fc.property(
        history,
        fc.array(fc.boolean(), { minLength: 26, maxLength: 26 }),
        fc.nat(10 * HOUR_MS),
        (steps, joins, ms) => {
          const seen = seenOf(steps);
          const inRate = (from: number): number => {
            const [revision, timeMs] = seen[from - 1]!;
            return seen.findLast(([, at]) => at <= timeMs + 1_000)![0] - revision;
          };
          const fastest = Math.max(...steps.map((_, index) => inRate(index + 1)));
          const [head, lastMs] = seen.at(-1)!;
          const bump = planSafeBump(merged(inventoryOf(seen), joins), { revision: 1, nowMs: lastMs + ms });
          expect(bump.revision).toBeGreaterThan(head + (Math.min(fastest, 1_000_000) * ms) / 1_000);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('is above whatever a cluster that was never faster can have reached, and more lag never lowers it', () => {
    const seen = fc.array(fc.record({ revisions: fc.nat(100_000), ms: fc.integer({ min: 1000, max: 60_000 }) }), {
      minLength: 2,
      maxLength: 20,
    });
    fc.assert(
      fc.property(seen, fc.nat(10_000_000), fc.double({ min: 0, max: 1, noNaN: true }), (steps, goneOnMs, part) => {
        let [revision, timeMs, highest] = [1, START_MS, 0];
        const points: Seen[] = [[revision, timeMs]];
        for (const step of steps) {
          points.push([(revision += step.revisions), (timeMs += step.ms)]);
          highest = Math.max(highest, (step.revisions * 1000) / step.ms);
        }
        const restored = Math.max(1, Math.floor(revision * part));
        const inventory = inventoryOf(points);
        const bump = planSafeBump(inventory, { revision: restored, nowMs: timeMs + goneOnMs });
        expect(bump.revision).toBeGreaterThan(revision + (highest * goneOnMs) / 1000);
        expect(bump.by).toBe(bump.revision - restored);
        const later = planSafeBump(inventory, { revision: restored, nowMs: timeMs + goneOnMs + 1000 });
        expect(later.revision).toBeGreaterThanOrEqual(bump.revision);
      }),
    );
  });
});
