import fc from 'fast-check';
import type { FullManifest } from '../repository/full-manifest.ts';
import type { Inventory } from '../repository/inventory.ts';
import { deltaEntry, inventoryOf, type SampleDeltaName, type SampleFull } from '../repository/repository-samples.ts';
import { CALENDAR_PERIODS, type RetentionPolicy, type RetentionRule } from './policy.ts';
import type { RetentionOptions } from './plan-retention.ts';

/** Random repositories as life makes them, with policies for them. For tests. */
export const NOW_MS = Date.parse('2026-11-20T11:17:43.210Z');
const HOUR_MS = 3_600_000;
const REVISIONS_MAX = 40;

/** How much time lies between two revisions: from minutes, where all is of one hour, to days. */
const paceMs = fc.constantFrom(60_000, HOUR_MS / 2, 5 * HOUR_MS, 24 * HOUR_MS, 200 * HOUR_MS);
/** Mostly right; else a clock that is off by hours or a year. */
const wrongClocks = fc.oneof(
  { weight: 8, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: -6, max: 6 }).map((hours) => hours * HOUR_MS) },
  { weight: 1, arbitrary: fc.constantFrom(-40 * 24 * HOUR_MS, 365 * 24 * HOUR_MS) },
);

interface Life {
  fulls: SampleFull[];
  deltas: SampleDeltaName[];
}

function productSeen(seenMs: number): Partial<FullManifest> {
  return { cause: 'compact', seenAt: new Date(seenMs).toISOString() };
}

function timelineOf(
  timeline: number,
  { endMs, stepMs, skewMs }: { endMs: number; stepMs: number; skewMs: fc.Arbitrary<number> },
): fc.Arbitrary<Life> {
  // Revision REVISIONS_MAX came at `endMs`.
  const timeOf = (revision: number): number => Math.max(1_000_000_000_000, endMs - (REVISIONS_MAX - revision) * stepMs);
  const full = fc
    .record({
      revision: fc.integer({ min: 1, max: REVISIONS_MAX }),
      compactPart: fc.double({ min: 0, max: 1, noNaN: true }),
      never: fc.boolean(),
      lateMs: fc.nat(3 * 60_000),
      skewMs,
      /** How long after it was seen it was made of others; mostly it was not. */
      madeMs: fc.option(fc.nat(5 * 86_400_000), { freq: 3, nil: undefined }),
    })
    .map(({ revision, compactPart, never, lateMs, skewMs: skew, madeMs }): SampleFull => ({
      timeline,
      revision,
      compact: never ? -1 : Math.round(revision * compactPart),
      createdAtMs: timeOf(revision) + lateMs + skew + (madeMs ?? 0),
      ...(madeMs === undefined ? {} : { manifest: productSeen(timeOf(revision) + lateMs + skew) }),
    }));
  const run = fc.record({
    length: fc.integer({ min: 1, max: 6 }),
    back: fc.nat(2),
    lost: fc.nat(6),
    time: fc.oneof({ weight: 9, arbitrary: skewMs }, { weight: 1, arbitrary: fc.constant(undefined) }),
    young: fc.nat(5),
    /** How many of those before it a merged one joins. */
    joins: fc.nat(4),
  });
  return fc
    .record({
      fulls: fc.array(full, { maxLength: 7 }),
      start: fc.integer({ min: 1, max: 25 }),
      runs: fc.array(run, { maxLength: 10 }),
    })
    .map(({ fulls, start, runs }) => {
      const deltas: SampleDeltaName[] = [];
      let next = start;
      for (const { length, back, lost, time, young, joins } of runs) {
        const first = Math.max(1, next - back);
        const last = next + length - 1;
        const lastObservedMs = time === undefined ? 0 : timeOf(last) + time;
        const modifiedAtMs = young === 0 ? NOW_MS - 1_000 : 0;
        if (lost > 0) deltas.push({ timeline, first, last, lastObservedMs, modifiedAtMs });
        const from = deltas.at(-1 - joins);
        if (joins > 0 && from !== undefined && from.first < first) {
          deltas.push({ timeline, first: from.first, last, lastObservedMs, modifiedAtMs });
        }
        next += length;
      }
      return { fulls, deltas };
    });
}

/** Up to three timelines, one after the other or at the same time; the newest object lies before, at or after now. */
export const retentionHistory = historyWith(wrongClocks);
/** The same where every clock is right. */
export const retentionHistoryOnTime = historyWith(fc.constant(0));

function historyWith(skewMs: fc.Arbitrary<number>): fc.Arbitrary<Inventory> {
  return fc
    .record({
      stepMs: paceMs,
      endBackMs: fc.constantFrom(0, 60_000, HOUR_MS, 90 * HOUR_MS, -2 * HOUR_MS),
      more: fc.nat(2),
    })
    .chain(({ stepMs, endBackMs, more }) =>
      fc.record({
        lives: fc.tuple(
          ...Array.from({ length: more + 1 }, (_, index) =>
            timelineOf(index + 1, { endMs: NOW_MS - endBackMs - (more - index) * stepMs * 10, stepMs, skewMs }),
          ),
        ),
        recorded: fc.boolean(),
        stepMs: fc.constant(stepMs),
        endBackMs: fc.constant(endBackMs),
      }),
    )
    .map(({ lives, recorded, stepMs, endBackMs }) => {
      const deltas = lives.flatMap((life) => life.deltas);
      const inventory = inventoryOf(
        lives.flatMap((life) => life.fulls),
        deltas,
      );
      // inventoryOf derives what a name does not say.
      const young = new Set(
        deltas.filter(({ modifiedAtMs }) => modifiedAtMs !== 0).map((delta) => deltaEntry(delta).key),
      );
      for (const timeline of inventory.timelines) {
        for (const delta of timeline.deltas) delta.modifiedAtMs = young.has(delta.key) ? NOW_MS - 1_000 : 0;
        if (!recorded) continue;
        const back = lives.length - timeline.timeline;
        timeline.record = {
          ...{ version: 1, kind: 'timeline', timeline: timeline.timeline, clusterId: 'cdf818194e3a8c32' },
          ...{ startedAtRevision: 0, cause: timeline.timeline === 1 ? 'first' : 'fork' },
          startedAt: new Date(NOW_MS - endBackMs - back * stepMs * 10 - 30 * stepMs).toISOString(),
        };
      }
      return inventory;
    });
}

const rule: fc.Arbitrary<RetentionRule> = fc.oneof(
  fc.integer({ min: 1, max: 6 }).map((count): RetentionRule => ({ kind: 'last', count })),
  fc
    .record({ period: fc.constantFrom(...CALENDAR_PERIODS), count: fc.integer({ min: 1, max: 5 }) })
    .map((each): RetentionRule => ({ kind: 'each', ...each })),
  fc.integer({ min: 1, max: 900 }).map((hours): RetentionRule => ({ kind: 'within', durationMs: hours * HOUR_MS })),
  fc.constant<RetentionRule>({ kind: 'exponential' }),
);

export const retentionPolicy: fc.Arbitrary<RetentionPolicy> = fc.record({
  rules: fc.array(rule, { minLength: 1, maxLength: 3 }),
  deltaRetention: fc.constantFrom('with-base', 'newest-chain'),
  windowMs: fc.constantFrom(0, HOUR_MS, 30 * HOUR_MS, 21 * 24 * HOUR_MS, 400 * 24 * HOUR_MS),
  timeZone: fc.constant('UTC'),
});

/** Pins, proofs and locks by index: which objects they mean, the history decides. */
export const retentionHeld = fc.record({
  proven: fc.array(fc.nat(12), { maxLength: 2 }),
  pins: fc.array(fc.record({ full: fc.nat(12), above: fc.nat(8) }), { maxLength: 3 }),
  locked: fc.array(fc.nat(20), { maxLength: 3 }),
});

/** What the indexes mean in this history. A pin may name a revision that cannot be restored. */
export function heldOptions(
  inventory: Inventory,
  held: typeof retentionHeld extends fc.Arbitrary<infer T> ? T : never,
): RetentionOptions {
  const fulls = inventory.timelines.flatMap((timeline) => timeline.fulls);
  const all = [...fulls, ...inventory.timelines.flatMap(({ deltas }) => deltas)];
  const locked = held.locked.flatMap((index) => (all[index] === undefined ? [] : [all[index].key]));
  return {
    nowMs: NOW_MS,
    orphanGraceMs: HOUR_MS,
    provenFullKeys: ['gone', ...held.proven.flatMap((index) => fulls[index]?.key ?? [])],
    pins: held.pins.flatMap(({ full, above }) => {
      const found = fulls[full];
      if (found === undefined) return [];
      return [{ timeline: found.timeline, revision: found.revision + above, full: found.key }];
    }),
    locked: new Map(locked.map((key) => [key, 'locked'])),
  };
}
