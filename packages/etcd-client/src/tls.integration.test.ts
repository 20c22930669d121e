import { copyFile, rm, writeFile } from 'node:fs/promises';
import { describe, expect, test, type TestContext } from 'vitest';
import {
  createAuthority,
  etcdVersions,
  eventually,
  missingBinary,
  missingOpenssl,
  startEtcd,
  tempDir,
  WatchRows,
} from '@etcd-ops/test-kit';
import { EtcdCluster, EtcdMember, openEtcd3, type EtcdTlsAccess } from './index.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const says = (name: string, text: string) =>
  expect.objectContaining({ code: name, message: expect.stringContaining(text) });

function skipWithout(context: TestContext): void {
  if (etcdVersions().length === 0) context.skip(missingBinary('etcd'));
  const reason = missingOpenssl();
  if (reason !== undefined) context.skip(reason);
}

describe.each(etcdVersions())('TLS of etcd %s', (version) => {
  test('is verified by default, and a failure says what is wrong', { timeout: 60_000 }, async (context) => {
    skipWithout(context);
    await using dir = tempDir();
    const authority = createAuthority(dir.path, 'good');
    const good = authority.issue('member');
    const stranger = createAuthority(dir.path, 'stranger').issue('member');
    const old = authority.issue('old', { expired: true });
    await using etcd = await startEtcd({ version, tls: { ...good, clientCertAuth: true } });
    const connect = (tls: EtcdTlsAccess) => EtcdCluster.connect({ endpoints: etcd.endpoints, tls });

    await using cluster = await connect(good);
    const client = await openEtcd3({ endpoints: etcd.endpoints, tls: good });
    await client.put('a').value('1');
    client.close();
    const rows = new WatchRows();
    const watch = cluster.members()[0]!.watch({ startRevision: 1, sink: rows });
    await eventually(() => rows.rows.size === 1);
    watch.cancel();

    // By name and without a scheme: TLS files mean https.
    const [byName, plain] = [
      etcd.endpoint.replace('https://127.0.0.1', 'localhost'),
      etcd.endpoint.replace('https', 'http'),
    ];
    await using named = await EtcdCluster.connect({ endpoints: [byName], tls: good });
    expect(named.clusterId).toBe(cluster.clusterId);
    const { caFile, certFile, keyFile } = good;
    await using unverified = await connect({ certFile, keyFile, insecureSkipVerify: true });
    expect(unverified.clusterId).toBe(cluster.clusterId);

    await expect(connect({ certFile, keyFile })).rejects.toThrow(says('ETCD_TLS', 'give the CA file'));
    await expect(connect({ ...good, caFile: stranger.caFile })).rejects.toThrow(
      says('ETCD_TLS', `is not signed by a CA in ${stranger.caFile}`),
    );
    await expect(connect({ caFile })).rejects.toThrow(says('ETCD_TLS', 'the server asks for a client certificate'));
    await expect(connect({ ...stranger, caFile })).rejects.toThrow(says('ETCD_TLS', stranger.certFile));
    await expect(connect({ ...old, caFile })).rejects.toThrow(says('ETCD_TLS', old.certFile));
    await expect(EtcdCluster.connect({ endpoints: [plain] })).rejects.toThrow(says('ETCD_TLS', 'use https://'));

    await expect(connect({ caFile: dir.file('none') })).rejects.toThrow(
      says('ETCD_TLS', `${dir.file('none')} cannot be read`),
    );
    await expect(connect({ caFile: keyFile, certFile, keyFile: stranger.keyFile })).rejects.toThrow(
      says('ETCD_TLS', `The TLS key ${stranger.keyFile} does not belong to the certificate ${certFile}`),
    );
    await writeFile(dir.file('noise'), 'noise');
    await expect(connect({ caFile: dir.file('noise') })).rejects.toThrow(
      says('ETCD_TLS', 'holds nothing in PEM format'),
    );
    expect(() => new EtcdMember(etcd.endpoint, { endpoints: [], tls: { caFile, certFile } })).toThrow(
      code('CONFIG_INVALID'),
    );
  });

  test('the server: another name, expired, without TLS', { timeout: 60_000 }, async (context) => {
    skipWithout(context);
    await using dir = tempDir();
    const authority = createAuthority(dir.path, 'ca');
    const tls = { caFile: authority.caFile };
    const elsewhere = authority.issue('elsewhere', { subjectAltName: 'DNS:elsewhere.example' });
    const expired = authority.issue('expired', { expired: true });
    const own = authority.issue('server');
    await using etcd = await startEtcd({ version, tls: own });
    for (const [files, text] of [
      [elsewhere, 'the server certificate is for another name'],
      [expired, 'the server certificate has expired'],
    ] as const) {
      // etcd reads its files anew at each handshake.
      await copyFile(files.certFile, own.certFile);
      await copyFile(files.keyFile, own.keyFile);
      await expect(EtcdCluster.connect({ endpoints: etcd.endpoints, tls })).rejects.toThrow(says('ETCD_TLS', text));
    }
    await using plain = await startEtcd({ version });
    const endpoints = [plain.endpoint.replace('http', 'https')];
    await expect(EtcdCluster.connect({ endpoints, tls })).rejects.toThrow(
      says('ETCD_UNREACHABLE', 'does not speak TLS'),
    );
  });

  test('new files are taken while calls go on, bad ones are reported', { timeout: 90_000 }, async (context) => {
    skipWithout(context);
    await using dir = tempDir();
    const [first, second] = [createAuthority(dir.path, 'first'), createAuthority(dir.path, 'second')];
    const server = first.issue('server');
    const live = { caFile: dir.file('ca.pem'), certFile: dir.file('cert.pem'), keyFile: dir.file('key.pem') };
    const install = async (files: typeof live) => {
      for (const name of ['caFile', 'certFile', 'keyFile'] as const) await copyFile(files[name], live[name]);
    };
    await install(first.issue('client'));
    // etcd reads its certificate anew at each handshake, but its CA only when it starts.
    const own = { caFile: dir.file('own-ca.pem'), certFile: dir.file('own.pem'), keyFile: dir.file('own.key') };
    const serve = async (files: typeof live) => {
      for (const name of ['caFile', 'certFile', 'keyFile'] as const) await copyFile(files[name], own[name]);
    };
    await serve(server);
    await using etcd = await startEtcd({ version, tls: { ...own, clientCertAuth: true } });
    const warnings: string[] = [];
    const access = {
      endpoints: etcd.endpoints,
      tls: live,
      onWarning: (error: Error) => void warnings.push(error.message),
    };
    await using cluster = await EtcdCluster.connect(access);
    const member = cluster.members()[0]!;
    const rows = new WatchRows();
    const watch = member.watch({ startRevision: 1, sink: rows });
    await eventually(() => rows.createdAt.length === 1);
    const warned = (text: string) =>
      eventually(
        async () => {
          await member.linearizableRead();
          return warnings.some((warning) => warning.includes(text));
        },
        { timeoutMs: 15_000, intervalMs: 100 },
      );

    // A key that does not fit, a file that is gone, and files that the server does not take: the old connection stays.
    await copyFile(server.keyFile, live.keyFile);
    await warned('does not belong to the certificate');
    await rm(live.caFile);
    await warned(`${live.caFile} cannot be read`);
    await install(second.issue('client'));
    await warned('The new TLS files are not used');
    expect(warnings.filter((warning) => warning.includes('does not belong'))).toHaveLength(1);

    // The whole house moves to the other CA: the server only now.
    await serve(second.issue('server'));
    await etcd.restart();
    expect(await watch.closed).toMatchObject({ kind: 'error' });
    await eventually(() => member.linearizableRead(), { timeoutMs: 20_000, intervalMs: 100 });
    const next = new WatchRows();
    const again = member.watch({ startRevision: 1, sink: next });
    await eventually(() => next.createdAt.length === 1);

    // A renewed certificate of the same CA: the open watch stays on the old connection, and nothing is said.
    const said = warnings.length;
    await install(second.issue('renewed'));
    for (let calls = 0; calls < 30; calls++) {
      await member.linearizableRead();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const client = await openEtcd3({ endpoints: etcd.endpoints, tls: live });
    await client.put('a').value('1');
    client.close();
    await eventually(() => next.rows.size === 1);
    again.cancel();
    expect(warnings).toHaveLength(said);
  });
});
