import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  etcdVersions,
  missingBinary,
  startEtcd,
  tempDir,
  WatchRows,
  eventually,
  type TempDir,
} from '@etcd-ops/test-kit';
import { EtcdCluster, EtcdMember, openEtcd3, type EtcdTlsAccess } from './index.ts';

const code = (name: string) => expect.objectContaining({ code: name });

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}

/** A CA and a certificate signed by it, for server and client alike. */
function makeCertificates(dir: TempDir, name: string, subjectAltName: string) {
  const files = {
    caFile: dir.file(`${name}-ca.pem`),
    certFile: dir.file(`${name}.pem`),
    keyFile: dir.file(`${name}.key`),
  };
  const caKey = dir.file(`${name}-ca.key`);
  const request = dir.file(`${name}.csr`);
  const extensions = dir.file(`${name}.ext`);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...newKey, '-keyout', caKey, '-out', files.caFile, '-days', '2', '-subj', `/CN=${name}-ca`);
  openssl('req', ...newKey, '-keyout', files.keyFile, '-out', request, '-subj', `/CN=${name}`);
  writeFileSync(extensions, `subjectAltName=${subjectAltName}\nextendedKeyUsage=serverAuth,clientAuth\n`);
  openssl(
    'x509',
    '-req',
    '-in',
    request,
    '-CA',
    files.caFile,
    '-CAkey',
    caKey,
    '-CAcreateserial',
    '-out',
    files.certFile,
    '-days',
    '2',
    '-extfile',
    extensions,
  );
  return files;
}

test('TLS: verified by default, client certificates, and what a failure says', { timeout: 60_000 }, async (context) => {
  if (etcdVersions().length === 0) context.skip(missingBinary('etcd'));
  if (!hasOpenssl()) context.skip('no openssl on PATH');
  await using dir = tempDir();
  const good = makeCertificates(dir, 'good', 'IP:127.0.0.1,DNS:localhost');
  const stranger = makeCertificates(dir, 'stranger', 'IP:127.0.0.1');
  await using etcd = await startEtcd({ tls: { ...good, clientCertAuth: true } });
  const access = (tls: EtcdTlsAccess) => ({ endpoints: etcd.endpoints, tls });

  await using cluster = await EtcdCluster.connect(access(good));
  const client = await openEtcd3(access(good));
  await client.put('a').value('1');
  client.close();
  const rows = new WatchRows();
  const watch = cluster.members()[0]!.watch({ startRevision: 1, sink: rows });
  await eventually(() => rows.rows.size === 1);
  watch.cancel();

  // By name and without a scheme: TLS files mean https.
  await using byName = await EtcdCluster.connect({
    endpoints: [etcd.endpoint.replace('https://127.0.0.1', 'localhost')],
    tls: good,
  });
  expect(byName.clusterId).toBe(cluster.clusterId);

  const { caFile, ...withoutCa } = good;
  await expect(EtcdCluster.connect(access(withoutCa))).rejects.toThrow(code('ETCD_TLS'));
  await expect(EtcdCluster.connect(access({ ...good, caFile: stranger.caFile }))).rejects.toThrow(code('ETCD_TLS'));
  await using unverified = await EtcdCluster.connect(access({ ...withoutCa, insecureSkipVerify: true }));
  expect(unverified.clusterId).toBe(cluster.clusterId);
  // The server refuses: TLS 1.3 tells a client without a certificate after the handshake.
  await expect(EtcdCluster.connect(access({ caFile }))).rejects.toThrow(
    expect.objectContaining({ name: 'EtcdOpsError' }),
  );
  await expect(EtcdCluster.connect({ endpoints: [etcd.endpoint.replace('https', 'http')] })).rejects.toThrow(
    expect.objectContaining({ name: 'EtcdOpsError' }),
  );
  expect(() => new EtcdMember(etcd.endpoint, access({ caFile: dir.file('none') }))).toThrow(code('ETCD_TLS'));
  expect(() => new EtcdMember(etcd.endpoint, access({ caFile, certFile: good.certFile }))).toThrow(
    code('CONFIG_INVALID'),
  );
});

test('TLS: a certificate for another name is refused', { timeout: 60_000 }, async (context) => {
  if (etcdVersions().length === 0) context.skip(missingBinary('etcd'));
  if (!hasOpenssl()) context.skip('no openssl on PATH');
  await using dir = tempDir();
  const elsewhere = makeCertificates(dir, 'elsewhere', 'DNS:elsewhere.example');
  await using etcd = await startEtcd({ tls: elsewhere });
  await expect(EtcdCluster.connect({ endpoints: etcd.endpoints, tls: { caFile: elsewhere.caFile } })).rejects.toThrow(
    code('ETCD_TLS'),
  );
});
