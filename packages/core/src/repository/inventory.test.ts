import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LocalStore } from '../storage/local-store.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { encodeManifest } from './full-manifest.ts';
import { readInventory } from './inventory.ts';
import { manifestKey, timelineRecordKey } from './object-key.ts';
import { planRestore } from './plan-restore.ts';
import { encodeTimelineRecord } from './repository-records.ts';
import { repositoryHead } from './repository-head.ts';
import {
  deltaEntry,
  fullEntry,
  minute,
  putDelta,
  putFull,
  SAMPLE_CLUSTER_ID,
  sampleManifest,
} from './repository-samples.ts';
import { planRestoreFrom, resolveTime } from './resolve-time.ts';

let folder: string;
let store: LocalStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inventory-'));
  store = new LocalStore(folder);
});
afterEach(async () => await rm(folder, { recursive: true, force: true }));

test('an empty repository has no timelines', async () => {
  expect(await readInventory(store, 'prod')).toEqual({
    cluster: 'prod',
    timelines: [],
    foreign: [],
    incomplete: [],
    damaged: [],
    retention: { pins: [], holds: [], marks: [], damaged: [] },
  });
  expect(await repositoryHead(store, 'prod')).toBeUndefined();
  expect(() =>
    planRestore({ cluster: 'prod', timelines: [], foreign: [], incomplete: [], damaged: [] }, { kind: 'latest' }),
  ).toThrow(expect.objectContaining({ code: 'NO_BACKUP' }));
});

test('what lies there is sorted into what it is, and a neighbour is not looked at', async () => {
  const fulls = [
    await putFull(store, { revision: 10 }),
    await putFull(store, { revision: 10, createdAtMs: minute(11) }),
    await putFull(store, { revision: 30, codec: 'gzip' }),
  ];
  const deltas = [await putDelta(store, { first: 11, last: 20 }), await putDelta(store, { first: 15, last: 40 })];
  const forked = await putFull(store, { timeline: 2, revision: 12 });
  await store.put('prod-2/t00000001/full/x.db', Buffer.from('x'));
  await store.put('prod/README.txt', Buffer.from('hands off'));
  await store.put(
    'prod/t00000001/delta/00000000000000000009-00000000000000000008-0000000000000.delta',
    Buffer.from('impossible'),
  );
  const record = {
    version: 1,
    kind: 'timeline',
    timeline: 2,
    clusterId: SAMPLE_CLUSTER_ID,
    startedAtRevision: 9,
    cause: 'fork',
    startedAt: new Date(minute(5)).toISOString(),
  } as const;
  await store.put(timelineRecordKey('prod', 2), encodeTimelineRecord(record));
  const withoutManifest = fullEntry({ revision: 50 }).key;
  const withoutData = manifestKey(fullEntry({ revision: 60 }).key);
  await store.put(withoutManifest, Buffer.from('half'));
  await store.put(withoutData, encodeManifest(sampleManifest({ revision: 60 })));
  const inventory = await readInventory(store, 'prod');
  expect(
    inventory.timelines.map(({ timeline, fulls: found, deltas: more }) => [
      timeline,
      found.map(({ key }) => key),
      more.map(({ key }) => key),
    ]),
  ).toEqual([
    [1, fulls.map(({ key }) => key), deltas.map(({ key }) => key)],
    [2, [forked.key], []],
  ]);
  expect(inventory.timelines[1]!.record).toEqual(record);
  expect(inventory.timelines[0]!.fulls[2]!.manifest.codec).toBe('gzip');
  expect(inventory.timelines[0]!.deltas[1]).toMatchObject({
    first: 15,
    last: 40,
    lastObservedMs: minute(40),
    bytes: deltas[1]!.bytes,
  });
  expect(inventory.foreign).toEqual([
    'prod/README.txt',
    'prod/t00000001/delta/00000000000000000009-00000000000000000008-0000000000000.delta',
  ]);
  expect(inventory.incomplete.map(({ key, missing }) => [key, missing])).toEqual([
    [withoutManifest, 'manifest'],
    [withoutData, 'data'],
  ]);
  expect(inventory.damaged).toEqual([]);
});

test('a damaged object is named and does not hide the others', async () => {
  await putFull(store, { revision: 10 });
  const [rotten, foreign, short, late] = [20, 30, 40, 50].map((revision) => fullEntry({ revision }));
  await store.put(rotten!.key, Buffer.from('a database'));
  await store.put(manifestKey(rotten!.key), Buffer.from('{"version":1}'));
  await store.put(foreign!.key, Buffer.from('a database'));
  await store.put(manifestKey(foreign!.key), encodeManifest(sampleManifest({ revision: 31 })));
  await store.put(short!.key, Buffer.from('a datab'));
  await store.put(manifestKey(short!.key), encodeManifest(short!.manifest));
  await store.put(late!.key, Buffer.from('a database'));
  await store.put(manifestKey(late!.key), Buffer.alloc(1_100_000, ' '));
  await store.put(deltaEntry({ first: 11, last: 15 }).key, Buffer.from('not even a header'));
  await store.put(timelineRecordKey('prod', 1), Buffer.from('{}'));
  const inventory = await readInventory(store, 'prod');
  expect(inventory.timelines).toHaveLength(1);
  expect(inventory.timelines[0]!.fulls.map(({ revision }) => revision)).toEqual([10]);
  expect(inventory.timelines[0]!.deltas).toEqual([]);
  expect(inventory.damaged.map(({ key }) => key)).toEqual(
    [
      manifestKey(rotten!.key),
      manifestKey(foreign!.key),
      short!.key,
      manifestKey(late!.key),
      deltaEntry({ first: 11, last: 15 }).key,
      timelineRecordKey('prod', 1),
    ].sort(),
  );
  expect(inventory.damaged.find(({ key }) => key === short!.key)?.reason).toBe(
    'it has 7 bytes and its manifest records 10',
  );
  expect(() => planRestore(inventory, { kind: 'snapshot', key: short!.key })).toThrow(/cannot be used: it has 7 bytes/);
});

test('manifests are read a bounded number at a time, and a failing store is an error', async () => {
  for (let revision = 1; revision <= 60; revision++) await putFull(store, { revision });
  let reading = 0;
  let most = 0;
  const counting: ObjectStore = Object.assign(Object.create(store) as ObjectStore, {
    get: async (...args: Parameters<ObjectStore['get']>) => {
      most = Math.max(most, ++reading);
      try {
        return await store.get(...args);
      } finally {
        reading--;
      }
    },
    list: (prefix: string, options: object) => store.list(prefix, options),
  });
  expect((await readInventory(counting, 'prod')).timelines[0]!.fulls).toHaveLength(60);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(16);
  await expect(readInventory(store, 'prod', { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'CANCELLED',
  });
});

test('the head is the end of the newest contiguous chain, with the digest of its last object', async () => {
  await putFull(store, { revision: 10, compact: 3 });
  expect(await repositoryHead(store, 'prod')).toEqual({
    timeline: 1,
    revision: 10,
    digest: sampleManifest({ revision: 10, compact: 3 }).lastRevisionDigest,
    clusterId: BigInt(`0x${SAMPLE_CLUSTER_ID}`),
    newestTimeline: 1,
  });
  await putDelta(store, { first: 9, last: 14 });
  await putDelta(store, { first: 15, last: 20 });
  const at20 = await repositoryHead(store, 'prod');
  expect(at20).toMatchObject({ revision: 20, digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
  // A hole: what lies behind it may still be had from etcd.
  await putDelta(store, { first: 25, last: 30 });
  expect(await repositoryHead(store, 'prod')).toEqual(at20);
  // A delta whose end is damaged is captured again.
  const damaged = deltaEntry({ first: 21, last: 24 });
  await store.put(damaged.key, Buffer.alloc(5000));
  const twice = deltaEntry({ first: 21, last: 30 });
  await store.put(twice.key, Buffer.alloc(5000));
  expect(await repositoryHead(store, 'prod')).toMatchObject({ revision: 30 });
  await store.delete([deltaEntry({ first: 25, last: 30 }).key]);
  expect(await repositoryHead(store, 'prod')).toEqual(at20);
});

test('of several chains the one that reaches farthest holds the head', async () => {
  await putFull(store, { revision: 10 });
  await putDelta(store, { first: 11, last: 20 });
  await putFull(store, { revision: 50, compact: 40 });
  await putDelta(store, { first: 48, last: 55 });
  expect(await repositoryHead(store, 'prod')).toMatchObject({ revision: 55 });
  await putFull(store, { revision: 60, compact: 58 });
  expect(await repositoryHead(store, 'prod')).toMatchObject({
    revision: 60,
    digest: sampleManifest({ revision: 60, compact: 58 }).lastRevisionDigest,
  });
});

test('after a fork the head lies in the new timeline, even before its first full', async () => {
  await putFull(store, { revision: 10 });
  await putDelta(store, { first: 11, last: 20 });
  const record = {
    version: 1,
    kind: 'timeline',
    timeline: 2,
    clusterId: SAMPLE_CLUSTER_ID,
    startedAtRevision: 15,
    cause: 'fork',
    startedAt: new Date(minute(30)).toISOString(),
  } as const;
  await store.put(timelineRecordKey('prod', 2), encodeTimelineRecord(record));
  expect(await repositoryHead(store, 'prod')).toMatchObject({ timeline: 1, revision: 20, newestTimeline: 2 });
  await putDelta(store, { timeline: 2, first: 16, last: 18 });
  expect(await repositoryHead(store, 'prod')).toMatchObject({ timeline: 2, revision: 18, newestTimeline: 2 });
});

test('a time is resolved by the times inside of a delta', async () => {
  await putFull(store, { revision: 10, createdAtMs: minute(10) });
  await putDelta(store, { first: 11, last: 20, lastObservedMs: minute(20) }, [
    [13, minute(13)],
    [17, minute(17)],
    [20, minute(20)],
  ]);
  const inventory = await readInventory(store, 'prod');
  const at = async (minutes: number): Promise<number> =>
    (await resolveTime(store, inventory, minute(minutes))).revision;
  expect([
    await at(10),
    await at(12.9),
    await at(13),
    await at(16),
    await at(17),
    await at(19.9),
    await at(20),
    await at(9999),
  ]).toEqual([10, 10, 13, 13, 17, 17, 20, 20]);
  await expect(resolveTime(store, inventory, minute(9.9))).rejects.toMatchObject({
    code: 'TIME_NOT_RESTORABLE',
    message: expect.stringContaining('the earliest known time is 2026-11-20T06:10:00.000Z'),
  });
  const plan = await planRestoreFrom(store, inventory, { kind: 'time', timeMs: minute(16) });
  expect(plan).toMatchObject({ revision: 13, latestObservedMs: minute(13), warnings: [] });
  const seen = async (revision: number): Promise<unknown> =>
    (await planRestoreFrom(store, inventory, { kind: 'revision', revision })).latestObservedMs;
  expect([await seen(10), await seen(12), await seen(13), await seen(14), await seen(20)]).toEqual(
    [10, 13, 13, 17, 20].map(minute),
  );
  expect(await planRestoreFrom(store, inventory, { kind: 'time', timeMs: minute(30) })).toMatchObject({
    ...{ revision: 20, latestObservedMs: minute(20) },
    warnings: [expect.stringContaining('later than the last capture, at 2026-11-20T06:20:00.000Z')],
  });
  // By names alone it is coarser, and says so.
  const coarse = planRestore(inventory, { kind: 'time', timeMs: minute(16) });
  expect(coarse).toMatchObject({ revision: 10, warnings: [expect.stringContaining('revisions 11 to 20')] });
});

test('times before the oldest kept full are found, too, when a full covers them', async () => {
  await putFull(store, { revision: 50, compact: 5, createdAtMs: minute(60) });
  await putDelta(store, { first: 11, last: 50, lastObservedMs: minute(50) }, [
    [20, minute(20)],
    [50, minute(50)],
  ]);
  const inventory = await readInventory(store, 'prod');
  expect(await planRestoreFrom(store, inventory, { kind: 'time', timeMs: minute(30) })).toMatchObject({
    revision: 20,
    cutFull: true,
    deltas: [],
  });
  const inside = await planRestoreFrom(store, inventory, { kind: 'revision', revision: 15 });
  expect(inside).toMatchObject({ cutFull: true, latestObservedMs: minute(20) });
});

test('when the delta is damaged, its name must do', async () => {
  await putFull(store, { revision: 10 });
  await store.put(deltaEntry({ first: 11, last: 20 }).key, Buffer.alloc(5000));
  const inventory = await readInventory(store, 'prod');
  expect(await resolveTime(store, inventory, minute(15))).toMatchObject({
    revision: 10,
    uncertainTo: { revision: 20, timeMs: minute(20) },
  });
});
