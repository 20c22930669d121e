import { eventsStream, lastEvent, positionKey, positions } from '@etcd-ops/bus';
import { EtcdCluster } from '@etcd-ops/etcd-client';
import {
  etcdVersions,
  eventually,
  findBinary,
  missingBinary,
  planMembers,
  runEtcdutl,
  startEtcd,
  tempDir,
  type EtcdMemberPlan,
  type TestEtcd,
} from '@etcd-ops/test-kit';
import { describe, expect, it } from 'vitest';
import { burst, CLUSTER, compact, expectSameRows, headOf, put, takeSnapshot, World } from './testing/world.ts';

const versions = etcdVersions();
const TOKEN = 'same-token';

interface Skippable {
  skip: (reason: string) => void;
}

/** Captures from the start to the head that the cluster has afterwards; answers L. */
async function captureDuring(world: World, etcd: TestEtcd, work: () => Promise<void>): Promise<number> {
  await using watcher = await world.startWatcher();
  await watcher.watching();
  await work();
  const head = await headOf(etcd);
  await eventually(async () => (await world.capturedRevision()) >= head, { timeoutMs: 20_000 });
  return head;
}

/** Of three members; without the leader, the others would first have to elect one. */
async function leaderAndFollower(etcd: TestEtcd) {
  await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
  const statuses = await Promise.all(cluster.members().map((member) => member.status()));
  const leader = etcd.members[statuses.findIndex(({ isLeader }) => isLeader)]!;
  const survivor = etcd.members.find((member) => member !== leader)!;
  return { leader, survivor };
}

/** A lone member out of a snapshot, under the same name, address and token: the same ids. */
async function restoreMember(
  version: string,
  {
    plan,
    snapshot,
    dataDir,
    flags = [],
  }: { plan: EtcdMemberPlan; snapshot: string; dataDir: string; flags?: string[] },
): Promise<EtcdMemberPlan> {
  const peer = `http://127.0.0.1:${plan.peerPort}`;
  const member = ['--name', plan.name, '--data-dir', dataDir, '--initial-advertise-peer-urls', peer];
  const cluster = ['--initial-cluster', `${plan.name}=${peer}`, '--initial-cluster-token', TOKEN];
  await runEtcdutl({ version }, 'snapshot', 'restore', snapshot, ...member, ...cluster, ...flags);
  return { ...plan, dataDir };
}

describe.each(versions.length === 0 ? ['none'] : versions)('forks and gaps on etcd %s', (version) => {
  const need = (ctx: Skippable): void => {
    if (version === 'none') ctx.skip(missingBinary('etcd'));
    if (findBinary('nats-server') === undefined) ctx.skip(missingBinary('nats-server'));
  };
  const causes = async (world: World): Promise<unknown[]> =>
    (await world.starts()).map(({ cause, timeline, after }) => [cause, timeline, after]);

  it.for([
    { where: 'below L', writes: 2 },
    { where: 'exactly at L', writes: 10 },
    { where: 'beyond L', writes: 25 },
  ])('a restore with the same token whose head is $where begins a timeline', async ({ writes }, ctx) => {
    need(ctx);
    await using dir = tempDir();
    const [plan] = await planMembers(1, dir.path);
    let last = 0;
    await using world = await (async () => {
      await using etcd = await startEtcd({ version, members: [plan!], token: TOKEN });
      const opened = await World.open(etcd);
      last = await captureDuring(opened, etcd, async () => {
        await put(etcd, 3, 'a');
        await takeSnapshot(etcd.endpoint, dir.file('old.db'));
        await put(etcd, 10, 'b');
      });
      return opened;
    })();
    const restored = await restoreMember(version, {
      plan: plan!,
      snapshot: dir.file('old.db'),
      dataDir: dir.file('restored'),
    });
    await using etcd = await startEtcd({ version, members: [restored], token: TOKEN });
    await put(etcd, writes, 'c');
    const head = await headOf(etcd);
    expect(Math.sign(head - last)).toBe(Math.sign(writes - 10));
    await using watcher = await world.startWatcher();
    await watcher.watching();
    expect(await causes(world)).toEqual([
      ['first', 1, undefined],
      ['fork', 2, last],
    ]);
    await put(etcd, 3, 'd');
    await expectSameRows(world, etcd.endpoint, { after: head, timeline: 2, dir: dir.path });
  });

  it('a restore is noticed though the stream lost its tail, and what is left of it holds for the restored cluster', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    const [plan] = await planMembers(1, dir.path);
    let last = 0;
    await using world = await (async () => {
      await using etcd = await startEtcd({ version, members: [plan!], token: TOKEN });
      const opened = await World.open(etcd);
      await captureDuring(opened, etcd, () => put(etcd, 3, 'a'));
      const shared = (await lastEvent(opened.bus, CLUSTER))!;
      await takeSnapshot(etcd.endpoint, dir.file('old.db'));
      last = await captureDuring(opened, etcd, () => put(etcd, 10, 'b'));
      // All of it is durable, and then a server without power forgets what it had not synced.
      const { timeline, digest, sequence } = (await lastEvent(opened.bus, CLUSTER))!;
      const position = { version: 1, timeline, revision: last, digest, sequence } as const;
      await positions(opened.bus).put(positionKey(CLUSTER), { ...position, updatedAt: new Date().toISOString() });
      const jsm = await opened.bus.jsm();
      for (let lost = shared.sequence + 1; lost <= sequence; lost++) {
        await jsm.streams.deleteMessage(eventsStream(CLUSTER), lost);
      }
      expect((await lastEvent(opened.bus, CLUSTER))?.last).toBe(shared.last);
      return opened;
    })();
    const snapshot = dir.file('old.db');
    const restored = await restoreMember(version, { plan: plan!, snapshot, dataDir: dir.file('restored') });
    await using etcd = await startEtcd({ version, members: [restored], token: TOKEN });
    await put(etcd, 25, 'c');
    await using watcher = await world.startWatcher();
    await watcher.watching();
    expect(await causes(world)).toEqual([
      ['first', 1, undefined],
      ['fork', 2, last],
    ]);
  });

  it('--force-new-cluster that lost nothing goes on', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd({ version });
    await using world = await World.open(etcd);
    const last = await captureDuring(world, etcd, () => put(etcd, 3, 'a'));
    await etcd.kill();
    await etcd.restart(['--force-new-cluster']);
    await using watcher = await world.startWatcher();
    await watcher.watching();
    await put(etcd, 2, 'survived');
    await expectSameRows(world, etcd.endpoint, { after: 1, timeline: 1, dir: dir.path });
    expect(await world.capturedRevision()).toBe(last + 2);
    expect(await causes(world)).toEqual([['first', 1, undefined]]);
  });

  it.for([{ writes: 1 }, { writes: 30 }])(
    '--force-new-cluster of a member that lagged, and $writes writes, begin a timeline',
    async ({ writes }, ctx) => {
      need(ctx);
      await using etcd = await startEtcd({ version, members: 3 });
      await using world = await World.open(etcd);
      const { leader, survivor } = await leaderAndFollower(etcd);
      const last = await captureDuring(world, etcd, async () => {
        await burst(etcd, 3);
        await survivor.kill();
        // What the survivor never hears of is captured.
        await burst({ endpoints: [leader.endpoint] }, 9);
      });
      await etcd.kill();
      await survivor.restart(['--force-new-cluster']);
      const alone = { endpoints: [survivor.endpoint] };
      await eventually(async () => (await headOf(alone)) > 0, { timeoutMs: 20_000 });
      await burst(alone, writes, { prefix: 'other' });
      expect(Math.sign((await headOf(alone)) - last)).toBe(writes > 9 ? 1 : -1);
      await using watcher = await world.startWatcher();
      await watcher.watching();
      expect(await causes(world)).toEqual([
        ['first', 1, undefined],
        ['fork', 2, last],
      ]);
    },
  );

  it.for([1, 7])('a compaction at L + %i while nobody watched is a gap', async (distance, ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd({ version });
    await using world = await World.open(etcd);
    const last = await captureDuring(world, etcd, () => put(etcd, 4));
    await put(etcd, 10, 'b');
    await compact(etcd, last + distance);
    const head = await headOf(etcd);
    await using watcher = await world.startWatcher();
    await watcher.watching();
    expect(await world.starts()).toMatchObject([
      { cause: 'first', timeline: 1 },
      { cause: 'gap', timeline: 1, revision: head, after: last, compacted: last + distance },
    ]);
    expect(await world.fullCauses()).toEqual(['first']);
    await put(etcd, 3, 'c');
    await expectSameRows(world, etcd.endpoint, { after: head, timeline: 1, dir: dir.path });
  });

  it('tombstones that an old version leaves out at C = L are no fork, and spoil nothing', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd({ version });
    await put(etcd, 4);
    await using world = await World.open(etcd);
    const last = await captureDuring(world, etcd, async () => {
      await put(etcd, 2, 'a');
      await etcd.etcdctl('del', 'k', '--prefix');
    });
    await put(etcd, 3, 'b');
    await compact(etcd, last);
    const head = await headOf(etcd);
    await using watcher = await world.startWatcher();
    await watcher.watching();
    await put(etcd, 3, 'c');
    const [, second, ...more] = await world.starts();
    expect(more).toEqual([]);
    // 3.4.23 does not deliver a revision of nothing but tombstones at C any more: then only a new base is safe.
    const isOld = version.startsWith('3.4');
    if (isOld) expect(second).toMatchObject({ cause: 'gap', timeline: 1, after: last, revision: head });
    else expect(second).toBeUndefined();
    const after = isOld ? head : last;
    await expectSameRows(world, etcd.endpoint, { after, timeline: 1, dir: dir.path });
  });

  it('a bumped revision has a row that no watch delivers: a gap, and a new base behind it', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    const help = await runEtcdutl({ version }, 'snapshot', 'restore', '--help').catch(() => '');
    if (!help.includes('--bump-revision')) ctx.skip(`etcd ${version} restores without --bump-revision`);
    const [plan] = await planMembers(1, dir.path);
    let last = 0;
    await using world = await (async () => {
      await using etcd = await startEtcd({ version, members: [plan!], token: TOKEN });
      const opened = await World.open(etcd);
      last = await captureDuring(opened, etcd, () => put(etcd, 5, 'a'));
      await takeSnapshot(etcd.endpoint, dir.file('old.db'));
      return opened;
    })();
    const flags = ['--bump-revision', '1000', '--mark-compacted'];
    const restored = await restoreMember(version, {
      plan: plan!,
      snapshot: dir.file('old.db'),
      dataDir: dir.file('restored'),
      flags,
    });
    await using etcd = await startEtcd({ version, members: [restored], token: TOKEN });
    const head = await headOf(etcd);
    expect(head).toBe(last + 1_000);
    await using watcher = await world.startWatcher();
    await watcher.watching();
    expect((await world.starts()).at(-1)).toMatchObject({ revision: head, after: last, digest: null });
    await put(etcd, 3, 'b');
    await eventually(async () => (await world.capturedRevision()) === head + 3);
    await expectSameRows(world, etcd.endpoint, { after: head, timeline: 1, dir: dir.path });
  });
});
