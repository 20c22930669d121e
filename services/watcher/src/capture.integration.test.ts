import { ensureEventStream, eventsStream } from '@etcd-ops/bus';
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
} from '@etcd-ops/test-kit';
import { describe, expect, it } from 'vitest';
import {
  CLUSTER,
  compact,
  expectSameRows,
  headOf,
  put,
  rowsOf,
  spawnWatcher,
  takeSnapshot,
  World,
} from './testing/world.ts';

const versions = etcdVersions();

describe.each(versions.length === 0 ? ['none'] : versions)('watcher on etcd %s', (version) => {
  const need = (ctx: { skip: (reason: string) => void }): void => {
    if (version === 'none') ctx.skip(missingBinary('etcd'));
    if (findBinary('nats-server') === undefined) ctx.skip(missingBinary('nats-server'));
  };

  it('captures every row of a hard load through stops and kills of everything', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd({ version, extraFlags: HARD_LOAD_FLAGS });
    await put(etcd, 3);
    await using world = await World.open(etcd, version.startsWith('3.4') ? { natsVersion: '2.9' } : {});
    const load = (seed: number, without: Parameters<typeof hardLoad>[0]['without'] = []) =>
      hardLoad({ endpoints: etcd.endpoints, seed, operations: 250, valueBytesMax: 300_000, txnOpsMax: 3_000, without });
    {
      await using watcher = await world.startWatcher();
      await watcher.watching();
      await load(1);
    }
    const [start] = await world.starts();
    expect(start).toMatchObject({ cause: 'first', timeline: 1, revision: 4 });
    expect(start!.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(await world.fullCauses()).toEqual(['first']);
    // Nobody watches; no compaction either, which would be a gap.
    await load(2, ['compact']);
    {
      const child = await spawnWatcher(world.nats.url, dir.path);
      const loading = load(3, ['compact']);
      const before = await world.capturedRevision();
      await eventually(async () => (await world.capturedRevision()) > before, { timeoutMs: 60_000 });
      await child.kill();
      await loading;
    }
    await using watcher = await world.startWatcher();
    await watcher.watching();
    const loading = load(4, ['compact']).catch(() => undefined);
    await eventually(async () => (await world.capturedRevision()) > start!.revision + 50);
    await etcd.kill();
    await loading;
    await etcd.restart();
    await watcher.watching();
    const more = load(5, ['compact']);
    await world.nats.kill();
    await world.nats.start();
    await more;
    const compared = await expectSameRows(world, etcd.endpoint, { after: start!.revision, timeline: 1, dir: dir.path });
    expect(compared).toBeGreaterThan(1_000);
    expect((await world.starts()).map(({ cause }) => cause)).toEqual(['first']);
    const leases = (await world.events()).events.flatMap((event) => (event.kind === 'rows' ? event.leases : []));
    expect(leases.some(({ source, grantedTtlSeconds }) => source === 'ttl' && grantedTtlSeconds > 0)).toBe(true);
  });

  it('begins a new timeline when the cluster was restored behind its back', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    const plans = await planMembers(1, dir.path);
    const token = 'same-token';
    await using world = await (async () => {
      await using etcd = await startEtcd({ version, members: plans, token });
      await put(etcd, 5);
      const opened = await World.open(etcd);
      await using watcher = await opened.startWatcher();
      await watcher.watching();
      await put(etcd, 5, 'a');
      await takeSnapshot(etcd.endpoint, dir.file('old.db'));
      await put(etcd, 10, 'b');
      await eventually(async () => (await opened.capturedRevision()) === 21);
      return opened;
    })();
    // The same cluster id, member id and ports; its head has passed L by the time that it is watched.
    const restored = [{ ...plans[0]!, dataDir: dir.file('restored') }];
    await runEtcdutl(
      { version },
      'snapshot',
      'restore',
      dir.file('old.db'),
      '--name',
      'm1',
      '--initial-cluster',
      `m1=http://127.0.0.1:${plans[0]!.peerPort}`,
      '--initial-cluster-token',
      token,
      '--initial-advertise-peer-urls',
      `http://127.0.0.1:${plans[0]!.peerPort}`,
      '--data-dir',
      dir.file('restored'),
    );
    await using etcd = await startEtcd({ version, members: restored, token });
    await put(etcd, 20, 'c');
    const head = await headOf(etcd);
    expect(head).toBe(31);
    await using watcher = await world.startWatcher();
    await watcher.watching();
    const starts = await world.starts();
    expect(starts.map(({ cause, timeline }) => [cause, timeline])).toEqual([
      ['first', 1],
      ['fork', 2],
    ]);
    expect(starts[1]).toMatchObject({ revision: head, after: 21 });
    expect(starts[1]!.clusterId).toBe(starts[0]!.clusterId);
    await put(etcd, 3, 'd');
    await expectSameRows(world, etcd.endpoint, { after: head, timeline: 2, dir: dir.path });
    // What was captured before stays as it was.
    const { events } = await world.events();
    expect(Math.max(...[...rowsOf(events, 1).keys()].map((key) => Number.parseInt(key.slice(0, 16), 16)))).toBe(21);
  });

  it('follows a cluster that is replaced under its eyes, by one of another id and with fewer revisions', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    const plans = await planMembers(1, dir.path);
    const first = await startEtcd({ version, members: plans, token: 'one' });
    await using world = await World.open(first);
    await using watcher = await world.startWatcher();
    await watcher.watching();
    await put(first, 10);
    await eventually(async () => (await world.capturedRevision()) === 11);
    await first[Symbol.asyncDispose]();
    await eventually(() => !watcher.service.health().ready);
    // A new cluster on the same ports, with another token: another cluster id, and a head below L.
    await using second = await startEtcd({
      version,
      members: [{ ...plans[0]!, dataDir: dir.file('new') }],
      token: 'two',
    });
    await put(second, 2);
    await eventually(async () => (await world.starts()).length === 2, { timeoutMs: 20_000 });
    await put(second, 3, 'b');
    const starts = await world.starts();
    expect(starts.map(({ cause, timeline, after }) => [cause, timeline, after])).toEqual([
      ['first', 1, undefined],
      ['fork', 2, 11],
    ]);
    expect(starts[1]!.clusterId).not.toBe(starts[0]!.clusterId);
    await expectSameRows(world, second.endpoint, { after: starts[1]!.revision, timeline: 2, dir: dir.path });
  });

  it('says that there is a gap when a compaction overtook it', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd({ version });
    await using world = await World.open(etcd);
    {
      await using watcher = await world.startWatcher();
      await watcher.watching();
      await put(etcd, 4);
      await eventually(async () => (await world.capturedRevision()) === 5);
    }
    await put(etcd, 10);
    await compact(etcd, 12);
    await using watcher = await world.startWatcher();
    await watcher.watching();
    await put(etcd, 3);
    const starts = await world.starts();
    expect(starts).toMatchObject([
      { cause: 'first', timeline: 1, revision: 1, digest: null },
      { cause: 'gap', timeline: 1, revision: 15, after: 5, compacted: 12 },
    ]);
    await expectSameRows(world, etcd.endpoint, { after: 15, timeline: 1, dir: dir.path });
  });

  it('goes on over a compaction that stands exactly at L or below it', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd({ version });
    await put(etcd, 4);
    await using world = await World.open(etcd);
    {
      await using watcher = await world.startWatcher();
      await watcher.watching();
      await put(etcd, 4, 'a');
      await eventually(async () => (await world.capturedRevision()) === 9);
    }
    await put(etcd, 4, 'b');
    await compact(etcd, 9);
    {
      await using watcher = await world.startWatcher();
      await watcher.watching();
      await expectSameRows(world, etcd.endpoint, { after: 5, timeline: 1, dir: dir.path });
    }
    expect((await world.starts()).map(({ cause }) => cause)).toEqual(['first']);
  });

  it('begins at a head that is the compact revision itself, a pure deletion', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd({ version });
    await put(etcd, 4);
    await etcd.etcdctl('del', 'k', '--prefix');
    await compact(etcd, 6);
    await using world = await World.open(etcd);
    await using watcher = await world.startWatcher();
    await watcher.watching();
    expect(await world.starts()).toMatchObject([{ cause: 'first', revision: 6, digest: null }]);
    await put(etcd, 4, 'a');
    await expectSameRows(world, etcd.endpoint, { after: 6, timeline: 1, dir: dir.path });
  });
});

describe('watcher', () => {
  const need = (ctx: { skip: (reason: string) => void }): void => {
    if (versions.length === 0) ctx.skip(missingBinary('etcd'));
    if (findBinary('nats-server') === undefined) ctx.skip(missingBinary('nats-server'));
  };

  it('waits while the stream is full, and loses nothing', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd();
    await using world = await World.open(etcd, { eventBytesMax: 2 * 1024 * 1024 });
    await using watcher = await world.startWatcher();
    await watcher.watching();
    await hardLoad({
      endpoints: etcd.endpoints,
      operations: 150,
      valueBytesMax: 200_000,
      without: ['compact', 'putLarge'],
    });
    for (let index = 0; index < 40; index++) await etcd.etcdctl('put', `big${index}`, 'x'.repeat(100_000));
    const head = await headOf(etcd);
    expect(await world.capturedRevision()).toBeLessThan(head);
    // An uploader would have stored and trimmed; here the stream just grows.
    await ensureEventStream(world.bus, CLUSTER, { bytesMax: 256 * 1024 * 1024 });
    await expectSameRows(world, etcd.endpoint, { after: 1, timeline: 1, dir: dir.path });
    expect(watcher.service.health().ready).toBe(true);
  });

  it('lets two watchers share one cluster without a gap or a repetition', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd();
    await using world = await World.open(etcd);
    const first = await world.startWatcher();
    await first.watching();
    await using second = await world.startWatcher();
    const loading = hardLoad({
      endpoints: etcd.endpoints,
      operations: 300,
      valueBytesMax: 20_000,
      without: ['compact'],
    });
    await first.stop();
    await second.watching();
    await loading;
    await expectSameRows(world, etcd.endpoint, { after: 1, timeline: 1, dir: dir.path });
    expect((await world.starts()).map(({ cause }) => cause)).toEqual(['first']);
  });

  it('begins for the first time when neither the bus nor a repository knows anything', async (ctx) => {
    need(ctx);
    await using etcd = await startEtcd();
    await using world = await World.open(etcd);
    {
      await using watcher = await world.startWatcher();
      await watcher.watching();
    }
    const jsm = await world.bus.jsm();
    await jsm.streams.purge(eventsStream(CLUSTER));
    await using watcher = await world.startWatcher();
    await watcher.watching();
    expect(await world.starts()).toMatchObject([{ cause: 'first', timeline: 1 }]);
  });
});
