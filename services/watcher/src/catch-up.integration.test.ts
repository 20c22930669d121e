import { EventWriter, lastEvent } from '@etcd-ops/bus';
import {
  BoltFile,
  DeltaReader,
  encodeManifest,
  fullKey,
  manifestKey,
  readInventory,
  readStoreInfo,
  restorableRanges,
  rowsAbove,
  type FullManifest,
} from '@etcd-ops/core';
import {
  etcdVersions,
  eventually,
  findBinary,
  HARD_LOAD_FLAGS,
  hardLoad,
  missingBinary,
  planMembers,
  runEtcdutl,
  startEtcd,
  tempDir,
  type TestEtcd,
} from '@etcd-ops/test-kit';
import { describe, expect, it } from 'vitest';
import { burst, CLUSTER, compact, expectSameRows, headOf, put, takeSnapshot, World } from './testing/world.ts';

const versions = etcdVersions();
const QUIET = { operations: 150, valueBytesMax: 20_000, without: ['compact', 'leaseExpire', 'leaseAttach'] as const };
/** Far behind already means a few hundred revisions. */
const SNAPSHOT_SOON = { plainRevisionsMax: 50, segmentsRevisionsMax: 100, segmentRevisions: 50, catchUpPollMs: 50 };
const SEGMENTS_SOON = { plainRevisionsMax: 50, segmentRevisions: 20, segmentsBytesMax: 2 ** 30 };

/** Rows of the repository's deltas in (after, upTo], by key. */
async function storedRows(world: World, range: { after: number; upTo: number }): Promise<Map<string, string>> {
  const rows = new Map<string, string>();
  const { timelines } = await readInventory(world.store, CLUSTER);
  for (const delta of timelines[0]!.deltas.filter(({ last, first }) => last > range.after && first <= range.upTo)) {
    const reader = await DeltaReader.open({
      bytes: delta.bytes,
      read: (offset, length) => world.store.get(delta.key, { offset, length, bytesMax: length }),
    });
    await reader.verify();
    for await (const block of reader.rowBlocks({ fromRevision: range.after + 1, toRevision: range.upTo })) {
      for (let row = 0; row < block.rowCount; row++) {
        const main = block.main(row);
        if (main <= range.after || main > range.upTo) continue;
        rows.set(block.key(row).toString('hex'), block.value(row).toString('base64'));
      }
    }
  }
  return rows;
}

function fileRows(path: string, range: { after: number; upTo: number }): Map<string, string> {
  using file = BoltFile.open(path);
  const rows = new Map<string, string>();
  for (const block of rowsAbove(file, range.after, { upTo: range.upTo })) {
    for (let row = 0; row < block.rowCount; row++) {
      rows.set(block.key(row).toString('hex'), block.value(row).toString('base64'));
    }
  }
  return rows;
}

describe.each(versions.length === 0 ? ['none'] : versions)('catching up on etcd %s', (version) => {
  const need = (ctx: { skip: (reason: string) => void }): void => {
    if (version === 'none') ctx.skip(missingBinary('etcd'));
    if (findBinary('nats-server') === undefined) ctx.skip(missingBinary('nats-server'));
  };

  /** A world whose watcher captured something and is gone; answers L. */
  const captured = async (world: World, etcd: TestEtcd): Promise<number> => {
    await using watcher = await world.startWatcher();
    await watcher.watching();
    await put(etcd, 5);
    const head = await headOf(etcd);
    await eventually(async () => (await world.capturedRevision()) >= head);
    return head;
  };
  const firstFullIsStored = async (world: World): Promise<void> => {
    await eventually(async () => (await readInventory(world.store, CLUSTER)).timelines[0]?.fulls.length === 1, {
      timeoutMs: 20_000,
    });
  };

  it('goes through segments without a difference, live writes meanwhile', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd({ version, extraFlags: HARD_LOAD_FLAGS });
    await using world = await World.open(etcd);
    const last = await captured(world, etcd);
    await hardLoad({ endpoints: etcd.endpoints, ...QUIET, without: [...QUIET.without], txnOpsMax: 500, seed: 3 });
    await burst(etcd, 1_500);
    const writing = burst(etcd, 1_000, { prefix: 'live' });
    await using watcher = await world.startWatcher(SEGMENTS_SOON);
    await watcher.watching();
    await writing;
    await expectSameRows(world, etcd.endpoint, { after: last, timeline: 1, dir: dir.path });
    expect(await watcher.metric('watcher_catch_ups_total', { way: 'segments' })).toBe(1);
    expect((await world.starts()).map(({ cause }) => cause)).toEqual(['first']);
  });

  it('lets the uploader take a full, and has every revision between as deltas', { timeout: 120_000 }, async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd({ version, extraFlags: HARD_LOAD_FLAGS });
    await using world = await World.open(etcd);
    const last = await captured(world, etcd);
    await using _uploader = await world.spawnUploader();
    await firstFullIsStored(world);
    await hardLoad({ endpoints: etcd.endpoints, ...QUIET, without: [...QUIET.without], txnOpsMax: 500, seed: 4 });
    await burst(etcd, 500);
    // A compaction at L itself takes nothing that is wanted.
    await compact(etcd, last);
    await using watcher = await world.startWatcher(SNAPSHOT_SOON);
    await watcher.watching();
    await put(etcd, 5, 'after');
    const starts = await world.starts();
    const caughtUp = starts.at(-1)!;
    expect(caughtUp).toMatchObject({ cause: 'caught-up', timeline: 1, after: last });
    expect(caughtUp.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(await watcher.metric('watcher_catch_ups_total', { way: 'snapshot' })).toBe(1);
    const range = { after: last, upTo: caughtUp.revision };
    await takeSnapshot(etcd.endpoint, dir.file('check.db'));
    const expected = fileRows(dir.file('check.db'), range);
    expect(expected.size).toBeGreaterThan(600);
    expect(await storedRows(world, range)).toEqual(expected);
    await expectSameRows(world, etcd.endpoint, { after: caughtUp.revision, timeline: 1, dir: dir.path });
    // One history, from the first full on and over the catch-up: nobody can tell.
    await eventually(async () => {
      const ranges = restorableRanges(await readInventory(world.store, CLUSTER));
      return ranges.length === 1 && ranges[0]!.to >= caughtUp.revision;
    });
    // Readers go on over it without a gap.
    const { events, skipped } = await world.events();
    expect(skipped).toEqual([]);
    expect(events.filter((event) => event.kind === 'start').at(-1)!.contiguous).toBe(true);
  });

  it('says that there is a gap when a compaction overtakes the catch-up; its full is the base', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd({ version });
    await using world = await World.open(etcd);
    const last = await captured(world, etcd);
    {
      await using _uploader = await world.spawnUploader();
      await firstFullIsStored(world);
    }
    await burst(etcd, 500);
    await using watcher = await world.startWatcher(SNAPSHOT_SOON);
    await eventually(async () => (await world.fullCauses()).at(-1) === 'catch-up', { timeoutMs: 20_000 });
    const compacted = last + 300;
    await compact(etcd, compacted);
    await using _uploader = await world.spawnUploader();
    await watcher.watching();
    const gap = (await world.starts()).at(-1)!;
    expect(gap).toMatchObject({ cause: 'gap', timeline: 1, after: last, compacted });
    await put(etcd, 5, 'after');
    await expectSameRows(world, etcd.endpoint, { after: gap.revision, timeline: 1, dir: dir.path });
    const { fulls, deltas } = (await readInventory(world.store, CLUSTER)).timelines[0]!;
    expect(fulls.map(({ revision }) => revision)).toEqual([fulls[0]!.revision, gap.revision]);
    expect(fulls[1]!.manifest.compactRevision).toBe(compacted);
    // What the file still holds below C is no history.
    expect(deltas.filter((delta) => delta.last > last)).toEqual([]);
  });

  it('notices a fork that is far ahead', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    const plans = await planMembers(1, dir.path);
    const token = 'same-token';
    let last = 0;
    await using world = await (async () => {
      await using etcd = await startEtcd({ version, members: plans, token });
      const opened = await World.open(etcd);
      await put(etcd, 3, 'a');
      await takeSnapshot(etcd.endpoint, dir.file('old.db'));
      last = await captured(opened, etcd);
      await using _uploader = await opened.spawnUploader();
      await firstFullIsStored(opened);
      return opened;
    })();
    const peer = `http://127.0.0.1:${plans[0]!.peerPort}`;
    const restore = ['snapshot', 'restore', dir.file('old.db'), '--name', 'm1', '--data-dir', dir.file('restored')];
    const cluster = ['--initial-cluster', `m1=${peer}`, '--initial-cluster-token', token];
    await runEtcdutl({ version }, ...restore, ...cluster, '--initial-advertise-peer-urls', peer);
    await using etcd = await startEtcd({
      version,
      members: [{ ...plans[0]!, dataDir: dir.file('restored') }],
      token,
    });
    await burst(etcd, 500);
    await using _uploader = await world.spawnUploader();
    await using watcher = await world.startWatcher(SNAPSHOT_SOON);
    await watcher.watching();
    const starts = await world.starts();
    expect(starts.at(-1)).toMatchObject({ cause: 'fork', timeline: 2, after: last });
    expect((await readInventory(world.store, CLUSTER)).timelines[0]!.fulls).toHaveLength(1);
    await put(etcd, 3, 'b');
    await expectSameRows(world, etcd.endpoint, { after: starts.at(-1)!.revision, timeline: 2, dir: dir.path });
  });
});

describe('a history without its base', () => {
  it('gets its full although the watcher died between the start of the gap and the request', async (ctx) => {
    if (versions.length === 0) ctx.skip(missingBinary('etcd'));
    if (findBinary('nats-server') === undefined) ctx.skip(missingBinary('nats-server'));
    await using dir = tempDir();
    await using etcd = await startEtcd();
    await put(etcd, 5);
    await using world = await World.open(etcd);
    const head = await headOf(etcd);
    await takeSnapshot(etcd.endpoint, dir.file('db'));
    // The repository ends at 3; then came a gap up to the head, and nothing was asked for.
    const clusterId = await (async () => {
      await using watcher = await world.startWatcher();
      await watcher.watching();
      return (await lastEvent(world.bus, CLUSTER))!.clusterId;
    })();
    await storeFull(world, { path: dir.file('db'), revision: 3, clusterId });
    const jsm = await world.bus.jsm();
    await jsm.streams.purge('ETCDOPS_TASKS');
    const { writer } = await EventWriter.open(world.bus, CLUSTER);
    await writer.publish({
      kind: 'start',
      timeline: 1,
      clusterId,
      revision: head,
      digest: null,
      cause: 'gap',
      after: 3,
      compacted: 4,
      observedMs: Date.now(),
    });
    expect(await world.fullCauses()).toEqual([]);
    await using watcher = await world.startWatcher();
    await watcher.watching();
    await eventually(async () => (await world.fullCauses()).includes('gap'));
  });
});

/** A full that ends at `revision`, as far as its manifest says; nobody opens it here. */
async function storeFull(world: World, full: { path: string; revision: number; clusterId: bigint }): Promise<void> {
  using file = BoltFile.open(full.path);
  const info = readStoreInfo(file);
  const createdAt = new Date(1_700_000_000_000).toISOString();
  const bytes = Buffer.from('a database');
  const manifest: FullManifest = {
    version: 1,
    kind: 'full',
    cluster: CLUSTER,
    timeline: 1,
    revision: full.revision,
    compactRevision: -1,
    lastRevisionDigest: null,
    lastRevisionRows: 0,
    clusterId: full.clusterId.toString(16),
    memberId: '1',
    etcdVersion: info.storageVersion ?? '3.5.16',
    createdAt,
    finishedAt: createdAt,
    codec: 'none',
    plainBytes: bytes.length,
    plainSha256: '0'.repeat(64),
    storedBytes: bytes.length,
    storedSha256: '0'.repeat(64),
    cause: 'first',
  };
  const key = fullKey({
    cluster: CLUSTER,
    timeline: 1,
    revision: full.revision,
    createdAtMs: 1_700_000_000_000,
    codec: 'none',
  });
  await world.store.put(key, bytes);
  await world.store.put(manifestKey(key), encodeManifest(manifest));
}
