import { describe, expect, test } from 'vitest';
import { BoltFile } from '../bolt/bolt-file.ts';
import { BoltWriter } from '../bolt/bolt-writer.ts';
import { checkBoltFile } from '../bolt/check.ts';
import { hashKV } from './hash-kv.ts';
import { readLeases } from './leases.ts';
import { leasesOfLiveKeys } from './live-leases.ts';
import { encodeRevisionKey } from './revision.ts';
import { rowsAbove } from './rows-above.ts';
import { digestOfRevision, readStoreInfo } from './store-info.ts';
import { hardLoad } from './testing/hard-load.ts';
import { distinctEtcdVersions, eventually, LiveStore, missingBinary } from './testing/live-store.ts';
import { Randomness } from './testing/randomness.ts';

const versions = distinctEtcdVersions();

test('an etcd can be found', (context) => {
  if (versions.length === 0) context.skip(missingBinary('etcd'));
});

describe.each(versions)('a store of etcd %s', { timeout: 120_000 }, (version) => {
  test('never compacted: facts, hashes, append and cut agree with the living one', async () => {
    await using store = await LiveStore.start(version);
    const randomness = new Randomness(20_260_101);
    await hardLoad(store, randomness, 150);
    const first = await store.snapshot();
    const later = await hardLoad(store, randomness, 150);
    const second = await store.snapshot();
    using file = BoltFile.open(second);
    expect(file.trailerBytes).toBe(32);
    await checkBoltFile(file);
    const info = readStoreInfo(file);
    expect(info).toMatchObject({
      revision: later.revisions.at(-1),
      lastRow: later.revisions.at(-1),
      compactRevision: -1,
      alarms: [],
    });
    expect(info.clusterVersion).toBe(`${version.split('.').slice(0, 2).join('.')}.0`);
    expect(info.term === undefined).toBe(version.startsWith('3.4'));
    expect(digestOfRevision(file, info.revision)).toEqual({
      digest: info.lastRevisionDigest,
      rows: info.lastRevisionRows,
    });
    await expectLiveHashes(store, file, [0, later.revisions[0]!, later.revisions[70]!]);
    await expectAppendEqual(store, first, second);
    await expectCutEqual(store, second, later.revisions[40]!);
  });

  test('compacted: two pass hashes, append and cut agree with the living one', async () => {
    await using store = await LiveStore.start(version);
    const randomness = new Randomness(42);
    const load = await hardLoad(store, randomness, 200);
    await store.compact(load.revisions[120]!);
    const first = await store.snapshot();
    const later = await hardLoad(store, randomness, 100);
    const second = await store.snapshot();
    using file = BoltFile.open(second);
    await checkBoltFile(file);
    expect(readStoreInfo(file)).toMatchObject({
      compactRevision: load.revisions[120],
      scheduledCompact: load.revisions[120],
      finishedCompact: load.revisions[120],
    });
    await expectLiveHashes(store, file, [0, load.revisions[120]! + 1, load.revisions[180]!, later.revisions[50]!]);
    await expectAppendEqual(store, first, second);
    await expectCutEqual(store, second, load.revisions[150]!);
    await expectCutEqual(store, second, load.revisions[120]! + 1);
  });

  test('newest rows compacted away: the revision comes from the compaction', async () => {
    await using store = await LiveStore.start(version);
    await hardLoad(store, new Randomness(7), 30);
    const last = await store.deleteRange('\0', '\0');
    await store.compact(last);
    using file = BoltFile.open(await store.snapshot());
    const info = readStoreInfo(file);
    expect(info).toMatchObject({
      revision: last,
      compactRevision: last,
      lastRevisionDigest: null,
      lastRevisionRows: 0,
    });
    expect(digestOfRevision(file, last)).toBeNull();
    expect((await hashKV(file)).hash).toBe((await store.hashKV()).hash);
    await store.put('again', '1');
    using after = BoltFile.open(await store.snapshot());
    await expectLiveHashes(store, after, [0, last + 1]);
  });

  test('leases: those granted, and those of keys alive', async () => {
    await using store = await LiveStore.start(version);
    const load = await hardLoad(store, new Randomness(99), 200);
    const [used, overwritten, deleted, unused] = await Promise.all(
      [1000, 1001, 1002, 1003].map((ttl) => store.grant(ttl)),
    );
    await store.put('used', '1', used);
    await store.put('overwritten', '1', overwritten);
    const before = await store.put('deleted', '1', deleted);
    await store.put('overwritten', '2');
    await store.deleteRange('deleted');
    using file = BoltFile.open(await store.snapshot());
    const leases = readLeases(file);
    expect(new Set(leases.keys())).toEqual(new Set(await store.leases()));
    expect(leases.get(BigInt(used!))).toMatchObject({ ttlSeconds: 1000 });
    const { revision } = readStoreInfo(file);
    const alive = await leasesOfLiveKeys(file, revision);
    expect(alive.has(BigInt(used!))).toBe(true);
    for (const lease of [overwritten, deleted, unused]) expect(alive.has(BigInt(lease!))).toBe(false);
    const earlier = await leasesOfLiveKeys(file, before);
    for (const lease of [used, overwritten, deleted]) expect(earlier.has(BigInt(lease!))).toBe(true);
    expect([...alive].every((lease) => leases.has(lease))).toBe(true);
    expect(load.leases.length).toBeGreaterThan(0);
  });

  test('killed right after a compaction was asked for', async () => {
    await using store = await LiveStore.start(version);
    const load = await hardLoad(store, new Randomness(5), 200);
    await store.compact(load.revisions[150]!, false);
    using file = BoltFile.open(await store.restartWith('kill'));
    expect(await hashKV(file)).toEqual(await store.hashKV());
  });

  test('an unfinished compaction: the hash is that of the one which etcd resumes', async () => {
    await using store = await LiveStore.start(version);
    const load = await hardLoad(store, new Randomness(6), 200);
    await store.compact(load.revisions[50]!);
    using file = BoltFile.open(
      await store.restartWith('stop', (path) => scheduleCompaction(path, load.revisions[150]!)),
    );
    expect(readStoreInfo(file)).toMatchObject({
      finishedCompact: load.revisions[50],
      compactRevision: load.revisions[150],
    });
    const hash = await hashKV(file);
    expect(hash.compactRevision).toBe(load.revisions[150]);
    await eventually(async () => expect(await store.hashKV()).toEqual(hash));
  });

  test('an unfinished compaction of a store where nothing is alive any more', async () => {
    await using store = await LiveStore.start(version);
    const load = await hardLoad(store, new Randomness(8), 100);
    const last = await store.deleteRange('\0', '\0');
    using file = BoltFile.open(
      await store.restartWith('stop', (path) => scheduleCompaction(path, load.revisions[60]!)),
    );
    const hash = await hashKV(file);
    expect(hash).toMatchObject({ revision: last, compactRevision: load.revisions[60] });
    await eventually(async () => expect(await store.hashKV()).toEqual(hash));
  });
});

function scheduleCompaction(path: string, revision: number): void {
  const entries: { key: Buffer; value: Buffer }[] = [];
  {
    using file = BoltFile.open(path);
    const cursor = file.bucket('meta')!.cursor();
    for (let found = cursor.first(); found; found = cursor.next()) {
      entries.push({ key: Buffer.from(cursor.key), value: Buffer.from(cursor.value) });
    }
  }
  const name = 'scheduledCompactRev';
  const others = entries.filter(({ key }) => key.toString() !== name);
  using writer = BoltWriter.open(path);
  const scheduled = { key: Buffer.from(name), value: encodeRevisionKey(revision) };
  writer.replaceBucket(
    'meta',
    [...others, scheduled].toSorted((left, right) => Buffer.compare(left.key, right.key)),
  );
  writer.commit();
}

async function expectLiveHashes(store: LiveStore, file: BoltFile, revisions: readonly number[]): Promise<void> {
  for (const revision of revisions) {
    expect(await hashKV(file, { revision })).toEqual(await store.hashKV(revision));
  }
}

/** The rows of `second` above those of `first`, appended to `first`. */
async function expectAppendEqual(store: LiveStore, first: string, second: string): Promise<void> {
  const path = await store.copyForEditing(first);
  using newer = BoltFile.open(second);
  const before = BoltFile.open(path);
  const { revision } = readStoreInfo(before);
  before.close();
  {
    using writer = BoltWriter.open(path);
    const edge = writer.rightEdge('key');
    for (const block of rowsAbove(newer, revision, { blockBytes: 5000 })) edge.appendRows(block, 0, block.rowCount);
    edge.finish();
    writer.commit();
  }
  using appended = BoltFile.open(path);
  expect(await checkBoltFile(appended)).toMatchObject({ validMetaPages: 2 });
  expect(readStoreInfo(appended).lastRevisionDigest).toBe(readStoreInfo(newer).lastRevisionDigest);
  await expectLiveHashes(store, appended, [0]);
  expect((await store.officialStatus(path)).revision).toBe(readStoreInfo(newer).revision);
}

async function expectCutEqual(store: LiveStore, snapshot: string, revision: number): Promise<void> {
  const path = await store.copyForEditing(snapshot);
  {
    using writer = BoltWriter.open(path);
    writer.rightEdge('key', { dropFrom: encodeRevisionKey(revision + 1) }).finish();
    writer.commit();
  }
  using cut = BoltFile.open(path);
  await checkBoltFile(cut);
  expect(readStoreInfo(cut).revision).toBe(revision);
  await expectLiveHashes(store, cut, [revision]);
  expect((await store.officialStatus(path)).revision).toBe(revision);
}
