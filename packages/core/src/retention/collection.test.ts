import { mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EtcdOpsError } from '../base/errors.ts';
import { readInventory } from '../repository/inventory.ts';
import { manifestKey } from '../repository/object-key.ts';
import { planRestore } from '../repository/plan-restore.ts';
import { markedKeys, readRetentionRecords } from '../repository/read-retention-records.ts';
import { sampleChain } from '../repository/proof-samples.ts';
import { writeProof } from '../repository/read-proofs.ts';
import { minute, putDelta, putFull } from '../repository/repository-samples.ts';
import { LocalStore } from '../storage/local-store.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { applyCollection } from './apply-collection.ts';
import { planCollection, type CollectionOptions } from './collect.ts';
import { holdObjects } from './hold.ts';
import { holdPlan } from './hold-plan.ts';
import { createPin, removePin } from './pin.ts';
import { retentionPolicyOf, type PolicySettings } from './policy.ts';

const GRACE_MS = 900_000;
let folder = '';
let stores = 0;
let store: LocalStore;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'collection-'));
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

/** Four fulls, each the history of five revisions, and deltas without a hole. */
async function fill(target: ObjectStore): Promise<void> {
  for (const revision of [10, 20, 30, 40]) await putFull(target, { revision, compact: revision - 5 });
  for (const first of [11, 16, 21, 26, 31, 36, 41]) await putDelta(target, { first, last: first + 4 });
}

beforeEach(async () => {
  store = new LocalStore(join(folder, String(stores++)));
  await fill(store);
});

interface RunOptions {
  store?: ObjectStore;
  laterMs?: number;
  settings?: Partial<PolicySettings>;
  graceMs?: number;
}

function optionsOf({ laterMs = 0, settings = {}, graceMs = GRACE_MS, ...rest }: RunOptions = {}): CollectionOptions {
  return {
    store: rest.store ?? store,
    cluster: 'prod',
    policy: retentionPolicyOf({ maxBackups: 2, ...settings }),
    orphanGraceMs: 0,
    graceMs,
    // Files written just now count as younger than a moment ago.
    now: () => Date.now() + 5_000 + laterMs,
  };
}

async function run(options: RunOptions = {}) {
  const settings = optionsOf(options);
  const collection = await planCollection(settings);
  return { ...collection, report: await applyCollection(collection, settings) };
}

async function revisions(): Promise<{ fulls: number[]; deltas: number[] }> {
  const { timelines } = await readInventory(store, 'prod');
  return {
    fulls: timelines[0]!.fulls.map(({ revision }) => revision),
    deltas: timelines[0]!.deltas.map(({ first }) => first),
  };
}

const LATER_MS = GRACE_MS + 60_000;
const ALL = { fulls: [10, 20, 30, 40], deltas: [11, 16, 21, 26, 31, 36, 41] };
const KEPT = { fulls: [30, 40], deltas: [31, 36, 41] };

/** A store whose calls can be made to fail. */
function withDelete(inner: ObjectStore, remove: (key: string) => Promise<void>): ObjectStore {
  return new Proxy(inner, {
    get(target, name) {
      if (name === 'delete') {
        return async (keys: readonly string[]) => {
          for (const key of keys) {
            await remove(key);
            await target.delete([key]);
          }
        };
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

describe('removal in two phases', () => {
  test('one run marks, a run after the grace period removes, a third has nothing to do', async () => {
    const first = await run();
    expect(first.report).toMatchObject({ removed: [], refused: [] });
    expect(first.report.marked).toHaveLength(6);
    expect(await revisions()).toEqual(ALL);
    const early = await run({ laterMs: GRACE_MS / 2 });
    expect(early.stage.waiting).toHaveLength(6);
    expect(early.report).toMatchObject({ marked: [], removed: [] });
    const second = await run({ laterMs: LATER_MS });
    expect(second.report.removed).toHaveLength(6);
    expect(await revisions()).toEqual(KEPT);
    expect((await readRetentionRecords(store, 'prod')).marks).toEqual([]);
    const third = await run({ laterMs: LATER_MS });
    expect(third.plan.remove).toEqual([]);
    expect(third.report).toMatchObject({ marked: [], removed: [], recordsRemoved: 0 });
  });

  test('without a grace period one run does both', async () => {
    expect((await run({ graceMs: 0 })).report.removed).toHaveLength(6);
    expect(await revisions()).toEqual(KEPT);
  });

  test('the last chain that the cluster vouched for stays, whatever was proven against what was made of it', async () => {
    const provedAt = (minutes: number) => ({ provedAt: new Date(minute(minutes)).toISOString() });
    const full = (revision: number) => ({ revision, createdAtMs: minute(revision) });
    const equal = { compactRevision: -1, expected: 7, found: 7, outcome: 'equal' } as const;
    // Full 10: a witness within it. Full 20, later: only what was made of it.
    await writeProof(
      store,
      sampleChain({ revision: 10, ...provedAt(100), comparisons: [{ with: 'witness', revision: 15, ...equal }] }),
      full(10),
    );
    const product = await putFull(store, { revision: 45, compact: 45, manifest: { cause: 'compact' } });
    await writeProof(
      store,
      sampleChain({
        ...{ revision: 20, ...provedAt(200) },
        comparisons: [{ with: 'full', key: product.key, revision: 45, ...equal }],
      }),
      full(20),
    );
    await run({ graceMs: 0 });
    expect((await revisions()).fulls).toEqual([10, 40, 45]);
  });

  test('restores go round what is marked; what only it makes is planned with a word', async () => {
    await run();
    const inventory = await readInventory(store, 'prod');
    // Revision 33 could come from full 30 or, cut, from 40; 18 only from what is marked.
    const open = planRestore(inventory, { kind: 'revision', revision: 33 });
    expect(open).toMatchObject({ full: { revision: 30 }, warnings: [] });
    const doomed = planRestore(inventory, { kind: 'revision', revision: 18 });
    expect(doomed.warnings.join()).toContain('marked for removal');
    // Marked by hand: all but the last full. Then the same revision is made of that one.
    const marks = inventory.retention!.marks[0]!;
    const full = inventory.timelines[0]!.fulls[2]!.key;
    const keys = [...marks.record.keys, full.slice('prod/'.length)];
    const retention = { ...inventory.retention!, marks: [{ ...marks, record: { ...marks.record, keys } }] };
    expect(planRestore({ ...inventory, retention }, { kind: 'revision', revision: 36 }).full.revision).toBe(40);
  });

  test('what somebody reads stays until the hold ends, and the rest goes', async () => {
    await run();
    const full = (await readInventory(store, 'prod')).timelines[0]!.fulls[1]!.key;
    {
      await using hold = await holdObjects(store, {
        cluster: 'prod',
        purpose: 'restore',
        // Long, since the clock of the next run is set forward.
        ttlMs: 3_600_000,
        chain: { timeline: 1, full, to: 25 },
      });
      expect(hold.problem).toBeUndefined();
      const held = await run({ laterMs: LATER_MS });
      expect(held.stage.held.map(({ decision }) => decision.kind)).toEqual(['full', 'delta']);
      expect(await revisions()).toEqual({ fulls: [20, 30, 40], deltas: [21, 31, 36, 41] });
    }
    expect((await readRetentionRecords(store, 'prod')).holds).toEqual([]);
    await run({ laterMs: LATER_MS });
    expect(await revisions()).toEqual(KEPT);
  });

  test('a hold on everything stops all; one whose holder died ends by itself and is taken away', async () => {
    await run();
    const hold = await holdObjects(store, { cluster: 'prod', purpose: 'copy', ttlMs: 2_000_000 });
    expect((await run({ laterMs: LATER_MS })).stage.held).toHaveLength(6);
    expect(await revisions()).toEqual(ALL);
    const after = await run({ laterMs: 2_200_000 });
    expect(after.report.removed).toHaveLength(6);
    expect(after.report.recordsRemoved).toBe(1);
    await hold[Symbol.asyncDispose]();
  });

  test('a hold that appears after the plan is seen before anything goes', async () => {
    await run();
    const settings = optionsOf({ laterMs: LATER_MS });
    const collection = await planCollection(settings);
    expect(collection.stage.remove).toHaveLength(6);
    await using _ = await holdObjects(store, { cluster: 'prod', purpose: 'copy', ttlMs: 3_600_000 });
    expect((await applyCollection(collection, settings)).removed).toEqual([]);
    expect(await revisions()).toEqual(ALL);
  });

  test('a hold that is renewed while much is removed is not taken for one that ended', async () => {
    await using _ = await holdObjects(store, { cluster: 'prod', purpose: 'restore', ttlMs: 600_000 });
    const { key } = (await readRetentionRecords(store, 'prod')).holds[0]!;
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(join(store.root, key), longAgo, longAgo);
    const settings = optionsOf();
    const collection = await planCollection(settings);
    await store.put(key, await store.get(key));
    expect((await applyCollection(collection, settings)).recordsRemoved).toBe(0);
    expect(await store.stat(key)).toBeDefined();
  });

  test('a reader that planned before the marks holds first, then sees them and goes another way', async () => {
    const inventory = await readInventory(store, 'prod');
    const plan = planRestore(inventory, { kind: 'revision', revision: 26 });
    expect(plan.full.revision).toBe(20);
    await run();
    const options = { plan, purpose: 'restore', exclude: new Set<string>(), isFixed: false };
    await using held = await holdPlan(store, inventory, options);
    expect(held.plan).toMatchObject({ revision: 26, full: { revision: 30 }, cutFull: true });
  });

  test('a store that takes no hold is no error', async () => {
    const readOnly = new Proxy(store, {
      get: (target, name) =>
        name === 'put'
          ? () => Promise.reject(new EtcdOpsError('STORE_FAILED', { message: 'read-only' }))
          : (Reflect.get(target, name) as unknown),
    });
    await using hold = await holdObjects(readOnly, { cluster: 'prod', purpose: 'restore' });
    expect(hold.problem).toContain('read-only');
  });

  test('marks follow the plan: what is to stay after all is not marked any more', async () => {
    await run();
    await run({ settings: { maxBackups: 3 } });
    const { marks } = await readRetentionRecords(store, 'prod');
    expect(
      marks
        .flatMap(markedKeys)
        .filter((key) => key.includes('/full/'))
        .map((key) => key.slice(-40)),
    ).toHaveLength(2);
    await run({ settings: { maxBackups: 240 } });
    expect((await readRetentionRecords(store, 'prod')).marks).toEqual([]);
  });
});

describe('what dies and what is refused', () => {
  for (const deltaRetention of ['with-base', 'newest-chain'] as const) {
    test(
      `${deltaRetention}: killed before or after any single write or deletion, the repository is sound and the next run ends the work`,
      { timeout: 120_000 },
      async () => {
        const settings = { deltaRetention };
        let finished = false;
        for (let calls = 0; !finished; calls++) {
          store = new LocalStore(join(folder, `${deltaRetention}-${calls}`));
          await fill(store);
          let left = calls;
          const dying = withDelete(store, () =>
            left-- === 0 ? Promise.reject(new Error('killed')) : Promise.resolve(),
          );
          finished = await run({ store: dying, graceMs: 0, settings }).then(
            () => true,
            (error: unknown) => {
              expect(String(error)).toContain('killed');
              return false;
            },
          );
          const now = await readInventory(store, 'prod');
          expect(now.damaged).toEqual([]);
          // Never a manifest without data: nothing vouches for what is gone.
          expect(now.incomplete.filter(({ missing }) => missing === 'data')).toEqual([]);
          // Every promise holds, and every plan finds all of its objects.
          for (let revision = 25; revision <= 45; revision++) {
            if (deltaRetention === 'newest-chain' && revision > 30 && revision < 35) continue;
            const { full, deltas } = planRestore(now, { kind: 'revision', revision });
            for (const key of [full.key, manifestKey(full.key), ...deltas.map((delta) => delta.key)]) {
              expect(await store.stat(key)).toBeDefined();
            }
          }
          await run({ laterMs: LATER_MS, settings });
          await run({ laterMs: 3 * LATER_MS, settings });
          const end = await readInventory(store, 'prod');
          expect(end.incomplete).toEqual([]);
          expect(end.retention!.marks).toEqual([]);
          expect(await revisions()).toEqual(deltaRetention === 'with-base' ? KEPT : { fulls: [30, 40], deltas: [41] });
        }
      },
    );
  }

  test('what the store refuses is reported, the rest goes, and it is not tried again at once', async () => {
    const tried: string[] = [];
    const refusing = withDelete(store, (key) => {
      tried.push(key);
      const isRefused = key.includes('/full/') && key.includes('0010-');
      return isRefused
        ? Promise.reject(new EtcdOpsError('STORE_FAILED', { message: `${key} is held by the bucket's policy` }))
        : Promise.resolve();
    });
    const { report } = await run({ store: refusing, graceMs: 0 });
    expect(report.refused.map(({ problem }) => problem).join()).toContain("held by the bucket's policy");
    expect(report.removed).toHaveLength(5);
    expect(await revisions()).toEqual({ ...KEPT, fulls: [10, 30, 40] });
    tried.length = 0;
    const again = await run({ store: refusing, graceMs: 0, laterMs: 60_000 });
    expect(again.stage.refused).toHaveLength(1);
    expect(tried).toEqual([]);
    // After an hour once more, then after two.
    const later = await run({ store: refusing, graceMs: 0, laterMs: 3_700_000 });
    expect(later.report.refused).toHaveLength(1);
    const { marks } = await readRetentionRecords(store, 'prod');
    expect(marks[0]!.record.refused).toMatchObject([{ times: 2 }, { times: 2 }]);
  });

  test('a store that refuses everything is not asked a thousand times', async () => {
    let asked = 0;
    const refusing = withDelete(store, () => {
      asked++;
      return Promise.reject(new EtcdOpsError('STORE_FAILED', { message: 'no right to delete' }));
    });
    const settings = optionsOf({ store: refusing, graceMs: 0 });
    const { refused, untried } = await applyCollection(await planCollection(settings), settings);
    expect(asked).toBe(5);
    expect(refused).toHaveLength(5);
    expect(untried).toBe(1);
  });

  test('locked objects are not tried, and the plan says why', async () => {
    const retainUntilMs = Date.now() + 86_400_000;
    const tried: string[] = [];
    const locking = withDelete(store, (key) => {
      tried.push(key);
      return Promise.resolve();
    });
    const locked = new Proxy(locking, {
      get(target, name) {
        if (name === 'capabilities') return { ...target.capabilities, objectLock: true };
        if (name === 'objectLock') {
          return (key: string) => {
            if (key.includes('/full/') && key.includes('0010-')) {
              return { retainUntilMs, mode: 'compliance', legalHold: false };
            }
            return key.includes('0016-') ? { legalHold: true } : { retainUntilMs: 1, legalHold: false };
          };
        }
        return Reflect.get(target, name) as unknown;
      },
    });
    const { plan } = await run({ store: locked, graceMs: 0 });
    const reasons = plan.keep.filter(({ code }) => code === 'locked').map(({ reason }) => reason);
    expect(reasons[0]).toMatch(/^locked until 20.*\(compliance\); no rule/);
    expect(reasons[1]).toMatch(/^under legal hold; no kept full needs it/);
    expect(tried.filter((key) => /0010-|0016-/.test(key) && !key.includes('/mark/'))).toEqual([]);
    expect(await revisions()).toEqual({ fulls: [10, 30, 40], deltas: [16, 31, 36, 41] });
  });

  test('an orphan that got its other half meanwhile stays', async () => {
    const late = await putFull(store, { revision: 5 });
    const bytes = await store.get(manifestKey(late.key));
    await store.delete([manifestKey(late.key)]);
    const settings = optionsOf({ graceMs: 0, settings: { maxBackups: 240 } });
    const collection = await planCollection(settings);
    expect(collection.plan.remove.map(({ keys }) => keys)).toEqual([[late.key]]);
    await store.put(manifestKey(late.key), bytes);
    expect((await applyCollection(collection, settings)).removed).toEqual([]);
    expect(await store.stat(late.key)).toBeDefined();
  });
});

describe('pins', () => {
  const pinOf = async (revision: number, untilMs?: number) =>
    await createPin(store, {
      cluster: 'prod',
      target: { kind: 'revision', revision },
      reason: 'before the upgrade',
      untilMs,
      nowMs: Date.now(),
    });

  test('a pinned revision stays with what it needs, until the pin is taken away', async () => {
    const { record, plan } = await pinOf(18);
    expect(plan.deltas).toHaveLength(2);
    await run({ graceMs: 0 });
    expect(await revisions()).toEqual({ fulls: [10, 30, 40], deltas: [11, 16, 31, 36, 41] });
    const inventory = await readInventory(store, 'prod');
    expect(planRestore(inventory, { kind: 'revision', revision: 18 }).full.revision).toBe(10);
    expect(inventory.retention!.pins.map(({ record: pin }) => pin)).toEqual([record]);
    expect(inventory.foreign).toEqual([]);
    expect(await removePin(store, { cluster: 'prod', id: record.id.slice(-8) })).toMatchObject({ id: record.id });
    await run({ graceMs: 0 });
    expect(await revisions()).toEqual(KEPT);
    await expect(removePin(store, { cluster: 'prod', id: record.id })).rejects.toMatchObject({
      code: 'STORE_NOT_FOUND',
    });
  });

  test('a pin ends by itself, and its record goes', async () => {
    await pinOf(18, Date.now() + 600_000);
    await run({ graceMs: 0 });
    expect((await revisions()).fulls).toEqual([10, 30, 40]);
    const { report } = await run({ graceMs: 0, laterMs: 700_000 });
    expect(report.recordsRemoved).toBe(1);
    expect(await revisions()).toEqual(KEPT);
  });

  test('a pin that is made while a collection runs is heeded', async () => {
    const settings = optionsOf({ graceMs: 0 });
    const collection = await planCollection(settings);
    await pinOf(18);
    expect(await applyCollection(collection, settings)).toMatchObject({ removed: [], pinnedMeanwhile: true });
    await run({ graceMs: 0 });
    expect((await revisions()).fulls).toEqual([10, 30, 40]);
  });

  test('what cannot be restored cannot be pinned; a pin that cannot be read stops every removal', async () => {
    await expect(pinOf(99)).rejects.toMatchObject({ code: 'REVISION_NOT_RESTORABLE' });
    expect((await readRetentionRecords(store, 'prod')).pins).toEqual([]);
    const { record } = await pinOf(18);
    const key = `prod/pin/${record.id}.json`;
    await store.put(key, Buffer.from('{}'));
    await expect(run({ graceMs: 0 })).rejects.toMatchObject({ code: 'MANIFEST_DAMAGED' });
    expect(await removePin(store, { cluster: 'prod', id: record.id })).toEqual({ id: record.id });
    await run({ graceMs: 0 });
    expect(await revisions()).toEqual(KEPT);
  });
});
