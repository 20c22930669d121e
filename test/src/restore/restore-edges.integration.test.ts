import { chmod, mkdir, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BoltFile,
  DamagedObjectError,
  hashKV,
  LocalStore,
  parseInitialCluster,
  planRestore,
  readInventory,
  readLeases,
  readRaftSnapshot,
  readStoreInfo,
  readWal,
  checkRaftFiles,
  leasesOfLiveKeys,
  restore,
  restoreAround,
  FIRST_WAL_NAME,
  type ObjectStore,
  type RestoreOptions,
  type RestoreTarget,
} from '@etcd-ops/core';
import { etcdVersions, missingBinary, startEtcd, tempDir, type TempDir } from '@etcd-ops/test-kit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLUSTER, putDeltas, putFull } from './recorded-history.ts';
import { recordSnapshots, remoteStore, storeChain, type RecordedSnapshots } from './recorded-repository.ts';

const NEWCOMER = { initialCluster: parseInitialCluster('m1=http://127.0.0.1:2380'), token: 'edges' };

let home: TempDir;
let snapshots: RecordedSnapshots;
let scratch: string;
let rounds = 0;

beforeAll(async () => {
  home = tempDir();
  if (etcdVersions().length > 0) snapshots = await recordSnapshots(home.path);
});
afterAll(() => home.remove());
beforeEach(async (context) => {
  if (etcdVersions().length === 0) context.skip(missingBinary('etcd'));
  scratch = home.file(`case-${++rounds}`);
  await mkdir(scratch);
});

async function planFor(store: ObjectStore, target: RestoreTarget = { kind: 'latest' }) {
  return planRestore(await readInventory(store, CLUSTER), target);
}

function into(dataDir: string): Pick<RestoreOptions, 'dataDirs' | 'initialCluster' | 'token'> {
  return { ...NEWCOMER, dataDirs: [{ member: 'm1', dataDir }] };
}

async function hashOfDirectory(dataDir: string): Promise<object> {
  using file = BoltFile.open(join(dataDir, 'member/snap/db'));
  return await hashKV(file);
}

/** What a source with the compact revision of the first snapshot would have at `revision`. */
async function hashOfSource(revision: number): Promise<object> {
  using first = BoltFile.open(snapshots.first);
  using second = BoltFile.open(snapshots.second);
  return await hashKV(second, { revision, compactRevision: readStoreInfo(first).compactRevision });
}

function bounds(): { compact: number; first: number; second: number } {
  using first = BoltFile.open(snapshots.first);
  using second = BoltFile.open(snapshots.second);
  const info = readStoreInfo(first);
  return { compact: info.compactRevision, first: info.revision, second: readStoreInfo(second).revision };
}

describe('revisions', () => {
  test('every kind of revision restores to exactly the source at that revision', async () => {
    const { store } = await storeChain(join(scratch, 'bucket'), snapshots);
    const { compact, first, second } = bounds();
    expect(compact).toBeGreaterThan(0);
    const wanted = [
      compact,
      compact + 1,
      first - 1,
      first,
      first + 1,
      first + 149,
      first + 150,
      first + 151,
      second - 1,
      second,
    ];
    for (const revision of wanted) {
      const dataDir = join(scratch, `r${revision}`);
      const report = await restore({
        store,
        plan: await planFor(store, { kind: 'revision', revision }),
        ...into(dataDir),
        hashKv: true,
      });
      expect(report.revision).toBe(revision);
      expect(report.full.cut).toBe(revision < first);
      expect(report.hashKv, `revision ${revision}`).toEqual(await hashOfSource(revision));
      using file = BoltFile.open(join(dataDir, 'member/snap/db'));
      const leases = readLeases(file);
      for (const id of await leasesOfLiveKeys(file, revision)) {
        expect(leases.has(id), `lease ${id} at ${revision}`).toBe(true);
      }
    }
  });

  test.for(['gzip', 'zlib', 'zstd'] as const)(
    'a repository compressed with %s, through a store without local files',
    async (codec) => {
      const { store, deltaKeys } = await storeChain(join(scratch, 'bucket'), snapshots, { codec });
      expect(deltaKeys.length).toBeGreaterThan(2);
      const remote = remoteStore(store);
      const report = await restore({ store: remote, plan: await planFor(store), ...into(join(scratch, 'data')) });
      expect(report.full.method).toBe('streamed');
      expect(await hashOfDirectory(join(scratch, 'data'))).toEqual(await hashOfSource(report.revision));
    },
  );

  test('a delta too large for memory goes through the spool', async () => {
    const { store, after } = await storeChain(join(scratch, 'bucket'), snapshots, { revisionsEach: 100_000 });
    const [delta] = (await planFor(store)).deltas;
    expect(delta!.first).toBeLessThanOrEqual(after + 1);
    const options = { plan: await planFor(store), fetchersMax: 64 };
    for (const [name, one] of Object.entries({ local: store, remote: remoteStore(store) })) {
      const report = await restore({ store: one, ...options, ...into(join(scratch, name)) });
      expect(await hashOfDirectory(join(scratch, name))).toEqual(await hashOfSource(report.revision));
    }
  });
});

test('a store that never held a key is a base like any other', async () => {
  const store = new LocalStore(join(scratch, 'bucket'));
  const [empty, later] = [join(scratch, 'empty.db'), join(scratch, 'later.db')];
  await using etcd = await startEtcd({ version: snapshots.version });
  await etcd.etcdctl('snapshot', 'save', empty);
  await etcd.etcdctl('put', 'first', '1');
  await etcd.etcdctl('del', 'first');
  await etcd.etcdctl('put', 'second', '2');
  await etcd.etcdctl('snapshot', 'save', later);
  const after = await putFull(store, empty, { etcdVersion: snapshots.version });
  expect(after).toBe(1);
  await putDeltas(store, later, { after, revisionsEach: 2 });
  for (const revision of [1, 2, 3, 4]) {
    const plan = await planFor(store, { kind: 'revision', revision });
    const report = await restore({ store, plan, ...into(join(scratch, `r${revision}`)), hashKv: true });
    using source = BoltFile.open(later);
    expect(report.hashKv).toEqual(await hashKV(source, { revision }));
  }
  await using restored = await startEtcd({ version: snapshots.version, dataDir: join(scratch, 'r3'), name: 'm1' });
  expect(await restored.etcdctl('get', '', '--prefix')).toBe('');
  await restored.etcdctl('put', 'third', '3');
  expect(await restored.etcdctl('get', 'third', '--write-out=json')).toContain('"mod_revision":4');
}, 60_000);

describe('directories', () => {
  test('the log may live elsewhere; modes are private; several members share one database', async () => {
    const { store } = await storeChain(join(scratch, 'bucket'), snapshots);
    const initialCluster = parseInitialCluster('m1=http://a:1,m2=http://b:1,m3=http://c:1');
    const dataDirs = [1, 2].map((n) => ({
      member: `m${n}`,
      dataDir: join(scratch, `deep/m${n}`),
      walDir: join(scratch, `wal/m${n}`),
    }));
    // A volume that is mounted already.
    await mkdir(dataDirs[1]!.dataDir, { recursive: true });
    await mkdir(dataDirs[1]!.walDir, { recursive: true });
    const report = await restore({ store, plan: await planFor(store), dataDirs, initialCluster, token: 't' });
    for (const [index, { dataDir, walDir }] of dataDirs.entries()) {
      expect(await readdir(walDir)).toEqual([FIRST_WAL_NAME]);
      expect(await readdir(join(dataDir, 'member'))).toEqual(['snap']);
      const wal = readWal(join(walDir, FIRST_WAL_NAME));
      expect(wal.memberId).toBe(report.members[index]!.id);
      const snapshot = readRaftSnapshot(join(dataDir, 'member/snap/0000000000000001-0000000000000003.snap'));
      expect(checkRaftFiles(wal, snapshot).commit).toBe(3);
      for (const file of ['member/snap/db', 'member/snap/0000000000000001-0000000000000003.snap']) {
        expect((await stat(join(dataDir, file))).mode & 0o777).toBe(0o600);
      }
      expect((await stat(join(dataDir, 'member'))).mode & 0o777).toBe(0o700);
    }
    expect((await readdir(scratch)).toSorted()).toEqual(['bucket', 'deep', 'wal']);
    expect((await readdir(join(scratch, 'deep'))).toSorted()).toEqual(['m1', 'm2']);
    expect(await hashOfDirectory(dataDirs[0]!.dataDir)).toEqual(await hashOfDirectory(dataDirs[1]!.dataDir));
  });

  test('data is never overwritten, and wrong options touch nothing', async () => {
    const { store } = await storeChain(join(scratch, 'bucket'), snapshots);
    const plan = await planFor(store);
    const dataDir = join(scratch, 'data');
    await mkdir(dataDir);
    await writeFile(join(dataDir, 'precious'), 'x');
    await expect(restore({ store, plan, ...into(dataDir) })).rejects.toMatchObject({ code: 'TARGET_OCCUPIED' });
    const refused: Partial<RestoreOptions>[] = [
      { dataDirs: [] },
      { dataDirs: [{ member: 'm2', dataDir: join(scratch, 'x') }] },
      { dataDirs: [{ member: 'm1', dataDir: join(scratch, 'x'), walDir: join(scratch, 'x/wal') }] },
      { fetchersMax: 0 },
      { leaseUnknownTtlSeconds: -1 },
    ];
    for (const wrong of refused) {
      await expect(restore({ store, plan, ...into(join(scratch, 'x')), ...wrong })).rejects.toMatchObject({
        code: 'USAGE',
      });
    }
    expect((await readdir(scratch)).toSorted()).toEqual(['bucket', 'data']);
    expect(await readdir(dataDir)).toEqual(['precious']);
  });

  test('a failing store or a cancellation, whenever it comes, leaves nothing behind', async () => {
    const { store } = await storeChain(join(scratch, 'bucket'), snapshots);
    const plan = await planFor(store);
    const clean = remoteStore(store);
    await restore({ store: clean, plan, ...into(join(scratch, 'clean')) });
    await rm(join(scratch, 'clean'), { recursive: true });
    for (let nth = 1; nth <= clean.calls.length; nth++) {
      for (const kind of ['before', 'cut'] as const) {
        const failing = remoteStore(store, [{ nth, kind }]);
        await expect(
          restore({ store: failing, plan, ...into(join(scratch, 'a/b/data')) }),
          `${kind} ${nth}`,
        ).rejects.toMatchObject({ code: 'STORE_FAILED' });
        expect(await readdir(scratch)).toEqual(['bucket']);
      }
    }
    for (let stopAt = 1; ; stopAt++) {
      const stop = new AbortController();
      let calls = 0;
      const onProgress = (): void => {
        if (++calls === stopAt) stop.abort();
      };
      const outcome = restore({ store, plan, ...into(join(scratch, 'data')), signal: stop.signal, onProgress });
      const error = await outcome.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error === undefined) break;
      expect(error).toMatchObject({ code: 'CANCELLED' });
      expect(await readdir(scratch)).toEqual(['bucket']);
    }
    expect((await readdir(scratch)).toSorted()).toEqual(['bucket', 'data']);
  });
});

describe('damage', () => {
  async function flipByte(store: LocalStore, key: string, offset: number): Promise<void> {
    const path = store.localPath(key)!;
    await chmod(path, 0o600);
    const file = await open(path, 'r+');
    const position = offset < 0 ? (await file.stat()).size + offset : offset;
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, position);
    buffer[0]! ^= 0x10;
    await file.write(buffer, 0, 1, position);
    await file.close();
  }

  test('is named, and nothing is left behind', async () => {
    const { store, deltaKeys } = await storeChain(join(scratch, 'bucket'), snapshots);
    const plan = await planFor(store);
    const { key } = plan.full;
    await flipByte(store, key, 70_000);
    const damaged = await restore({ store, plan, ...into(join(scratch, 'data')) }).catch((error: unknown) => error);
    expect(damaged).toBeInstanceOf(DamagedObjectError);
    expect(damaged).toMatchObject({ code: 'OBJECT_DAMAGED', objectKey: key });
    await expect(restore({ store, plan, ...into(join(scratch, 'data')), verify: false })).rejects.toMatchObject({
      code: 'SNAPSHOT_HASH_MISMATCH',
    });
    await flipByte(store, key, 70_000);
    for (const offset of [0, 100, 5_000, -1, -40, -300]) {
      await flipByte(store, deltaKeys[1]!, offset);
      const error = await restore({ store, plan, ...into(join(scratch, 'data')) }).catch((thrown: unknown) => thrown);
      expect(error, `delta byte ${offset}`).toMatchObject({ code: 'DELTA_DAMAGED', objectKey: deltaKeys[1] });
      await flipByte(store, deltaKeys[1]!, offset);
    }
    expect(await readdir(scratch)).toEqual(['bucket']);
    await restore({ store, plan, ...into(join(scratch, 'data')) });
  });

  test("etcd's own trailing hash is judged, and only skipHashCheck passes a file without one", async () => {
    const { store } = await storeChain(join(scratch, 'bucket'), snapshots);
    const bare = join(scratch, 'bare.db');
    await writeFile(bare, (await store.get((await planFor(store)).full.key)).subarray(0, -32));
    await putFull(store, bare, { etcdVersion: snapshots.version });
    const inventory = await readInventory(store, CLUSTER);
    const full = inventory.timelines[0]!.fulls.find(({ bytes }) => bytes % 512 === 0)!;
    const plan = planRestore(inventory, { kind: 'snapshot', key: full.key });
    await expect(restore({ store, plan, ...into(join(scratch, 'data')) })).rejects.toMatchObject({
      code: 'SNAPSHOT_HASH_MISMATCH',
    });
    await restore({ store, plan, ...into(join(scratch, 'data')), skipHashCheck: true });
    expect(await hashOfDirectory(join(scratch, 'data'))).toEqual(await hashOfSource(plan.revision));
  });

  test('an object that is gone is named like a damaged one', async () => {
    const { store, deltaKeys } = await storeChain(join(scratch, 'bucket'), snapshots);
    const plan = await planFor(store);
    await store.delete([deltaKeys[2]!]);
    const fetchers = { missingInMemory: 4, missingFile: 64 };
    for (const fetchersMax of Object.values(fetchers)) {
      const error = await restore({ store, plan, ...into(join(scratch, 'data')), fetchersMax }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({ code: 'STORE_NOT_FOUND', objectKey: deltaKeys[2] });
    }
    await store.delete([plan.full.key]);
    for (const one of [store, remoteStore(store)]) {
      const error = await restore({ store: one, plan, ...into(join(scratch, 'data')) }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({ code: 'STORE_NOT_FOUND', objectKey: plan.full.key });
    }
    expect(await readdir(scratch)).toEqual(['bucket']);
  });

  test('is planned around when another chain makes the revision', async () => {
    const { store, deltaKeys } = await storeChain(join(scratch, 'bucket'), snapshots);
    await putFull(store, snapshots.second, { etcdVersion: snapshots.version });
    const { first, second } = bounds();
    const inventory = await readInventory(store, CLUSTER);
    const around = { store, inventory, ...NEWCOMER };
    await flipByte(store, planRestore(inventory, { kind: 'latest' }).full.key, -5_000);
    const latest = await restoreAround({
      ...around,
      restoreTo: { kind: 'latest' },
      dataDirs: [{ member: 'm1', dataDir: join(scratch, 'a') }],
    });
    expect(latest).toMatchObject({
      revision: second,
      deltas: deltaKeys.length,
      damaged: [{ key: expect.stringContaining('/full/') }],
    });
    expect(await hashOfDirectory(join(scratch, 'a'))).toEqual(await hashOfSource(second));

    await flipByte(store, deltaKeys[1]!, 5_000);
    const wanted = [{ kind: 'latest' }, { kind: 'revision', revision: second - 1 }] as const;
    for (const restoreTo of wanted) {
      const dataDirs = [{ member: 'm1', dataDir: join(scratch, 'b') }];
      const error = await restoreAround({ ...around, restoreTo, dataDirs }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(DamagedObjectError);
      // Never silently less than what was asked for; what can be had in spite of it is said.
      expect((error as DamagedObjectError).remedy).toContain(`--revision ${first + 150}`);
    }
    expect((await readdir(scratch)).toSorted()).toEqual(['a', 'bucket']);
  });
});

test('leases of deltas come with their TTLs, unknown ones with the assumed one', async () => {
  const store = (await storeChain(join(scratch, 'known'), snapshots)).store;
  const without = new LocalStore(join(scratch, 'unknown'));
  const after = await putFull(without, snapshots.first, { etcdVersion: snapshots.version });
  await putDeltas(without, snapshots.second, { after, revisionsEach: 1_000, leaseRecords: false });
  using source = BoltFile.open(snapshots.second);
  const living = readLeases(source);
  const known = await restore({ store, plan: await planFor(store), ...into(join(scratch, 'a')) });
  const unknown = await restore({
    store: without,
    plan: await planFor(without),
    ...into(join(scratch, 'b')),
    leaseUnknownTtlSeconds: 77,
  });
  using first = BoltFile.open(join(scratch, 'a/member/snap/db'));
  using second = BoltFile.open(join(scratch, 'b/member/snap/db'));
  const [withTtl, assumed] = [readLeases(first), readLeases(second)];
  for (const [id, { ttlSeconds }] of living) expect(withTtl.get(id)?.ttlSeconds).toBe(ttlSeconds);
  expect(known.leases.unknown.some((id) => living.has(id))).toBe(false);
  expect(unknown.leases.unknown.length).toBeGreaterThan(known.leases.unknown.length);
  for (const id of unknown.leases.unknown) expect(assumed.get(id)?.ttlSeconds).toBe(77);
});

test('a full that is cut gets the TTLs of leases that ran out since then from deltas', async () => {
  const store = new LocalStore(join(scratch, 'bucket'));
  await putFull(store, snapshots.second, { etcdVersion: snapshots.version });
  const { first, second } = bounds();
  let missing: bigint[] = [];
  let revision = first;
  for (; missing.length === 0 && revision < second; revision += 7) {
    const plan = await planFor(store, { kind: 'revision', revision });
    expect(plan.cutFull).toBe(true);
    missing = (await restore({ store, plan, ...into(join(scratch, `r${revision}`)) })).leases.unknown;
    if (missing.length > 0) break;
  }
  expect(missing.length).toBeGreaterThan(0);
  const leaseRecords = missing.map((id) => ({
    id,
    grantedTtlSeconds: 4_242,
    askedAtRevision: revision + 1,
    source: 'ttl' as const,
  }));
  await putDeltas(store, snapshots.second, { after: second - 20, revisionsEach: 20, leaseRecords });
  const inventory = await readInventory(store, CLUSTER);
  const report = await restoreAround({
    store,
    inventory,
    restoreTo: { kind: 'revision', revision },
    ...into(join(scratch, 'data')),
  });
  expect(report.leases).toMatchObject({ unknown: [], fromDeltas: missing.length });
  using file = BoltFile.open(join(scratch, 'data/member/snap/db'));
  const leases = readLeases(file);
  for (const id of missing) expect(leases.get(id)?.ttlSeconds).toBe(4_242);
});
