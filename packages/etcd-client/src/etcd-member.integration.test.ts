import { createHash } from 'node:crypto';
import { beforeAll, afterAll, describe, expect, test } from 'vitest';
import {
  distinctEtcdVersions,
  etcdVersions,
  eventually,
  faultProxy,
  freePorts,
  startEtcd,
  type TestEtcd,
  WatchRows,
} from '@etcd-ops/test-kit';
import { EtcdMember } from './index.ts';

async function drain(parts: AsyncIterator<Buffer>): Promise<number> {
  let bytes = 0;
  for (;;) {
    const next = await parts.next();
    if (next.done === true) return bytes;
    bytes += next.value.length;
  }
}

const code = (name: string) => expect.objectContaining({ code: name });

describe.each(distinctEtcdVersions())('a member of etcd %s', (version) => {
  let etcd: TestEtcd;
  let member: EtcdMember;

  beforeAll(async () => {
    etcd = await startEtcd({ version });
    member = new EtcdMember(etcd.endpoint, { endpoints: [etcd.endpoint] });
    await etcd.etcdctl('put', 'a', '1');
    await etcd.etcdctl('put', 'b', '2');
  });
  afterAll(async () => {
    member[Symbol.dispose]();
    await etcd[Symbol.asyncDispose]();
  });

  test('status, linearizable read, member list, alarms', async () => {
    const status = await member.status();
    expect(status).toMatchObject({ version, isLeader: true, isLearner: false, errors: [] });
    expect(status.revision).toBeGreaterThanOrEqual(3);
    expect(status.dbBytes).toBeGreaterThan(0);
    expect(status.dbInUseBytes).toBeGreaterThan(0);
    expect(status.leaderId).toBe(status.memberId);
    const header = await member.linearizableRead();
    expect(header.clusterId).toBe(status.clusterId);
    expect(header.revision).toBe(status.revision);
    expect(await member.memberList()).toEqual([
      { id: status.memberId, name: 'm1', peerUrls: etcd.peerUrls, clientUrls: [etcd.endpoint], isLearner: false },
    ]);
    expect(await member.alarmList()).toEqual([]);
  });

  test('HashKV as etcdctl has it, and defragment', async () => {
    const [official] = JSON.parse(await etcd.etcdctl('endpoint', 'hashkv', '-w', 'json')) as {
      HashKV: { hash: number; compact_revision: number };
    }[];
    const own = await member.hashKV();
    expect(own.hash).toBe(official!.HashKV.hash);
    expect(own.compactRevision).toBe(official!.HashKV.compact_revision);
    expect(own.revision).toBe((await member.status()).revision);
    await member.defragment();
    expect((await member.hashKV()).hash).toBe(own.hash);
  });

  test('a snapshot ends in the SHA-256 of what is before it', async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of member.snapshot()) chunks.push(Buffer.from(chunk));
    const bytes = Buffer.concat(chunks);
    expect(bytes.length % 512).toBe(32);
    expect(createHash('sha256').update(bytes.subarray(0, -32)).digest()).toEqual(bytes.subarray(-32));
  });

  test('leases: granted, listed, gone, with ids beyond 2^53', async () => {
    const granted = /lease ([0-9a-f]+) granted/.exec(await etcd.etcdctl('lease', 'grant', '100'))![1]!;
    const id = BigInt.asIntN(64, BigInt(`0x${granted}`));
    expect(await member.leases()).toContain(id);
    const facts = await member.leaseTimeToLive(id);
    expect(facts).toMatchObject({ id, grantedTtlSeconds: 100 });
    expect(facts.ttlSeconds).toBeGreaterThan(90);
    expect(facts.revision).toBeGreaterThan(0);
    await etcd.etcdctl('lease', 'revoke', granted);
    expect(await member.leaseTimeToLive(id)).toMatchObject({ ttlSeconds: -1, grantedTtlSeconds: 0 });
  });

  test('compaction: readAt tells it, and a second one is ETCD_COMPACTED', async () => {
    const { revision } = await member.linearizableRead();
    expect(await member.readAt(revision - 1)).toBe('ok');
    await member.compact(revision, { physical: true });
    expect(await member.readAt(revision - 1)).toBe('compacted');
    expect(await member.readAt(revision)).toBe('ok');
    await expect(member.compact(revision)).rejects.toThrow(code('ETCD_COMPACTED'));
    await expect(member.readAt(revision + 100)).rejects.toThrow(code('ETCD_FAILED'));
    const own = await member.hashKV();
    expect(own).toMatchObject({ revision, compactRevision: revision });
    expect(await member.hashKV(revision)).toMatchObject({ hash: own.hash, revision });
    // Once something newer is there, 3.4 has no answer left for it.
    await etcd.etcdctl('put', 'after-compaction', 'v');
    if (version.startsWith('3.4.')) await expect(member.hashKV(revision)).rejects.toThrow(code('ETCD_COMPACTED'));
    else expect((await member.hashKV(revision)).hash).toBe(own.hash);
  });

  test('authStatus is there from 3.5 on', async () => {
    const status = await member.authStatus();
    if (version.startsWith('3.4.')) expect(status).toBeUndefined();
    else expect(status).toMatchObject({ enabled: false });
  });

  test('an answer of another cluster is refused', async () => {
    using other = new EtcdMember(etcd.endpoint, { endpoints: [etcd.endpoint] });
    other.expectCluster(0x1234n);
    await expect(other.status()).rejects.toThrow(code('ETCD_WRONG_CLUSTER'));
    await expect(other.linearizableRead()).rejects.toThrow('to cluster 1234');
  });

  test('a signal ends a call and a snapshot', async () => {
    await expect(member.status({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(code('CANCELLED'));
    const controller = new AbortController();
    const snapshot = member.snapshot({ signal: controller.signal })[Symbol.asyncIterator]();
    controller.abort();
    await expect(drain(snapshot)).rejects.toThrow(code('CANCELLED'));
  });
});

test('nobody there, nobody answering, and a cut snapshot', { timeout: 60_000 }, async (context) => {
  if (etcdVersions().length === 0) context.skip('no etcd');
  const [port] = await freePorts(1);
  using nobody = new EtcdMember(`127.0.0.1:${port}`, { endpoints: [] });
  await expect(nobody.status()).rejects.toThrow(code('ETCD_UNREACHABLE'));
  await expect(nobody.status()).rejects.toThrow(`127.0.0.1:${port}`);

  await using etcd = await startEtcd();
  await using proxy = await faultProxy(etcd.endpoint);
  using member = new EtcdMember(proxy.url, { endpoints: [], requestTimeoutMs: 300 });
  await member.status();
  proxy.faults.blackHole = true;
  await expect(member.status()).rejects.toThrow(code('ETCD_TIMEOUT'));
  await expect(drain(member.snapshot({ silenceTimeoutMs: 100 })[Symbol.asyncIterator]())).rejects.toThrow(
    code('ETCD_TIMEOUT'),
  );
  using unconnected = new EtcdMember(proxy.url, { endpoints: [], requestTimeoutMs: 300 });
  await expect(unconnected.status()).rejects.toThrow(code('ETCD_UNREACHABLE'));
  proxy.faults.blackHole = false;
  await eventually(() => member.status({ timeoutMs: 1_000 }));

  await etcd.etcdctl('put', 'large', 'x'.repeat(120_000));
  const snapshot = member.snapshot()[Symbol.asyncIterator]();
  proxy.faults.bytesPerSecondMax = 100_000;
  await snapshot.next();
  proxy.cut();
  await expect(drain(snapshot)).rejects.toThrow(code('ETCD_UNREACHABLE'));
});

test(
  'a closed connection fails in the same way, and starves nobody who tries again at once',
  { timeout: 20_000 },
  async () => {
    const nobody = new EtcdMember('127.0.0.1:1', { endpoints: [] });
    nobody[Symbol.dispose]();
    await expect(nobody.status()).rejects.toThrow(code('ETCD_UNREACHABLE'));
    const turn = { over: false };
    setTimeout(() => {
      turn.over = true;
    }, 20);
    const sink = new WatchRows();
    while (!turn.over) expect(await nobody.watch({ startRevision: 1, sink }).closed).toMatchObject({ kind: 'error' });
  },
);
