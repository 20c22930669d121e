import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isEtcdOpsError } from '../base/errors.ts';
import { gaps, restorableRanges } from './coverage.ts';
import { isRestorable, repository, restorableSet, REVISIONS_MAX } from './history-arbitrary.ts';
import type { Inventory, TimelineInventory } from './inventory.ts';
import { deltaKey, fullKey, manifestKey } from './object-key.ts';
import { planRestore, without, type RestorePlan } from './plan-restore.ts';
import { deltaEntry, fullEntry, inventoryOf, minute } from './repository-samples.ts';

const HIGHEST = REVISIONS_MAX * 2;

/** Applies a plan as restore would, and checks each step. */
function carryOut(plan: RestorePlan): void {
  const { full, deltas, revision, cutFull } = plan;
  expect(revision).toBeGreaterThanOrEqual(Math.max(full.manifest.compactRevision, 1));
  expect(cutFull).toBe(revision < full.revision);
  if (cutFull) expect(deltas).toEqual([]);
  let reached = full.revision;
  for (const delta of deltas) {
    expect(delta.timeline).toBe(plan.timeline);
    expect(delta.first).toBeLessThanOrEqual(reached + 1);
    expect(delta.last).toBeGreaterThan(reached);
    expect(reached).toBeLessThan(revision);
    reached = delta.last;
  }
  expect(reached).toBeGreaterThanOrEqual(revision);
  expect(plan.bytesToFetch).toBe(full.bytes + deltas.reduce((sum, delta) => sum + delta.bytes, 0));
}

/** The fewest deltas from S to R, by breadth-first search. */
function fewestDeltas(timeline: TimelineInventory, from: number, to: number): number {
  let frontier = new Set([from]);
  for (let steps = 0; ; steps++) {
    if ([...frontier].some((reached) => reached >= to)) return steps;
    frontier = new Set(
      [...frontier].flatMap((reached) =>
        timeline.deltas.filter(({ first, last }) => first <= reached + 1 && last > reached).map(({ last }) => last),
      ),
    );
  }
}

function attempt(inventory: Inventory, revision: number, timeline: number): RestorePlan | undefined {
  try {
    return planRestore(inventory, { kind: 'revision', revision, timeline });
  } catch (error) {
    if (
      isEtcdOpsError(error, 'NO_BACKUP') &&
      (inventory.timelines.find((one) => one.timeline === timeline)?.fulls.length ?? 0) === 0
    ) {
      return undefined;
    }
    if (!isEtcdOpsError(error, 'REVISION_NOT_RESTORABLE')) throw error;
    return undefined;
  }
}

test('a plan exists exactly for what the rule says, carries out, and is the best one', () => {
  fc.assert(
    fc.property(repository, (inventory) => {
      for (const timeline of inventory.timelines) {
        const possible = restorableSet(timeline);
        for (let revision = 1; revision <= HIGHEST; revision++) {
          const plan = attempt(inventory, revision, timeline.timeline);
          expect(plan !== undefined, `revision ${revision}`).toBe(possible.has(revision));
          if (plan === undefined) continue;
          expect(plan.revision).toBe(revision);
          carryOut(plan);
          const below = timeline.fulls.filter(
            (full) => full.revision <= revision && isRestorable({ ...timeline, fulls: [full] }, revision),
          );
          if (below.length > 0) {
            expect(plan.full).toBe(below.at(-1));
            expect(plan.deltas).toHaveLength(fewestDeltas(timeline, plan.full.revision, revision));
          } else {
            const above = timeline.fulls.filter((full) =>
              isRestorable({ ...timeline, fulls: [full], deltas: [] }, revision),
            );
            expect(plan.full.revision).toBe(above[0]!.revision);
          }
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('ranges and gaps are that rule, too', () => {
  fc.assert(
    fc.property(repository, (inventory) => {
      for (const timeline of inventory.timelines) {
        const possible = restorableSet(timeline);
        const ranges = restorableRanges(inventory).filter((range) => range.timeline === timeline.timeline);
        const counted = new Set(
          ranges.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, index) => from + index)),
        );
        expect(counted).toEqual(possible);
        for (const [index, range] of ranges.entries()) {
          if (index > 0) expect(range.from).toBeGreaterThan(ranges[index - 1]!.to + 1);
        }
        for (const { after, before, capturedTo } of gaps(inventory).filter(
          (gap) => gap.timeline === timeline.timeline,
        )) {
          expect(possible.has(after)).toBe(true);
          for (let revision = after + 1; revision < (before ?? HIGHEST); revision++) {
            expect(possible.has(revision)).toBe(false);
          }
          if (before !== undefined) expect(possible.has(before)).toBe(true);
          if (capturedTo !== undefined) {
            expect(timeline.deltas.some(({ first, last }) => first <= capturedTo && capturedTo <= last)).toBe(true);
          }
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('latest is the highest of the newest timeline with a full, and excluded objects are gone round', () => {
  fc.assert(
    fc.property(repository, fc.nat(), (inventory, pick) => {
      const timeline = inventory.timelines.findLast(({ fulls }) => fulls.length > 0)!;
      const plan = planRestore(inventory, { kind: 'latest' }, { allowOlder: true });
      const revision = Math.max(...restorableSet(timeline));
      expect(plan).toMatchObject({ timeline: timeline.timeline, revision });
      carryOut(plan);
      const isLeftBehind = inventory.timelines.some(
        (one) =>
          (one === timeline && one.deltas.some(({ last }) => last > revision)) ||
          (one.timeline > timeline.timeline && one.deltas.length > 0),
      );
      if (isLeftBehind) {
        expect(() => planRestore(inventory, { kind: 'latest' })).toThrow(
          expect.objectContaining({ code: 'NEWEST_NOT_RESTORABLE' }),
        );
      } else expect(planRestore(inventory, { kind: 'latest' })).toEqual(plan);
      const keys = [plan.full.key, ...plan.deltas.map(({ key }) => key)];
      const exclude = new Set([keys[pick % keys.length]!]);
      const left = without(inventory, exclude).timelines.find((one) => one.timeline === timeline.timeline)!;
      const again = (): RestorePlan =>
        planRestore(inventory, { kind: 'revision', revision: plan.revision, timeline: timeline.timeline }, { exclude });
      if (!isRestorable(left, plan.revision)) {
        expect(again).toThrow(/cannot be restored|no complete full/);
        return;
      }
      const other = again();
      carryOut(other);
      for (const key of [other.full.key, ...other.deltas.map((delta) => delta.key)]) {
        expect(exclude.has(key)).toBe(false);
      }
    }),
    { numRuns: 300 },
  );
});

test('a plan says when its revision had been reached, at the latest', () => {
  const inventory = inventoryOf([{ revision: 10, compact: 4 }], [{ first: 11, last: 20 }]);
  const seen = (revision: number): unknown => planRestore(inventory, { kind: 'revision', revision }).latestObservedMs;
  expect([5, 10, 15, 20].map(seen)).toEqual([10, 10, 20, 20].map(minute));
});

test('a hole between deltas is never crossed', () => {
  const inventory = inventoryOf(
    [
      { revision: 10, compact: 4 },
      { revision: 60, compact: 50 },
    ],
    [
      { first: 11, last: 20 },
      { first: 22, last: 30 },
    ],
  );
  expect(planRestore(inventory, { kind: 'revision', revision: 20 }).deltas).toHaveLength(1);
  expect(gaps(inventory)).toEqual([{ timeline: 1, after: 20, before: 50, capturedTo: 30 }]);
  for (const revision of [21, 22, 30, 49]) {
    expect(() => planRestore(inventory, { kind: 'revision', revision })).toThrow(
      expect.objectContaining({
        code: 'REVISION_NOT_RESTORABLE',
        message: `Revision ${revision} cannot be restored. It lies in a gap: revisions 21 to 49 of timeline 1 are covered by no chain, though deltas hold some up to 30. The nearest that can: before it 20, behind it 50`,
        remedy: expect.stringMatching(/^Restorable: revisions 4 to 20 \(timeline 1, 2026.*, revisions 50 to 60/),
      }),
    );
  }
  expect(() => planRestore(inventory, { kind: 'revision', revision: 3 })).toThrow(
    /Revision 3 cannot be restored. The nearest that can: behind it 4$/,
  );
  expect(() => planRestore(inventory, { kind: 'revision', revision: 61 })).toThrow(/before it 60$/);
});

test('the newest is refused where the listing shows that more was captured, and taken as far as it goes when that is asked for', () => {
  const inventory = inventoryOf(
    [{ revision: 10 }],
    [
      { first: 11, last: 20 },
      { first: 22, last: 30 },
    ],
  );
  expect(() => planRestore(inventory, { kind: 'latest' })).toThrow(
    expect.objectContaining({
      code: 'NEWEST_NOT_RESTORABLE',
      exitCode: 5,
      message:
        'Revision 20 of timeline 1 is the newest that can be restored, but more was captured: revisions 21 to 21 are missing, though deltas behind them reach 30',
      remedy: expect.stringMatching(/--revision 20 --timeline 1.*--allow-older/),
    }),
  );
  expect(planRestore(inventory, { kind: 'latest' }, { allowOlder: true })).toMatchObject({
    revision: 20,
    latestObservedMs: minute(20),
    warnings: ['More was captured than this: revisions 21 to 21 are missing, though deltas behind them reach 30.'],
  });
  expect(planRestore(inventory, { kind: 'revision', revision: 20 }).warnings).toEqual([]);
});

test.each([
  ['a delta', deltaKey({ cluster: 'prod', timeline: 1, first: 21, last: 30, lastObservedMs: minute(30) })],
  ['a full', fullKey({ cluster: 'prod', timeline: 1, revision: 30, createdAtMs: minute(30), codec: 'none' })],
  [
    'a manifest',
    manifestKey(fullKey({ cluster: 'prod', timeline: 1, revision: 30, createdAtMs: minute(30), codec: 'none' })),
  ],
])(
  '%s that is damaged at the very end says so, too, also to a time; where a later full goes on it does not',
  (_, key) => {
    const damaged = [{ key, reason: '0 bytes are too few' }];
    const inventory = { ...inventoryOf([{ revision: 10 }], [{ first: 11, last: 20 }]), damaged };
    const said = new RegExp(`objects that reach revision 30 cannot be used: ${key} .0 bytes are too few`);
    expect(() => planRestore(inventory, { kind: 'latest' })).toThrow(
      expect.objectContaining({ code: 'NEWEST_NOT_RESTORABLE', message: expect.stringMatching(said) }),
    );
    expect(() => planRestore(inventory, { kind: 'time', timeMs: minute(40) })).toThrow(
      expect.objectContaining({
        code: 'TIME_NOT_RESTORABLE',
        message: expect.stringMatching(/Ask for revision 20 of timeline 1, the last before$/),
      }),
    );
    const later = {
      ...inventoryOf([{ revision: 10 }, { revision: 35, compact: 35 }], [{ first: 11, last: 20 }]),
      damaged,
    };
    expect(planRestore(later, { kind: 'latest' })).toMatchObject({ revision: 35, warnings: [] });
  },
);

test('a manifest without its full is a loss; a full without its manifest is an upload that nobody finished', () => {
  const key = fullKey({ cluster: 'prod', timeline: 1, revision: 30, createdAtMs: minute(30), codec: 'none' });
  const entry = { bytes: 1, modifiedAtMs: 1 };
  const inventory = inventoryOf([{ revision: 10 }], [{ first: 11, last: 20 }]);
  const lost = { ...inventory, incomplete: [{ key: manifestKey(key), missing: 'data' as const, ...entry }] };
  expect(() => planRestore(lost, { kind: 'latest' })).toThrow(/cannot be used: .*its full is gone/);
  const begun = { ...inventory, incomplete: [{ key, missing: 'manifest' as const, ...entry }] };
  expect(planRestore(begun, { kind: 'latest' })).toMatchObject({ revision: 20, warnings: [] });
});

test('after a fork the newest timeline is meant, and others are named', () => {
  const inventory = inventoryOf(
    [{ revision: 10 }, { timeline: 2, revision: 15 }, { timeline: 3, revision: 1 }].slice(0, 2),
    [
      { first: 11, last: 20 },
      { timeline: 3, first: 17, last: 18 },
    ],
  );
  expect(planRestore(inventory, { kind: 'revision', revision: 12 })).toMatchObject({
    timeline: 2,
    cutFull: true,
    warnings: [expect.stringContaining('Timeline 1 holds a revision 12 too'), expect.stringContaining('is cut at 12')],
  });
  expect(planRestore(inventory, { kind: 'revision', revision: 12, timeline: 1 })).toMatchObject({
    timeline: 1,
    cutFull: false,
    warnings: [],
  });
  expect(planRestore(inventory, { kind: 'revision', revision: 18 })).toMatchObject({ timeline: 1, warnings: [] });
  expect(() => planRestore(inventory, { kind: 'latest' })).toThrow(
    /^Revision 15 of timeline 2 is the newest .* timeline 3 has rows up to revision 18, but no full that can be used$/,
  );
  expect(planRestore(inventory, { kind: 'latest', timeline: 2 })).toMatchObject({ revision: 15, warnings: [] });
  inventory.timelines[2]!.deltas = [];
  expect(planRestore(inventory, { kind: 'latest' })).toMatchObject({
    timeline: 2,
    revision: 15,
    warnings: [expect.stringContaining('Timeline 3 has begun')],
  });
  expect(() => planRestore(inventory, { kind: 'latest', timeline: 3 })).toThrow(
    expect.objectContaining({ code: 'NO_BACKUP', message: expect.stringContaining('timeline 3') }),
  );
});

test('a snapshot is asked for by its key or file name and taken as it is', () => {
  const full = { revision: 10, compact: 4 };
  const inventory = inventoryOf([full, { revision: 20 }], [{ first: 11, last: 20 }]);
  const { key } = fullEntry(full);
  for (const name of [key, key.split('/').at(-1)!]) {
    expect(planRestore(inventory, { kind: 'snapshot', key: name })).toMatchObject({
      revision: 10,
      full: { key },
      cutFull: false,
      deltas: [],
    });
  }
  expect(() => planRestore(inventory, { kind: 'snapshot', key: deltaEntry({ first: 11, last: 20 }).key })).toThrow(
    /it names a delta/,
  );
  expect(() => planRestore(inventory, { kind: 'snapshot', key: 'b' })).toThrow(
    expect.objectContaining({ code: 'STORE_NOT_FOUND' }),
  );
  expect(() => planRestore(inventory, { kind: 'snapshot', key }, { exclude: new Set([key]) })).toThrow(
    expect.objectContaining({ code: 'STORE_NOT_FOUND' }),
  );
});

test('a time between known ones is the state before it; inside of a gap it is refused and the gap named', () => {
  const inventory = inventoryOf(
    [
      { revision: 10, compact: 4 },
      { revision: 60, compact: 50 },
    ],
    [
      { first: 11, last: 20 },
      { first: 22, last: 30 },
    ],
  );
  const at = (minutes: number): RestorePlan => planRestore(inventory, { kind: 'time', timeMs: minute(minutes) });
  expect([at(10).revision, at(19).revision, at(60).revision, at(999).revision]).toEqual([10, 10, 60, 60]);
  expect(at(60)).toMatchObject({ latestObservedMs: minute(60), warnings: [] });
  expect(at(999)).toMatchObject({
    latestObservedMs: minute(60),
    warnings: [
      '2026-11-20T22:39:00.000Z is later than the last capture, at 2026-11-20T07:00:00.000Z: this is the state of then, and what came between is not in the backups.',
    ],
  });
  expect(at(19).warnings).toEqual([
    expect.stringContaining(
      'revisions 11 to 20 is known only to lie between 2026-11-20T06:10:00.000Z and 2026-11-20T06:20:00.000Z',
    ),
  ]);
  for (const minutes of [20, 25, 30, 45, 59]) {
    expect(() => at(minutes)).toThrow(
      expect.objectContaining({
        code: 'TIME_NOT_RESTORABLE',
        message: expect.stringMatching(
          /was not captured: revisions 21 to 49 of timeline 1 .* Ask for revision 20, reached at 2026-11-20T06:20:00.000Z, or for revision 50, the first behind it$/,
        ),
      }),
    );
  }
  expect(() => at(3)).toThrow(expect.objectContaining({ code: 'TIME_NOT_RESTORABLE' }));
});

test('a clock that ran ahead makes later revisions of that time unsure, not earlier ones wrong', () => {
  const inventory = inventoryOf(
    [{ revision: 10 }],
    [
      { first: 11, last: 20, lastObservedMs: minute(90) },
      { first: 21, last: 30, lastObservedMs: minute(30) },
    ],
  );
  expect(planRestore(inventory, { kind: 'time', timeMs: minute(40) }).revision).toBe(10);
  expect(planRestore(inventory, { kind: 'time', timeMs: minute(90) }).revision).toBe(30);
});

test('a time before a fork is that of the timeline that lived then', () => {
  const inventory = inventoryOf(
    [{ revision: 10 }, { timeline: 2, revision: 15, createdAtMs: minute(40) }],
    [{ first: 11, last: 20 }],
  );
  const startedAt = new Date(minute(30)).toISOString();
  inventory.timelines[1]!.record = {
    version: 1,
    kind: 'timeline',
    timeline: 2,
    clusterId: '1',
    startedAtRevision: 12,
    cause: 'fork',
    startedAt,
  };
  const at = (minutes: number): RestorePlan => planRestore(inventory, { kind: 'time', timeMs: minute(minutes) });
  expect(at(20)).toMatchObject({ timeline: 1, revision: 20, warnings: [] });
  expect(at(25)).toMatchObject({
    timeline: 1,
    revision: 20,
    warnings: [expect.stringContaining('later than the last capture')],
  });
  expect(at(45)).toMatchObject({ timeline: 2, revision: 15 });
  expect(at(35)).toMatchObject({
    timeline: 1,
    revision: 20,
    warnings: [expect.stringContaining('Timeline 2 had begun by then')],
  });
});

test('10,000 objects are planned over without looking at each of them for each other', () => {
  const deltas = Array.from({ length: 9_500 }, (_, index) => ({ first: 1 + index * 10, last: 10 + index * 10 }));
  const fulls = Array.from({ length: 500 }, (_, index) => ({
    revision: 5 + index * 190,
    compact: Math.max(1, index * 190 - 400),
    createdAtMs: minute(5 + index * 190),
  }));
  const inventory = inventoryOf(fulls, deltas);
  let looks = 0;
  for (const object of inventory.timelines.flatMap((timeline) => [...timeline.fulls, ...timeline.deltas])) {
    const name = 'first' in object ? 'last' : 'revision';
    const value = Reflect.get(object, name) as number;
    Object.defineProperty(object, name, { enumerable: true, get: () => (looks++, value) });
  }
  expect(planRestore(inventory, { kind: 'latest' }).revision).toBe(95_000);
  expect(planRestore(inventory, { kind: 'revision', revision: 50_000 }).deltas.length).toBeLessThan(20);
  expect(planRestore(inventory, { kind: 'time', timeMs: minute(70_000) }).revision).toBeGreaterThan(69_000);
  // Looked at at all; and were it each full for each delta, or each delta for each other, it would be millions.
  expect(looks).toBeGreaterThan(10_000);
  expect(looks).toBeLessThan(1_000_000);
});

test('a repository whose fulls are damaged is told from one without any', () => {
  const empty = { cluster: 'prod', timelines: [], foreign: [], incomplete: [], damaged: [] };
  const full = fullKey({ cluster: 'prod', timeline: 2, revision: 9, createdAtMs: 1, codec: 'none' });
  const delta = { key: deltaKey({ cluster: 'prod', timeline: 2, first: 1, last: 2, lastObservedMs: 1 }), reason: 'x' };
  const codeOf = (damaged: { key: string; reason: string }[], timeline?: number): unknown => {
    try {
      return planRestore({ ...empty, damaged }, { kind: 'latest', ...(timeline === undefined ? {} : { timeline }) });
    } catch (error) {
      return isEtcdOpsError(error) ? error.code : error;
    }
  };
  expect(codeOf([])).toBe('NO_BACKUP');
  expect(codeOf([delta])).toBe('NO_BACKUP');
  expect(codeOf([delta, { key: full, reason: 'x' }])).toBe('OBJECT_DAMAGED');
  expect(codeOf([{ key: manifestKey(full), reason: 'x' }])).toBe('MANIFEST_DAMAGED');
  expect(codeOf([{ key: full, reason: 'x' }], 2)).toBe('OBJECT_DAMAGED');
  expect(codeOf([{ key: full, reason: 'x' }], 1)).toBe('NO_BACKUP');
});
