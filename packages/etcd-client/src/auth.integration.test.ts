import { writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { etcdVersions, eventually, startEtcd, tempDir, WatchRows, type TestEtcd } from '@etcd-ops/test-kit';
import { EtcdCluster, EtcdMember, openEtcd3 } from './index.ts';

const code = (name: string) => expect.objectContaining({ code: name });

async function enableAuth(etcd: TestEtcd): Promise<void> {
  await etcd.etcdctl('user', 'add', 'root:geheim');
  await etcd.etcdctl('user', 'grant-role', 'root', 'root');
  await etcd.etcdctl('role', 'add', 'reader');
  await etcd.etcdctl('role', 'grant-permission', 'reader', 'read', '', '--from-key=true');
  await etcd.etcdctl('user', 'add', 'reader:nur-lesen');
  await etcd.etcdctl('user', 'grant-role', 'reader', 'reader');
  await etcd.etcdctl('auth', 'enable');
}

describe.each(etcdVersions())('auth of etcd %s', (version) => {
  test('logs in, again when the token ran out, and reads the password again', { timeout: 60_000 }, async () => {
    await using etcd = await startEtcd({ version });
    await using dir = tempDir();
    const passwordFile = dir.file('password');
    await writeFile(passwordFile, 'geheim\n');
    const access = { endpoints: etcd.endpoints, auth: { username: 'root', passwordFile } };
    // Auth is off yet: the credentials do no harm.
    using early = new EtcdMember(etcd.endpoint, access);
    await early.linearizableRead();
    await enableAuth(etcd);
    await early.hashKV();

    await using cluster = await EtcdCluster.connect(access);
    const member = await cluster.pickForSnapshot();
    for (const call of ['unary', 'snapshot', 'watch'] as const) {
      await forgetTokens(etcd, member);
      if (call === 'unary') expect((await member.hashKV()).hash).toBeGreaterThan(0);
      if (call === 'snapshot') for await (const part of member.snapshot()) expect(part.length).toBeGreaterThan(0);
      if (call === 'watch') {
        const rows = new WatchRows();
        const watch = member.watch({ startRevision: 1, sink: rows });
        await eventually(() => rows.createdAt.length === 1);
        watch.cancel();
        expect(await watch.closed).toEqual({ kind: 'aborted' });
      }
    }

    const client = await openEtcd3(access);
    await client.user('root').setPassword('neu');
    client.close();
    await writeFile(passwordFile, 'neu');
    await forgetTokens(etcd, member);
    expect((await member.linearizableRead()).revision).toBeGreaterThan(0);
    if (!version.startsWith('3.4.')) expect((await member.authStatus())!.authRevision).toBeGreaterThan(1);
  });

  test('wrong credentials, none, and rights that do not suffice', { timeout: 60_000 }, async () => {
    await using etcd = await startEtcd({ version });
    await enableAuth(etcd);
    const { endpoint, endpoints } = etcd;
    using wrong = new EtcdMember(endpoint, { endpoints, auth: { username: 'root', password: 'falsch' } });
    await expect(wrong.linearizableRead()).rejects.toThrow(code('ETCD_AUTH'));
    using nobody = new EtcdMember(endpoint, { endpoints });
    await expect(nobody.linearizableRead()).rejects.toThrow(code('ETCD_AUTH'));
    await expect(nobody.hashKV()).rejects.toThrow(code('ETCD_AUTH'));
    expect(await nobody.watch({ startRevision: 1, sink: new WatchRows() }).closed).toMatchObject({
      kind: 'error',
      error: { code: 'ETCD_AUTH' },
    });
    using reader = new EtcdMember(endpoint, { endpoints, auth: { username: 'reader', password: 'nur-lesen' } });
    await reader.linearizableRead();
    const rows = new WatchRows();
    const watch = reader.watch({ startRevision: 1, sink: rows });
    await eventually(() => rows.createdAt.length === 1);
    watch.cancel();
    await expect(reader.snapshot()[Symbol.asyncIterator]().next()).rejects.toThrow(code('ETCD_AUTH'));
    using unreadable = new EtcdMember(endpoint, {
      endpoints,
      auth: { username: 'root', passwordFile: '/nowhere/at/all' },
    });
    await expect(unreadable.linearizableRead()).rejects.toThrow('/nowhere/at/all');
  });
});

/** Simple tokens live in etcd's memory: a restart forgets them. Status needs none, so it shows that the connection is back. */
async function forgetTokens(etcd: TestEtcd, member: EtcdMember): Promise<void> {
  await etcd.restart();
  await eventually(() => member.status());
}
