import { expect, test } from 'vitest';
import { etcdVersions, eventually, freePorts, missingBinary, startEtcd, WatchRows } from '@etcd-ops/test-kit';
import { EtcdCluster } from './index.ts';

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
  const last = await cluster.pickForSnapshot({ timeoutMs: 1_000, allowStale: true });
  expect(last.endpoint).toBe(leader.endpoint);
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
