import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Inventory } from '../repository/inventory.ts';
import { planSafeBump } from './safe-bump.ts';

const START_MS = Date.UTC(2026, 10, 20);
type Seen = readonly [revision: number, timeMs: number];

function inventoryOf(...timelines: readonly (readonly Seen[])[]): Inventory {
  return {
    cluster: 'test',
    foreign: [],
    incomplete: [],
    damaged: [],
    timelines: timelines.map((seen, index) => ({
      timeline: index + 1,
      fulls: [],
      deltas: seen.map(([last, lastObservedMs]) => ({
        ...{ key: `d${last}`, timeline: index + 1, first: last, last, lastObservedMs, bytes: 1, modifiedAtMs: 1 },
      })),
    })),
  };
}

describe('planSafeBump', () => {
  test('counts from the highest revision of any timeline, with the highest rate seen and the time since', () => {
    const inventory = inventoryOf(
      [
        [100_000, START_MS],
        [150_000, START_MS + 10_000],
      ],
      [
        [90_000, START_MS + 20_000],
        [91_000, START_MS + 30_000],
      ],
    );
    const bump = planSafeBump(inventory, { revision: 80_000, nowMs: START_MS + 130_000 });
    // 5,000 a second for 100 s, twice.
    expect(bump).toMatchObject({
      ...{ highestCaptured: 150_000, ratePerSecond: 5000, rateIsAssumed: false, lagMs: 100_000 },
      ...{ revision: 1_151_000, by: 1_071_000 },
    });
    expect(bump.explanation).toContain('Revision 150000 is the highest');
    expect(bump.explanation).toContain('bumped by 1071000');
  });

  test('a clock that stands before the last capture leaves the least margin', () => {
    const inventory = inventoryOf([
      [10, START_MS],
      [20, START_MS + 10_000],
    ]);
    expect(planSafeBump(inventory, { revision: 20, nowMs: 0 })).toMatchObject({ lagMs: 60_000, ratePerSecond: 1000 });
    expect(planSafeBump(inventory, { revision: 20, nowMs: 0, lagMsMin: 3_600_000 })).toMatchObject({
      lagMs: 3_600_000,
    });
  });

  test('without times it assumes, and says so', () => {
    const bump = planSafeBump(inventoryOf([[10, 0]]), { revision: 10, nowMs: START_MS });
    expect(bump).toMatchObject({ rateIsAssumed: true, ratePerSecond: 50_000, highestCapturedMs: undefined });
    expect(bump.explanation).toContain('assumed');
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
