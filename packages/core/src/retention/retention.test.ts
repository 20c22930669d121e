import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isRestorable, repository, restorableSet } from '../repository/history-arbitrary.ts';
import { readInventory, type FullEntry, type Inventory, type TimelineInventory } from '../repository/inventory.ts';
import { manifestKey } from '../repository/object-key.ts';
import { planRestore, without } from '../repository/plan-restore.ts';
import { inventoryOf, minute, putDelta, putFull } from '../repository/repository-samples.ts';
import { LocalStore } from '../storage/local-store.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { applyRetention } from './apply-retention.ts';
import { planRetention, type RetentionOptions, type RetentionPlan } from './plan-retention.ts';

const OPTIONS: RetentionOptions = { nowMs: minute(100_000), orphanGraceMs: 3_600_000, deltaRetention: 'with-base' };

/** The inventory as it is when the keys are gone. */
function after(inventory: Inventory, keys: readonly string[]): Inventory {
  return without(inventory, new Set(keys.map((key) => key.replace(/\.db\.json$/, '.db'))));
}

function timelineOf(inventory: Inventory, timeline: number): TimelineInventory {
  return inventory.timelines.find((one) => one.timeline === timeline)!;
}

/** The fulls that the policy promises to keep, counted out plainly. */
function promised(inventory: Inventory, maxBackups: number, options: RetentionOptions): FullEntry[] {
  const all = inventory.timelines.flatMap(({ fulls }) => fulls);
  return all.filter(
    (full, index) =>
      index >= all.length - maxBackups ||
      full.key === options.provenChain?.fullKey ||
      options.pinned?.has(full.key) === true,
  );
}

test('no revision that a kept full could make is lost, at any moment of the deletion', { timeout: 60_000 }, () => {
  const policy = fc.record({
    maxBackups: fc.integer({ min: 1, max: 6 }),
    withBase: fc.boolean(),
    graceMs: fc.constantFrom(0, 3_600_000, 1e15),
    proven: fc.nat(9),
    pinned: fc.nat(9),
  });
  fc.assert(
    fc.property(repository, policy, (inventory, { maxBackups, withBase, graceMs, proven, pinned }) => {
      const fulls = inventory.timelines.flatMap((timeline) => timeline.fulls);
      const options: RetentionOptions = {
        ...OPTIONS,
        orphanGraceMs: graceMs,
        deltaRetention: withBase ? 'with-base' : 'newest-chain',
        ...(fulls[proven] === undefined ? {} : { provenChain: { fullKey: fulls[proven].key } }),
        ...(fulls[pinned] === undefined ? {} : { pinned: new Set([fulls[pinned].key]) }),
      };
      const plan = planRetention(inventory, { kind: 'LimitBased', maxBackups }, options);
      const keys = plan.remove.flatMap((decision) => decision.keys);
      const kept = new Set(plan.keep.flatMap((decision) => decision.keys));
      // Each object is decided exactly once.
      expect(new Set([...keys, ...kept]).size).toBe(keys.length + kept.size);
      expect(keys.length + kept.size).toBe(
        2 * fulls.length + inventory.timelines.flatMap(({ deltas }) => deltas).length,
      );
      for (const full of promised(inventory, maxBackups, options)) expect(kept.has(full.key)).toBe(true);
      for (const timeline of inventory.timelines) {
        const must = new Set<number>();
        for (const full of promised(inventory, maxBackups, options).filter(
          (one) => one.timeline === timeline.timeline,
        )) {
          const grantsDeltas = withBase || full === fulls.at(-1) || full.key === options.provenChain?.fullKey;
          for (const revision of restorableSet({
            ...timeline,
            fulls: [full],
            deltas: grantsDeltas ? timeline.deltas : [],
          })) {
            must.add(revision);
          }
        }
        const before = restorableSet(timeline);
        for (let count = 0; count <= keys.length; count++) {
          const now = timelineOf(after(inventory, keys.slice(0, count)), timeline.timeline);
          const left = restorableSet(now);
          for (const revision of must) {
            expect(left.has(revision), `revision ${revision} after ${count} deletions`).toBe(true);
          }
          for (const revision of left) expect(before.has(revision)).toBe(true);
        }
      }
      // The newest chain is whole: what was the latest is the latest.
      const latest = planRestore(inventory, { kind: 'latest' });
      expect(planRestore(after(inventory, keys), { kind: 'latest' }).revision).toBe(latest.revision);
    }),
    { numRuns: 150 },
  );
});

test('what goes is really not needed: every removed delta serves no kept full', () => {
  fc.assert(
    fc.property(repository, fc.integer({ min: 1, max: 4 }), (inventory, maxBackups) => {
      const plan = planRetention(inventory, { kind: 'LimitBased', maxBackups }, { ...OPTIONS, orphanGraceMs: 0 });
      const kept = promised(inventory, maxBackups, OPTIONS);
      const lastBased = inventory.timelines.findLast(({ fulls }) => fulls.length > 0)?.timeline ?? 0;
      for (const timeline of inventory.timelines) {
        const newest = timeline.timeline < lastBased ? Infinity : (timeline.fulls.at(-1)?.revision ?? 0);
        for (const delta of timeline.deltas) {
          const needed = kept.some((full) => {
            if (full.timeline !== timeline.timeline || delta.last <= full.revision) return false;
            return isRestorable({ ...timeline, fulls: [full] }, Math.max(delta.first, full.revision + 1));
          });
          const removed = plan.remove.some(({ keys }) => keys[0] === delta.key);
          expect(removed, delta.key).toBe(!needed && delta.last <= newest);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('KeepAlways keeps everything', () => {
  fc.assert(
    fc.property(repository, (inventory) => {
      expect(planRetention(inventory, { kind: 'KeepAlways' }, { ...OPTIONS, orphanGraceMs: 0 }).remove).toEqual([]);
    }),
    { numRuns: 50 },
  );
});

const names = (decisions: RetentionPlan['keep']): string[] =>
  decisions.map(
    ({ keys, reason }) =>
      `${keys.map((key) => key.split('/').at(-1)!.replaceAll(/0{4,}/g, '')).join(' + ')}: ${reason}`,
  );

test('decisions have reasons, and both rules for deltas', () => {
  const inventory = inventoryOf(
    [10, 20, 30].map((revision) => ({ revision, createdAtMs: revision })),
    [5, 11, 16, 21, 26, 31].map((first) => ({ first, last: first + 4, lastObservedMs: first })),
  );
  const withBase = planRetention(inventory, { kind: 'LimitBased', maxBackups: 2 }, OPTIONS);
  expect(names(withBase.remove)).toEqual([
    '10-10.db.json + 10-10.db: beyond the newest 2 fulls',
    '16-20-16.delta: no kept full needs it',
    '11-15-11.delta: no kept full needs it',
    '5-9-5.delta: no kept full needs it',
  ]);
  expect(names(withBase.keep)).toEqual([
    '20-20.db.json + 20-20.db: among the newest 2 fulls',
    '30-30.db.json + 30-30.db: the newest chain',
    '21-25-21.delta: a kept full needs it',
    '26-30-26.delta: a kept full needs it',
    '31-35-31.delta: a kept full needs it',
  ]);
  const newest = planRetention(
    inventory,
    { kind: 'LimitBased', maxBackups: 3 },
    { ...OPTIONS, deltaRetention: 'newest-chain' },
  );
  expect(newest.remove.map(({ keys }) => Number(keys[0]!.split('/').at(-1)!.slice(0, 20)))).toEqual([
    26, 21, 16, 11, 5,
  ]);
  const old = inventory.timelines[0]!.fulls[0]!.key;
  const held = planRetention(
    inventory,
    { kind: 'LimitBased', maxBackups: 1 },
    { ...OPTIONS, provenChain: { fullKey: old } },
  );
  expect(held.keep.find(({ keys }) => keys[1] === old)?.reason).toBe('the last chain that was proved');
  expect(held.remove.map(({ kind }) => kind)).toEqual(['full', 'delta']);
});

test('fulls are counted over all timelines, newest timeline first', () => {
  const inventory = inventoryOf(
    [{ revision: 90 }, { revision: 95 }, { timeline: 2, revision: 10 }, { timeline: 2, revision: 20 }],
    [{ first: 91, last: 99 }],
  );
  const plan = planRetention(inventory, { kind: 'LimitBased', maxBackups: 3 }, OPTIONS);
  expect(plan.remove.map(({ keys }) => keys[1])).toEqual([inventory.timelines[0]!.fulls[0]!.key]);
  const one = planRetention(inventory, { kind: 'LimitBased', maxBackups: 1 }, OPTIONS);
  expect(one.keep.filter(({ kind }) => kind === 'full').map(({ keys }) => keys[1])).toEqual([
    inventory.timelines[1]!.fulls[1]!.key,
  ]);
});

test('halves and stranded deltas wait for their grace; damage and foreign files stay', () => {
  const young = OPTIONS.nowMs - 1000;
  const old = OPTIONS.nowMs - OPTIONS.orphanGraceMs;
  const inventory = inventoryOf(
    [{ revision: 10 }, { revision: 50, compact: 40 }],
    [
      { first: 20, last: 25, modifiedAtMs: young },
      { first: 26, last: 27, modifiedAtMs: old },
      { first: 60, last: 70, modifiedAtMs: old },
    ],
  );
  const half = (key: string, modifiedAtMs: number): Inventory['incomplete'][0] => ({
    key,
    missing: 'manifest',
    bytes: 5,
    modifiedAtMs,
  });
  inventory.incomplete.push(half('prod/a', young), half('prod/b', old), { ...half('prod/c', old), missing: 'data' });
  inventory.damaged.push({ key: 'prod/d', reason: 'the manifest is damaged' });
  inventory.foreign.push('prod/notes.txt');
  const plan = planRetention(inventory, { kind: 'LimitBased', maxBackups: 240 }, OPTIONS);
  expect(plan.remove.map(({ keys, reason }) => [keys[0]!.split('/').at(-1)!.slice(0, 20), reason])).toEqual([
    ['00000000000000000026', 'no chain reaches it'],
    ['b', 'a full without manifest'],
    ['c', 'a manifest without its full'],
  ]);
  const reasons = plan.keep.filter(({ kind }) => kind !== 'full').map(({ reason }) => reason);
  expect(reasons).toEqual([
    'no chain reaches it, but it is young',
    'nothing newer replaces it yet',
    'a full without manifest, perhaps being written',
    'the manifest is damaged: left for a person to judge',
  ]);
  expect([...plan.keep, ...plan.remove].flatMap(({ keys }) => keys)).not.toContain('prod/notes.txt');
});

test('what an ended timeline captured behind its last full goes with that full, once it is old', () => {
  const young = OPTIONS.nowMs - OPTIONS.orphanGraceMs + 1;
  const deltas = [
    { first: 11, last: 20 },
    { first: 30, last: 40 },
    { first: 50, last: 60, modifiedAtMs: young },
  ];
  const inventory = inventoryOf([{ revision: 10 }], deltas);
  const removed = (maxBackups: number): string[] =>
    planRetention(inventory, { kind: 'LimitBased', maxBackups }, OPTIONS)
      .remove.filter(({ kind }) => kind === 'delta')
      .map(({ keys }) => keys[0]!.split('/').at(-1)!.slice(18, 20));
  // As long as no newer timeline has a base, this one may go on.
  expect(removed(1)).toEqual([]);
  const [next] = inventoryOf([{ revision: 15 }], []).timelines;
  inventory.timelines.push({ ...next!, timeline: 2, fulls: [{ ...next!.fulls[0]!, timeline: 2, key: 'prod/t2' }] });
  expect(removed(2)).toEqual(['30']);
  expect(removed(1)).toEqual(['30', '11']);
  inventory.timelines[0]!.fulls = [];
  expect(removed(1)).toEqual(['30', '11']);
});

/** A store that dies after so many deletions. */
function dyingStore(store: ObjectStore, deletions: number): ObjectStore {
  let left = deletions;
  return Object.assign(Object.create(store) as ObjectStore, {
    stat: async (key: string) => await store.stat(key),
    delete: async (keys: readonly string[]) => {
      for (const key of keys) {
        if (left-- === 0) throw new Error('killed');
        await store.delete([key]);
      }
    },
  });
}

for (const deltaRetention of ['with-base', 'newest-chain'] as const) {
  test(
    `${deltaRetention}: killed after any single deletion, the repository is sound and the next run ends the work`,
    { timeout: 60_000 },
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'retention-'));
      try {
        let finished = false;
        for (let deletions = 0; !finished; deletions++) {
          const store = new LocalStore(join(folder, String(deletions)));
          for (const revision of [10, 20, 30, 40]) await putFull(store, { revision, compact: revision - 5 });
          for (const first of [11, 16, 21, 26, 31, 36, 41]) await putDelta(store, { first, last: first + 4 });
          const options: RetentionOptions = { ...OPTIONS, orphanGraceMs: 0, nowMs: Date.now() + 1000, deltaRetention };
          const policy = { kind: 'LimitBased', maxBackups: 2 } as const;
          const before = await readInventory(store, 'prod');
          const plan = planRetention(before, policy, options);
          const run = applyRetention(dyingStore(store, deletions), plan);
          finished = await run.then(
            () => true,
            () => false,
          );
          const now = await readInventory(store, 'prod');
          expect(now.damaged).toEqual([]);
          // Never a manifest without data: nothing vouches for what is gone.
          expect(now.incomplete.filter(({ missing }) => missing === 'data')).toEqual([]);
          const possible = restorableSet(timelineOf(now, 1));
          for (let revision = 25; revision <= 45; revision++) {
            const promise = deltaRetention === 'with-base' || revision <= 30 || revision >= 35;
            if (promise) expect(possible.has(revision), `revision ${revision} after ${deletions} deletions`).toBe(true);
          }
          // Every plan that can be made now finds all of its objects.
          for (const revision of possible) {
            const { full, deltas } = planRestore(now, { kind: 'revision', revision });
            for (const key of [full.key, manifestKey(full.key), ...deltas.map((delta) => delta.key)]) {
              expect(await store.stat(key)).toBeDefined();
            }
          }
          const next = planRetention(now, policy, options);
          await applyRetention(store, next);
          const end = await readInventory(store, 'prod');
          expect(end.incomplete).toEqual([]);
          expect(end.timelines[0]!.fulls.map(({ revision }) => revision)).toEqual([30, 40]);
          expect(end.timelines[0]!.deltas.map(({ first }) => first)).toEqual(
            deltaRetention === 'with-base' ? [31, 36, 41] : [41],
          );
        }
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
}

test('an orphan that got its other half meanwhile stays', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'retention-'));
  try {
    const store = new LocalStore(folder);
    await putFull(store, { revision: 10 });
    const late = await putFull(store, { revision: 20 });
    const bytes = await store.get(manifestKey(late.key));
    await store.delete([manifestKey(late.key)]);
    const options: RetentionOptions = { ...OPTIONS, nowMs: Date.now() + 1000, orphanGraceMs: 0 };
    const plan = planRetention(await readInventory(store, 'prod'), { kind: 'LimitBased', maxBackups: 1 }, options);
    expect(plan.remove.map(({ keys }) => keys)).toEqual([[late.key]]);
    await store.put(manifestKey(late.key), bytes);
    expect(await applyRetention(store, plan)).toEqual({ objects: 0, bytes: 0 });
    expect(await store.stat(late.key)).toBeDefined();
    await expect(applyRetention(store, plan, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
