import { expect, test } from 'vitest';
import {
  etcdVersions,
  eventually,
  freePorts,
  missingBinary,
  startEtcd,
  tempDir,
  WatchRows,
  faultProxy,
} from '@etcd-ops/test-kit';
import type { EtcdOpsError } from '@etcd-ops/core';
import { EtcdCluster } from './index.ts';
import { orderForSnapshot } from './snapshot-choice.ts';

const versions = etcdVersions();
const code = (name: string) => expect.objectContaining({ code: name });

test.each(versions)('three members of etcd %s', { timeout: 90_000 }, async (version) => {
  await using etcd = await startEtcd({ version, members: 3 });
  await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
  const all = await Promise.all(cluster.members().map((member) => member.status()));
  expect(all.every((status) => status.clusterId === cluster.clusterId)).toBe(true);
  expect(await cluster.memberList()).toHaveLength(3);
  expect(await cluster.alarms()).toEqual([]);
  const leaderAt = all.findIndex((status) => status.isLeader);
  const leader = cluster.members()[leaderAt]!;

  const chosen = await cluster.pickForSnapshot();
  expect(chosen.endpoint).not.toBe(leader.endpoint);
  await cluster.pickForWatch();

  // The leadership moves, and with it the choice.
  const heir = (await chosen.status()).memberId;
  await leader.moveLeader(heir);
  await eventually(async () => (await chosen.status()).isLeader);
  expect((await cluster.pickForSnapshot()).endpoint).not.toBe(chosen.endpoint);
  await expect(leader.moveLeader(heir)).rejects.toThrow(leader.endpoint);

  // One member less: still a cluster.
  const other = etcd.members.find(
    (member) => member.endpoint !== chosen.endpoint && member.endpoint !== leader.endpoint,
  )!;
  await other.kill();
  expect((await cluster.pickForSnapshot()).endpoint).toBe(leader.endpoint);
  await using partly = await EtcdCluster.connect({ endpoints: etcd.endpoints });
  expect(partly.clusterId).toBe(cluster.clusterId);

  // No quorum: the open watch ends, nothing linearizable answers, and only a stale snapshot can be had.
  const rows = new WatchRows();
  const watch = leader.watch({ startRevision: 1, sink: rows });
  await eventually(() => rows.createdAt.length === 1);
  await etcd.members.find((member) => member.endpoint === chosen.endpoint)!.kill();
  expect(await watch.closed).toMatchObject({ kind: 'error', error: { code: 'ETCD_NO_LEADER' } });
  await expect(cluster.pickForSnapshot({ timeoutMs: 1_000 })).rejects.toThrow(code('ETCD_NO_LEADER'));
  await expect(cluster.pickForWatch({ timeoutMs: 1_000 })).rejects.toThrow(code('ETCD_NO_LEADER'));
  const { member: last, stale, headRevision } = await cluster.chooseForSnapshot({ timeoutMs: 1_000, allowStale: true });
  expect(last.endpoint).toBe(leader.endpoint);
  expect({ stale, headRevision }).toEqual({ stale: true, headRevision: 1 });
  let bytes = 0;
  for await (const chunk of last.snapshot()) bytes += chunk.length;
  expect(bytes % 512).toBe(32);
});

test('endpoints of two clusters, and of none', { timeout: 60_000 }, async (context) => {
  if (versions.length === 0) context.skip(missingBinary('etcd'));
  await using one = await startEtcd({ token: 'one' });
  await using other = await startEtcd({ token: 'other' });
  await expect(EtcdCluster.connect({ endpoints: [one.endpoint, other.endpoint] })).rejects.toThrow(
    code('ETCD_WRONG_CLUSTER'),
  );
  const [port] = await freePorts(1);
  await using partly = await EtcdCluster.connect({ endpoints: [`127.0.0.1:${port}`, one.endpoint] });
  expect((await partly.pickForSnapshot()).endpoint).toBe(one.endpoint);
  await expect(EtcdCluster.connect({ endpoints: [`127.0.0.1:${port}`] })).rejects.toThrow(code('ETCD_UNREACHABLE'));
  await expect(EtcdCluster.connect({ endpoints: [] })).rejects.toThrow(code('CONFIG_INVALID'));
  await expect(EtcdCluster.connect({ endpoints: ['ftp://a:1'] })).rejects.toThrow(code('CONFIG_INVALID'));
});

test('a host that does not answer at all holds nobody up', { timeout: 60_000 }, async (context) => {
  if (versions.length === 0) context.skip(missingBinary('etcd'));
  await using etcd = await startEtcd();
  await using silent = await faultProxy(etcd.endpoint);
  silent.faults.blackHole = true;
  // It would be waited for until the end of the test.
  const endpoints = [silent.url, etcd.endpoint];
  await using cluster = await EtcdCluster.connect({ endpoints, connectTimeoutMs: 3_600_000 });
  expect((await cluster.pickForWatch()).endpoint).toBe(etcd.endpoint);
});

test(
  'an endpoint that another cluster takes over later is named, and the others go on',
  { timeout: 60_000 },
  async (context) => {
    if (versions.length === 0) context.skip(missingBinary('etcd'));
    await using dir = tempDir();
    await using own = await startEtcd({ token: 'own' });
    const [clientPort, peerPort] = (await freePorts(2)) as [number, number];
    const endpoint = `http://127.0.0.1:${clientPort}`;
    const warnings: EtcdOpsError[] = [];
    const onWarning = (error: EtcdOpsError) => void warnings.push(error);
    await using cluster = await EtcdCluster.connect({ endpoints: [endpoint, own.endpoint], onWarning });
    const [other, mine] = cluster.members();
    await expect(other!.linearizableRead()).rejects.toThrow(code('ETCD_UNREACHABLE'));

    const plan = { name: 'stranger', clientPort, peerPort, dataDir: dir.file('stranger.etcd') };
    await using stranger = await startEtcd({ token: 'stranger', members: [plan] });
    await using its = await EtcdCluster.connect({ endpoints: stranger.endpoints });
    const named = expect.objectContaining({
      code: 'ETCD_WRONG_CLUSTER',
      message: `${endpoint} belongs to cluster ${its.clusterId.toString(16)}, but ${own.endpoint} to cluster ${cluster.clusterId.toString(16)}`,
    });
    await eventually(async () => {
      const refused = await other!.linearizableRead().catch((error: unknown) => error);
      expect(refused).toEqual(named);
    });
    for (const call of [
      () => other!.hashKV(),
      () => other!.memberList(),
      () => other!.leases(),
      () => other!.alarmList(),
    ]) {
      await expect(call()).rejects.toThrow(named);
    }
    const watched = await other!.watch({ startRevision: 1, sink: new WatchRows() }).closed;
    expect(watched).toMatchObject({ kind: 'error', error: { code: 'ETCD_WRONG_CLUSTER' } });

    expect((await cluster.chooseForSnapshot()).member.endpoint).toBe(mine!.endpoint);
    expect((await cluster.pickForWatch()).endpoint).toBe(mine!.endpoint);
    expect(await cluster.memberList()).toHaveLength(1);
    expect(warnings).not.toHaveLength(0);
    expect(warnings.every((warning) => warning.code === 'ETCD_WRONG_CLUSTER')).toBe(true);
  },
);

test.each(versions)(
  'a member of etcd %s without space serves snapshots only if no other is well',
  { timeout: 60_000 },
  async (version) => {
    await using etcd = await startEtcd({ version, extraFlags: [`--quota-backend-bytes=${2 * 1024 * 1024}`] });
    await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
    const value = 'x'.repeat(100_000);
    await eventually(
      () =>
        etcd.etcdctl('put', 'a', value).then(
          () => false,
          () => true,
        ),
      { intervalMs: 1 },
    );
    const { member, status } = await cluster.chooseForSnapshot();
    expect(status.errors.join()).toContain(`memberID:${status.memberId} alarm:NOSPACE`);
    // Another one that is well goes before it, although this one leads.
    const other = { member, status: { ...status, memberId: 1n } };
    expect(orderForSnapshot([{ member, status }, other]).map((one) => one.status.memberId)).toEqual([
      1n,
      status.memberId,
    ]);
  },
);
