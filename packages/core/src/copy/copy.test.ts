import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { Clock } from '../base/clock.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { restorableRanges } from '../repository/coverage.ts';
import { repository } from '../repository/history-arbitrary.ts';
import { readInventory, type Inventory } from '../repository/inventory.ts';
import { clusterRecordKey, manifestKey, timelineRecordKey } from '../repository/object-key.ts';
import { decodeClusterRecord, encodeClusterRecord, encodeTimelineRecord } from '../repository/repository-records.ts';
import {
  fullEntry,
  minute,
  putDelta,
  putFull,
  SAMPLE_CLUSTER,
  SAMPLE_CLUSTER_ID,
} from '../repository/repository-samples.ts';
import { holdObjects } from '../retention/hold.ts';
import { createPin } from '../retention/pin.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { copyRepository, type CopyOptions, type CopyReport } from './copy-repository.ts';
import { contentOf, CopyWorld, failingAfter, MemoryStore } from './testing/copy-world.ts';

let world: CopyWorld;
afterEach(async () => await world[Symbol.asyncDispose]());

const HISTORY = [
  [{ revision: 10 }, { revision: 20 }, { revision: 30 }],
  [
    { first: 11, last: 15 },
    { first: 16, last: 20 },
    { first: 21, last: 30 },
    { first: 31, last: 35 },
    { first: 36, last: 40 },
  ],
] as const;

async function copy(options: Partial<CopyOptions> = {}): Promise<CopyReport> {
  return await copyRepository({ source: world.source, target: world.target, cluster: SAMPLE_CLUSTER, ...options });
}

async function revisions(store: ObjectStore): Promise<{ fulls: number[]; deltas: string[] }> {
  const { timelines } = await readInventory(store, SAMPLE_CLUSTER);
  return {
    fulls: timelines.flatMap(({ fulls }) => fulls.map(({ revision }) => revision)),
    deltas: timelines.flatMap(({ deltas }) => deltas.map(({ first, last }) => `${first}-${last}`)),
  };
}

async function putRecords(): Promise<void> {
  const at = new Date(minute(0)).toISOString();
  const clusterId = SAMPLE_CLUSTER_ID;
  await world.source.put(
    clusterRecordKey(SAMPLE_CLUSTER),
    encodeClusterRecord({ version: 1, kind: 'cluster', cluster: SAMPLE_CLUSTER, clusterId, createdAt: at }),
  );
  await world.source.put(
    timelineRecordKey(SAMPLE_CLUSTER, 1),
    encodeTimelineRecord({
      ...{ version: 1, kind: 'timeline', timeline: 1, clusterId },
      ...{ startedAtRevision: 0, cause: 'first', startedAt: at },
    }),
  );
}

async function pin(untilMs: number): Promise<void> {
  const target = { kind: 'revision', revision: 12 } as const;
  await createPin(world.source, { cluster: SAMPLE_CLUSTER, target, reason: 'audit', untilMs, nowMs: Date.now() });
}

describe('a whole repository', () => {
  test('goes over byte for byte, without what is of the moment or of somebody else; once more, nothing is copied', async () => {
    world = await CopyWorld.make(...HISTORY);
    await putRecords();
    await pin(Date.now() + 3_600_000);
    const wanted = await contentOf(world.source);
    await world.source.put(`${SAMPLE_CLUSTER}/readme.txt`, Buffer.from('of somebody'));
    await using _hold = await holdObjects(world.source, { cluster: SAMPLE_CLUSTER, purpose: 'restore' });

    const report = await copy();
    expect(await contentOf(world.target)).toEqual(wanted);
    expect(report).toMatchObject({ present: { objects: 0 }, damaged: [], gone: [], foreign: 1 });
    expect(report.copied.objects).toBe(wanted.size);
    expect(report.copied).toEqual(report.planned);

    const again = await copy();
    expect(again.copied).toEqual({ objects: 0, bytes: 0 });
    expect(again.present).toEqual(report.copied);
  });

  test('the record of the cluster may change meanwhile: the copy keeps the one it has, and goes on', async () => {
    world = await CopyWorld.make(...HISTORY);
    await putRecords();
    await copy();
    const key = clusterRecordKey(SAMPLE_CLUSTER);
    const first = await world.target.get(key);
    const record = decodeClusterRecord(first);
    await world.source.put(key, encodeClusterRecord({ ...record, spec: { name: SAMPLE_CLUSTER } }));
    expect((await copy()).copied).toEqual({ objects: 0, bytes: 0 });
    expect(await world.target.get(key)).toEqual(first);
  });

  test('says what it would do, and does not', async () => {
    world = await CopyWorld.make(...HISTORY);
    const before = await contentOf(world.source);
    const { planned, copied } = await copy({ dryRun: true });
    expect([planned.objects, copied.objects]).toEqual([11, 0]);
    expect((await contentOf(world.target)).size).toBe(0);
    expect(await contentOf(world.source)).toEqual(before);
  });

  test('begins with the newest chain, a full before its manifest before its deltas', async () => {
    world = await CopyWorld.make(...HISTORY);
    await expect(copy({ target: failingAfter(world.target, 2), parallel: 1 })).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
    });
    expect(await revisions(world.target)).toEqual({ fulls: [30], deltas: [] });
    await expect(copy({ target: failingAfter(world.target, 4), parallel: 1 })).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
    });
    expect(await revisions(world.target)).toEqual({ fulls: [20, 30], deltas: ['31-35', '36-40'] });
  });

  test('leaves small deltas behind that a larger one replaces', async () => {
    world = await CopyWorld.make(
      [{ revision: 10 }],
      [
        { first: 11, last: 15, lastObservedMs: minute(15) },
        { first: 16, last: 20, lastObservedMs: minute(20) },
        { first: 11, last: 20, lastObservedMs: minute(20) },
      ],
    );
    await copy();
    expect((await revisions(world.target)).deltas).toEqual(['11-20']);
  });

  test('a source without a backup is an error', async () => {
    world = await CopyWorld.make();
    await expect(copy()).rejects.toMatchObject({ code: 'NO_BACKUP' });
  });

  test('ended pins stay behind', async () => {
    world = await CopyWorld.make(...HISTORY);
    await pin(Date.now() + 60_000);
    const late: Clock = { now: () => Date.now() + 120_000, sleep: async () => undefined };
    await copy({ clock: late });
    expect([...(await contentOf(world.target)).keys()].filter((key) => key.includes('/pin/'))).toEqual([]);
    await copy({ pins: false });
    expect([...(await contentOf(world.target)).keys()].filter((key) => key.includes('/pin/'))).toEqual([]);
    await copy();
    expect([...(await contentOf(world.target)).keys()].filter((key) => key.includes('/pin/'))).toHaveLength(1);
  });
});

describe('a part', () => {
  test('one chain', async () => {
    world = await CopyWorld.make(...HISTORY);
    await copy({ scope: { kind: 'snapshot', key: fullEntry({ revision: 20 }).key } });
    expect(await revisions(world.target)).toEqual({ fulls: [20], deltas: ['21-30', '31-35', '36-40'] });
  });

  test('the newest chain', async () => {
    world = await CopyWorld.make(...HISTORY);
    await copy({ scope: { kind: 'newest' } });
    expect(await revisions(world.target)).toEqual({ fulls: [30], deltas: ['31-35', '36-40'] });
  });

  test('since a time: with the base that its first moment needs', async () => {
    world = await CopyWorld.make(...HISTORY);
    await copy({ scope: { kind: 'since', timeMs: minute(25) } });
    expect(await revisions(world.target)).toEqual({ fulls: [20, 30], deltas: ['21-30', '31-35', '36-40'] });
  });

  test('since a time after which nothing came: the state then', async () => {
    world = await CopyWorld.make([...HISTORY[0], { timeline: 2, revision: 5 }], HISTORY[1]);
    await copy({ scope: { kind: 'since', timeMs: minute(5000) } });
    expect(await revisions(world.target)).toEqual({ fulls: [5], deltas: [] });
  });

  test('a full that is not there', async () => {
    world = await CopyWorld.make(...HISTORY);
    const scope = { kind: 'snapshot', key: fullEntry({ revision: 21 }).key } as const;
    await expect(copy({ scope })).rejects.toMatchObject({ code: 'STORE_NOT_FOUND' });
  });
});

describe('what is there under the same name', () => {
  test.each([
    [
      'a delta of another size',
      async () =>
        void (await putDelta(world.target, { first: 11, last: 15 }, [
          [12, minute(1)],
          [15, minute(15)],
        ])),
    ],
    [
      'the data of a full of another size',
      async () => void (await world.target.put(fullEntry({ revision: 20 }).key, Buffer.from('strange'))),
    ],
    [
      'the data of a full with other bytes',
      async () => void (await world.target.put(fullEntry({ revision: 20 }).key, Buffer.from('a databasE'))),
    ],
    [
      'a manifest that cannot be read',
      async () => void (await world.target.put(manifestKey(fullEntry({ revision: 20 }).key), Buffer.from('{}'))),
    ],
  ])('%s is never overwritten', async (_name, prepare) => {
    world = await CopyWorld.make(...HISTORY);
    await prepare();
    const before = await contentOf(world.target);
    await expect(copy()).rejects.toMatchObject({ code: 'STORE_EXISTS' });
    const after = await contentOf(world.target);
    for (const [key, bytes] of before) expect(after.get(key)).toBe(bytes);
  });

  test('the data of a full without a manifest is taken over when it is the same', async () => {
    world = await CopyWorld.make(...HISTORY);
    await world.target.put(fullEntry({ revision: 20 }).key, Buffer.from('a database'));
    const { copied, present } = await copy();
    expect([copied.objects, present.objects]).toEqual([10, 1]);
    expect(await contentOf(world.target)).toEqual(await contentOf(world.source));
  });
});

describe('a source that is not sound', () => {
  test('a damaged full and a damaged delta stay behind, by name, and the rest is copied', async () => {
    world = await CopyWorld.make(...HISTORY);
    const { key } = fullEntry({ revision: 20 });
    await world.source.put(key, Buffer.from('a databasE'));
    const [first] = (await readInventory(world.source, SAMPLE_CLUSTER)).timelines[0]!.deltas;
    const bytes = await world.source.get(first!.key);
    bytes[40]! ^= 1;
    await world.source.put(first!.key, bytes);
    const { damaged, copied } = await copy();
    expect(damaged.map((one) => one.key).toSorted()).toEqual([first!.key, key].toSorted());
    expect(copied.objects).toBe(8);
    expect(await revisions(world.target)).toEqual({ fulls: [10, 30], deltas: ['16-20', '21-30', '31-35', '36-40'] });
    expect((await readInventory(world.target, SAMPLE_CLUSTER)).incomplete).toEqual([]);
  });

  test('small deltas go along when the larger one that holds them is damaged', async () => {
    world = await CopyWorld.make(...HISTORY);
    const merged = await putDelta(world.source, { first: 11, last: 20, lastObservedMs: minute(20) + 1 });
    const largest = await putDelta(world.source, { first: 11, last: 30, lastObservedMs: minute(30) + 1 });
    for (const { key } of [merged, largest]) {
      const bytes = await world.source.get(key);
      bytes[40]! ^= 1;
      await world.source.put(key, bytes);
    }
    const totals: number[][] = [];
    const { damaged, copied } = await copy({
      onProgress: ({ objects, objectsTotal }) => totals.push([objects, objectsTotal]),
    });
    expect(damaged.map(({ key }) => key).toSorted()).toEqual([merged.key, largest.key].toSorted());
    const { deltas } = await revisions(world.target);
    expect(deltas).toEqual(['11-15', '16-20', '21-30', '31-35', '36-40']);
    expect(copied.objects).toBe(11);
    expect(totals.at(-1)![0]).toBe(totals.at(-1)![1]);
    const again = await copy();
    expect(again.copied.objects).toBe(0);
  });

  test('half a full stays behind', async () => {
    world = await CopyWorld.make(...HISTORY);
    const { key } = fullEntry({ revision: 30 });
    await world.source.delete([manifestKey(key)]);
    const { incomplete } = await copy();
    expect(incomplete).toMatchObject([{ key, missing: 'manifest' }]);
    expect((await contentOf(world.target)).has(key)).toBe(false);
  });

  test('what went away meanwhile is told', async () => {
    world = await CopyWorld.make(...HISTORY);
    const { key } = fullEntry({ revision: 10 });
    const report = await copy({
      exclude: async () => {
        await world.source.delete([manifestKey(key), key]);
        return new Set();
      },
    });
    expect(report.gone).toEqual([key]);
    expect((await revisions(world.target)).fulls).toEqual([20, 30]);
  });
});

test('it holds the source while it reads, and lets go', async () => {
  world = await CopyWorld.make(...HISTORY);
  let held: Inventory | undefined;
  await copy({
    onProgress: () => undefined,
    exclude: ({ source }) => {
      held = source.inventory;
      return new Set();
    },
  });
  expect(held?.retention?.holds.map(({ record }) => record.purpose)).toEqual(['copy']);
  expect((await readInventory(world.source, SAMPLE_CLUSTER)).retention?.holds).toEqual([]);
});

test('no more bytes than allowed', async () => {
  world = await CopyWorld.make(...HISTORY);
  let nowMs = 0;
  const clock: Clock = {
    now: () => nowMs,
    sleep: async (ms) => void (nowMs += ms),
  };
  const { copied } = await copy({ clock, bytesPerSecondMax: 1000 });
  expect(nowMs).toBeGreaterThan((copied.bytes - 2000) * 0.9);
});

test('progress ends with all of it', async () => {
  world = await CopyWorld.make(...HISTORY);
  const told: number[] = [];
  let last: unknown;
  await copy({
    onProgress: (progress) => {
      told.push(progress.bytes);
      last = progress;
    },
  });
  expect(told).toEqual(told.toSorted((left, right) => left - right));
  expect(last).toMatchObject({ objects: 11, objectsTotal: 11, bytes: told.at(-1) });
});

test('cancelled: it ends, and holds nothing any more', async () => {
  world = await CopyWorld.make(...HISTORY);
  const abort = new AbortController();
  const copying = copy({
    signal: abort.signal,
    parallel: 1,
    onProgress: ({ objects }) => void (objects === 3 && abort.abort()),
  });
  await expect(copying).rejects.toMatchObject({ code: 'CANCELLED' });
  expect((await readInventory(world.source, SAMPLE_CLUSTER)).retention?.holds).toEqual([]);
  await copy();
  expect(await contentOf(world.target)).toEqual(await contentOf(world.source));
});

test('a target that refuses is said so, and nothing else is tried', async () => {
  world = await CopyWorld.make(...HISTORY);
  let tried = 0;
  const refuse = async (): Promise<never> => {
    tried++;
    throw new EtcdOpsError('STORE_DENIED', { message: 'no' });
  };
  const target = Object.assign(Object.create(world.target) as ObjectStore, {
    put: refuse,
    putStream: refuse,
    list: world.target.list.bind(world.target),
  });
  await expect(copy({ target })).rejects.toMatchObject({ code: 'STORE_DENIED' });
  expect(tried).toBe(1);
});

describe('whatever the repository, wherever it is cut', () => {
  test('the target is sound, restores nothing that the source does not, and in the end the same', async () => {
    world = await CopyWorld.make();
    await fc.assert(
      fc.asyncProperty(
        repository,
        fc.array(fc.nat(6), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 4 }),
        async (sample, cuts, parallel) => {
          const one = { source: new MemoryStore(), target: new MemoryStore() };
          for (const { fulls, deltas } of sample.timelines) {
            for (const { timeline, revision, createdAtMs, manifest } of fulls) {
              await putFull(one.source, { timeline, revision, createdAtMs, compact: manifest.compactRevision });
            }
            for (const { timeline, first, last, lastObservedMs } of deltas) {
              await putDelta(one.source, { timeline, first, last, lastObservedMs });
            }
          }
          const given = { source: one.source, cluster: SAMPLE_CLUSTER, parallel };
          const whole = await readInventory(one.source, SAMPLE_CLUSTER);
          for (const cut of cuts) {
            await copyRepository({ ...given, target: failingAfter(one.target, cut) }).catch(() => undefined);
            assertSound(await readInventory(one.target, SAMPLE_CLUSTER), whole);
          }
          await copyRepository({ ...given, target: one.target });
          const copied = await readInventory(one.target, SAMPLE_CLUSTER);
          assertSound(copied, whole);
          const range = ({ timeline, from, to }: { timeline: number; from: number; to: number }): string =>
            `${timeline}:${from}-${to}`;
          expect(restorableRanges(copied).map(range)).toEqual(restorableRanges(whole).map(range));
          const again = await copyRepository({ ...given, target: one.target });
          expect(again.copied.objects).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  }, 120_000);
});

/** No manifest without its data, no delta before its base, nothing restorable that was not. */
function assertSound(target: Inventory, source: Inventory): void {
  expect(target.damaged).toEqual([]);
  expect(target.incomplete.filter(({ missing }) => missing === 'data')).toEqual([]);
  for (const { timeline, fulls, deltas } of target.timelines) {
    const all = source.timelines.find((one) => one.timeline === timeline)!;
    for (const { last } of deltas) {
      const base = all.fulls.findLast(({ revision }) => revision < last) ?? all.fulls[0];
      if (base !== undefined) expect(fulls.map(({ revision }) => revision)).toContain(base.revision);
    }
  }
  const ranges = restorableRanges(source);
  for (const { timeline, from, to } of restorableRanges(target)) {
    expect(ranges.some((range) => range.timeline === timeline && range.from <= from && range.to >= to)).toBe(true);
  }
}
