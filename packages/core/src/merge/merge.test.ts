import { mkdirSync, readdirSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { BoltFile } from '../bolt/bolt-file.ts';
import { Scratch } from '../bolt/testing/scratch.ts';
import { decodeDelta } from '../delta/decode-delta.ts';
import { hashKV } from '../mvcc/hash-kv.ts';
import type { LeaseRecord } from '../mvcc/lease-record.ts';
import { rowsOfHistory, writeModelStore, type ModelRow } from '../mvcc/testing/model-store.ts';
import type { DeltaEntry, Inventory } from '../repository/inventory.ts';
import { planRestore } from '../repository/plan-restore.ts';
import { deltaEntry, inventoryOf } from '../repository/repository-samples.ts';
import { restoreAround } from '../restore/restore-around.ts';
import { TestRepository } from '../restore/testing/repository-of.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { cut, history } from '../verify/testing/lies.ts';
import { mergeDeltas } from './merge-deltas.ts';
import { planMerges, windowName, type MergeJob, type MergePolicy } from './plan-merges.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());
const SEED = Number(process.env['ETCD_OPS_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`seed ${SEED}`);
const START_MS = Date.UTC(2026, 10, 20);
const POLICY: MergePolicy = { windowsMs: [60_000, 300_000, 1_500_000], settleMs: 10_000, bytesMax: 1_000_000 };
const LATER_MS = START_MS + 86_400_000;

/** One delta each 20 seconds; of the revisions before it, `back` are in it once more. */
async function addDeltas(
  repository: TestRepository,
  rows: readonly ModelRow[],
  options: { each: number; back?: number },
): Promise<void> {
  let timeMs = START_MS;
  for (const part of cut(rows, options.each)) {
    const first = Math.max(rows[0]!.main, part[0]!.main - (options.back ?? 0));
    const last = part.at(-1)!.main;
    const lease: LeaseRecord = { id: BigInt(last % 5), grantedTtlSeconds: 60, askedAtRevision: last, source: 'ttl' };
    const held = rows.filter(({ main }) => main >= first && main <= last);
    await repository.addDelta(held, { leases: [lease], lastObservedMs: (timeMs += 20_000) });
  }
}

async function mergeAll(repository: TestRepository, store: ObjectStore, policy = POLICY): Promise<MergeJob[]> {
  const scratchDir = scratch.file();
  mkdirSync(scratchDir);
  const jobs = planMerges(await repository.inventory(), policy, LATER_MS);
  for (const job of jobs) await mergeDeltas(job, { store, scratchDir });
  expect(readdirSync(scratchDir)).toEqual([]);
  return jobs;
}

/** Rows, leases and times of deltas, clipped where they overlap, as text. */
async function contentOf(repository: TestRepository, deltas: readonly DeltaEntry[]) {
  const rows: string[] = [];
  const leases = new Set<string>();
  const times: string[] = [];
  let reached = 0;
  for (const { key, last } of deltas) {
    const decoded = await decodeDelta(await repository.store.get(key));
    for (const block of decoded.rowBlocks) {
      for (let row = block.firstRowAbove(reached); row < block.rowCount; row++) {
        rows.push(`${block.key(row).toString('hex')}=${block.value(row).toString('hex')}`);
      }
    }
    for (const { id, grantedTtlSeconds, askedAtRevision } of decoded.leases) {
      leases.add(`${id}:${grantedTtlSeconds}@${askedAtRevision}`);
    }
    const later = decoded.times.filter(({ revision }) => revision > reached);
    times.push(...later.map(({ revision, observedMs }) => `${revision}@${observedMs}`));
    reached = last;
  }
  return { rows, leases: [...leases], times };
}

async function emptyRepository(rows: readonly ModelRow[]): Promise<TestRepository> {
  const repository = new TestRepository(scratch.file());
  const path = scratch.file();
  writeModelStore(path, rows.slice(0, 1));
  await repository.addFull(path, { createdAtMs: START_MS });
  return repository;
}

const deltasOf = ({ timelines }: Inventory): DeltaEntry[] => timelines[0]!.deltas;

describe('a merged delta', () => {
  test('holds the rows, leases and times of those it was made of, each once', async () => {
    await fc.assert(
      fc.asyncProperty(
        history,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 5 }),
        async (operations, each, back) => {
          const rows = rowsOfHistory([...operations, [{ key: 'z' }], [{ key: 'z' }]]);
          const repository = await emptyRepository(rows);
          await addDeltas(repository, rows, { each, back });
          const small = deltasOf(await repository.inventory());
          const jobs = await mergeAll(repository, repository.store);
          for (const { first, last, inputs } of jobs) {
            const merged = deltasOf(await repository.inventory()).find(
              (found) => found.first === first && found.last === last,
            );
            const wanted = await contentOf(repository, inputs);
            const found = await contentOf(repository, [merged!]);
            expect(found.rows).toEqual(wanted.rows);
            expect(found.times).toEqual(wanted.times);
            expect(found.leases).toEqual(wanted.leases);
          }
          expect(deltasOf(await repository.inventory())).toHaveLength(small.length + jobs.length);
        },
      ),
      { seed: SEED, numRuns: 20 },
    );
  });

  test('is the same object, whether it is made of small deltas or of merged ones, and whoever is faster', async () => {
    const rows = rowsOfHistory(Array.from({ length: 90 }, (_, index) => [{ key: `k${index % 9}`, valueBytes: 2_000 }]));
    const at = await emptyRepository(rows);
    const step = await emptyRepository(rows);
    for (const repository of [at, step]) await addDeltas(repository, rows, { each: 2 });
    const direct = await mergeAll(at, at.store);
    for (const count of [1, 2, 3]) {
      await mergeAll(step, step.store, { ...POLICY, windowsMs: POLICY.windowsMs.slice(0, count) });
    }
    expect(direct.length).toBeGreaterThan(0);
    for (const { first, last } of direct) {
      const find = async (repository: TestRepository) => {
        return deltasOf(await repository.inventory()).find((found) => found.first === first && found.last === last)!;
      };
      const [one, other] = [await find(at), await find(step)];
      expect(one.key).toBe(other.key);
      expect((await at.store.get(one.key)).equals(await step.store.get(other.key))).toBe(true);
    }
    const [job] = direct;
    const again = await mergeDeltas(job!, { store: at.store, scratchDir: scratch.file() });
    expect(again.outcome).toBe('exists');
  });

  test('is compressed as hard as asked', async () => {
    const operations = Array.from({ length: 400 }, (_, index) => [
      { key: `/registry/pods/${index * 7919}`, valueBytes: 300 },
    ]);
    const rows = rowsOfHistory(operations);
    const bytesAt = async (compressionLevel: number): Promise<number> => {
      const repository = await emptyRepository(rows);
      await addDeltas(repository, rows, { each: 100 });
      const [job] = planMerges(await repository.inventory(), POLICY, LATER_MS);
      const scratchDir = scratch.file();
      mkdirSync(scratchDir);
      const { store } = repository;
      const { key } = await mergeDeltas(job!, { store, scratchDir, codec: 'gzip', compressionLevel });
      return (await store.stat(key))!.bytes;
    };
    expect(await bytesAt(9)).toBeLessThan(await bytesAt(1));
  });

  test('of another history is refused, and an input that is damaged is named', async () => {
    const rows = rowsOfHistory(Array.from({ length: 12 }, () => [{ key: 'k' }]));
    const repository = await emptyRepository(rows);
    await addDeltas(repository, rows, { each: 3 });
    const [job] = planMerges(await repository.inventory(), POLICY, LATER_MS);
    const { key } = job!.inputs[1]!;
    const bytes = await repository.store.get(key);
    bytes[bytes.length >> 1]! ^= 1;
    await repository.store.delete([key]);
    await repository.store.put(key, bytes);
    const before = deltasOf(await repository.inventory()).length;
    await expect(mergeDeltas(job!, { store: repository.store, scratchDir: scratch.file() })).rejects.toMatchObject({
      objectKey: key,
    });
    expect(deltasOf(await repository.inventory())).toHaveLength(before);
  });
});

describe('whoever restores meanwhile', () => {
  const rows = rowsOfHistory(
    Array.from({ length: 60 }, (_, index) => [{ key: `k${index % 9}`, valueBytes: 40 }, { key: `j${index % 4}` }]),
  );

  async function hashAt(repository: TestRepository, revision: number): Promise<{ hash: number; warnings: string[] }> {
    const dataDir = scratch.file();
    const report = await restoreAround({
      store: repository.store,
      inventory: await repository.inventory(),
      restoreTo: { kind: 'revision', revision },
      dataDirs: [{ member: 'm', dataDir }],
      initialCluster: [{ name: 'm', peerUrls: ['http://localhost:2380'] }],
      token: 't',
    });
    using file = BoltFile.open(`${dataDir}/member/snap/db`);
    return { hash: (await hashKV(file)).hash, warnings: report.warnings };
  }

  test('gets the same rows from any mix of small and merged deltas', async () => {
    const repository = await emptyRepository(rows);
    await addDeltas(repository, rows, { each: 2 });
    const revisions = [2, 13, 30, 44, 61];
    const wanted = await Promise.all(revisions.map(async (revision) => (await hashAt(repository, revision)).hash));
    const small = deltasOf(await repository.inventory());
    await mergeAll(repository, repository.store, { ...POLICY, windowsMs: [60_000] });
    await mergeAll(repository, repository.store);
    const objects = deltasOf(await repository.inventory());
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: small.length, maxLength: small.length }), async (gone) => {
        // Only what a larger one covers may go.
        const removed = small.filter(({ key, first, last }, index) => {
          const covered = objects.some((found) => found.key !== key && found.first <= first && found.last >= last);
          return covered && gone[index]!;
        });
        const bodies = await Promise.all(removed.map(async ({ key }) => await repository.store.get(key)));
        await repository.store.delete(removed.map(({ key }) => key));
        for (const [index, revision] of revisions.entries()) {
          expect((await hashAt(repository, revision)).hash).toBe(wanted[index]);
        }
        for (const [index, { key }] of removed.entries()) await repository.store.put(key, bodies[index]!);
      }),
      { seed: SEED, numRuns: 6 },
    );
  });

  test('falls back to the small ones when the merged one is damaged', async () => {
    const repository = await emptyRepository(rows);
    await addDeltas(repository, rows, { each: 2 });
    const wanted = await hashAt(repository, 61);
    await mergeAll(repository, repository.store);
    const { deltas } = planRestore(await repository.inventory(), { kind: 'revision', revision: 61 });
    const { key } = deltas.reduce((most, delta) => (delta.bytes > most.bytes ? delta : most));
    const bytes = await repository.store.get(key);
    bytes[bytes.length >> 1]! ^= 1;
    await repository.store.delete([key]);
    await repository.store.put(key, bytes);
    const found = await hashAt(repository, 61);
    expect(found.hash).toBe(wanted.hash);
    expect(found.warnings).toContainEqual(expect.stringContaining(`${key} is damaged and was not used`));
  });

  test('loses nothing when a merger dies at any call, or the store keeps something else', async () => {
    const repository = await emptyRepository(rows);
    await addDeltas(repository, rows, { each: 2 });
    const wanted = await hashAt(repository, 61);
    for (let call = 1; call < 60; call++) {
      const dying = dyingStore(repository.store, call);
      await mergeAll(repository, dying.store).catch((error: unknown) =>
        expect(error).toMatchObject({ message: 'died' }),
      );
      if (call % 10 === 1) expect(await hashAt(repository, 61)).toEqual(wanted);
      if (!dying.died()) break;
    }
    await mergeAll(repository, repository.store);
    expect((await hashAt(repository, 61)).hash).toBe(wanted.hash);

    const forgetful = await emptyRepository(rows);
    await addDeltas(forgetful, rows, { each: 2 });
    const before = deltasOf(await forgetful.inventory()).length;
    const spoiling: ObjectStore = new Proxy(forgetful.store, {
      get: (target, name) => {
        if (name !== 'putFile') return bound(target, name);
        return async (key: string) => await target.put(key, Buffer.alloc(5_000, 1));
      },
    });
    await expect(mergeAll(forgetful, spoiling)).rejects.toMatchObject({ code: 'DELTA_DAMAGED' });
    expect(deltasOf(await forgetful.inventory())).toHaveLength(before);
  });
});

function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name);
  return typeof value === 'function' ? (value.bind(target) as unknown) : value;
}

/** A store whose process dies at its n-th call. */
function dyingStore(inner: ObjectStore, at: number): { store: ObjectStore; died: () => boolean } {
  let calls = 0;
  const store = new Proxy(inner, {
    get: (target, name) => {
      const value = bound(target, name);
      if (typeof value !== 'function' || name === 'localPath') return value;
      return (...given: unknown[]): unknown => {
        if (++calls >= at) throw new Error('died');
        return (value as (...all: unknown[]) => unknown)(...given);
      };
    },
  });
  return { store, died: () => calls >= at };
}

describe('what is merged', () => {
  const minute = 60_000;
  const policy: MergePolicy = { windowsMs: [5 * minute, 60 * minute], settleMs: minute, bytesMax: 1_000_000 };
  /** Deltas of ten revisions each, seen at these minutes. */
  const seen = (...minutes: number[]) =>
    minutes.map((at, index) => ({
      first: index * 10 + 1,
      last: index * 10 + 10,
      lastObservedMs: START_MS + at * minute,
    }));
  const plan = (deltas: { first: number; last: number; lastObservedMs: number }[], atMinute: number, bytes = 1_000) => {
    const inventory = inventoryOf([{ revision: 1 }], deltas);
    for (const delta of inventory.timelines[0]!.deltas) delta.bytes = bytes;
    return planMerges(inventory, policy, START_MS + atMinute * minute).map(({ first, last, inputs, windowMs }) => {
      return [first, last, inputs.length, windowMs / minute];
    });
  };

  test('windows that are over, the largest first; not what may still grow', () => {
    const deltas = seen(1, 2, 6, 7, 11, 12);
    expect(plan(deltas, 10)).toEqual([[1, 20, 2, 5]]);
    expect(plan(deltas, 13)).toEqual([
      [1, 20, 2, 5],
      [21, 40, 2, 5],
    ]);
    expect(plan(deltas, 61)).toEqual([[1, 60, 6, 60]]);
  });

  test('nothing that one object covers already, and nothing alone in its window', () => {
    expect(plan(seen(1, 6, 11), 20)).toEqual([]);
    const merged = { first: 1, last: 20, lastObservedMs: START_MS + 2 * minute };
    expect(plan([...seen(1, 2), merged], 20)).toEqual([]);
    expect(plan([...seen(1, 2), merged], 90)).toEqual([]);
  });

  test('a late delta of a window that was merged is merged with it', () => {
    const merged = { first: 1, last: 20, lastObservedMs: START_MS + 2 * minute };
    const late = { first: 21, last: 30, lastObservedMs: START_MS + 4 * minute };
    expect(plan([merged, late], 20)).toEqual([[1, 30, 2, 5]]);
  });

  test('a clock that was set back does not reorder; a window that is too large stays as it is; a gap parts', () => {
    expect(plan(seen(6, 1, 7), 20)).toEqual([[1, 30, 3, 5]]);
    expect(plan(seen(1, 2, 11, 12), 61, 300_000)).toEqual([
      [1, 20, 2, 5],
      [21, 40, 2, 5],
    ]);
    const [a, b, c, d] = seen(1, 2, 3, 4);
    expect(plan([a!, b!, { ...c!, first: 25 }, d!], 20)).toEqual([
      [1, 20, 2, 5],
      [25, 40, 2, 5],
    ]);
  });

  test('goes round a delta that could not be read, and merges what lies on both sides of it', () => {
    const bad = deltaEntry({ first: 31, last: 40, lastObservedMs: START_MS + 80_000 });
    const inventory = inventoryOf(
      [{ revision: 1 }],
      Array.from({ length: 12 }, (_, index) => ({
        ...{ first: index * 10 + 1, last: index * 10 + 10 },
        lastObservedMs: START_MS + (index + 1) * 20_000,
      })),
    );
    const windowsWithout = (keys: string[], windows: string[]): string[] => {
      const jobs = planMerges(inventory, POLICY, LATER_MS, { keys: new Set(keys), windows: new Set(windows) });
      return jobs.map(windowName);
    };
    expect(windowsWithout([], [])).toEqual(['1/1-120']);
    expect(windowsWithout([bad.key], [])).toEqual(['1/1-30', '1/41-120']);
    // The windows inside of one that is left alone are none the worse for it.
    expect(windowsWithout([], ['1/1-120']).length).toBeGreaterThan(1);
    expect(windowsWithout([], ['1/1-120'])).not.toContain('1/1-120');
  });

  test('a week of deltas each 10 seconds is read from some dozens of objects', () => {
    const count = 7 * 8_640;
    const week = Array.from({ length: count }, (_, index) => ({
      ...deltaEntry({ first: index + 2, last: index + 2, lastObservedMs: START_MS + index * 10_000 }),
      bytes: 3_000,
    }));
    const nowMs = START_MS + count * 10_000;
    const inventory = inventoryOf([{ revision: 1 }], []);
    inventory.timelines[0]!.deltas = week;
    const windowsMs = [5 * minute, 60 * minute, 1_440 * minute];
    const jobs = planMerges(inventory, { windowsMs, settleMs: 10 * minute, bytesMax: 512 * 1024 * 1024 }, nowMs);
    const merged = jobs.map(({ first, last, bytes }) => {
      return { ...deltaEntry({ first, last, lastObservedMs: START_MS + (last - 2) * 10_000 }), bytes };
    });
    const deltas = [...week, ...merged].toSorted((a, b) => a.first - b.first || a.last - b.last);
    inventory.timelines[0]!.deltas = deltas;
    const chosen = planRestore(inventory, { kind: 'latest' }).deltas;
    expect(chosen.length).toBeLessThan(150);
    expect(planMerges(inventory, { windowsMs, settleMs: 10 * minute, bytesMax: 512 * 1024 * 1024 }, nowMs)).toEqual([]);
  });

  test('windows that do not nest are refused', () => {
    for (const windowsMs of [[], [60_000, 90_000], [60_000, 60_000], [0]]) {
      expect(() => planMerges(inventoryOf([], []), { ...policy, windowsMs }, 0)).toThrow('do not nest');
    }
  });
});
