import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, missingServers, startEtcd, tempDir, type TempDir, type TestEtcd } from '@etcd-ops/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectFailure, runCli, type CliOptions, type CliResult } from './failures/run-cli.ts';

const reason = missingServers();

test('the servers for these tests are there', (context) => {
  if (reason !== undefined) context.skip(reason);
});

const MEMBERS = {
  vm: 'infra0=https://10.0.11.36:2380,infra1=https://10.0.12.21:2380,infra2=https://10.0.13.126:2380',
  plain:
    'ETCD-CLUSTER-001=http://10.201.46.112:2380,ETCD-CLUSTER-002=http://10.201.46.113:2380,ETCD-CLUSTER-003=http://10.201.46.114:2380',
  short: 'etcd1=https://3.1.20.110:2380,etcd2=https://3.1.20.111:2380,etcd3=https://3.1.20.112:2380',
  long: 'etcd01=https://10.0.0.31:2380,etcd02=https://10.0.0.32:2380,etcd03=https://10.0.0.33:2380',
};

/** What the README of the seed and the runbooks tell operators to type, word by word; only absolute paths are made relative. */
describe.skipIf(reason !== undefined)('typed as the README and the runbooks of the seed have it', () => {
  let scratch: TempDir;
  let etcd: TestEtcd;

  beforeAll(async () => {
    scratch = tempDir();
    etcd = await startEtcd();
    await etcd.etcdctl('put', 'name', 'jormun');
    for (const file of ['snapshot.db', 'snap.db', 'mysnapshot.db']) {
      await etcd.etcdctl('snapshot', 'save', scratch.file(file));
    }
  });
  afterAll(async () => {
    await etcd?.[Symbol.asyncDispose]();
    await scratch?.remove();
  });

  /** Where the seed means an etcd of its own place, the environment names ours: what is typed stays as it stands. */
  function type(line: string, options: CliOptions = {}): Promise<CliResult> {
    const env = { ETCD_OPS_ENDPOINTS: etcd.endpoint, ...options.env };
    return runCli(line.trim().split(/\s+/).slice(1), { cwd: scratch.path, ...options, env });
  }

  async function works(line: string): Promise<CliResult> {
    const result = await type(line);
    expect(result.exitCode, `${line}\n${result.stderr}`).toBe(0);
    return result;
  }

  const holds = (dataDir: string): string[] => readdirSync(scratch.file(dataDir, 'member')).toSorted();

  test('etcd-ops snapshot, and restore, and compact, with no flag at all', async () => {
    let pid = 0;
    const running = type('etcd-ops snapshot', { onStarted: (started) => (pid = started) });
    const fulls = (): string[] => {
      const folder = scratch.file('default.bak', 'etcd=2Ebak', 't00000001', 'full');
      const plain = scratch.file('default.bak', 'etcd.bak', 't00000001', 'full');
      const there = [folder, plain].find((path) => existsSync(path));
      return there === undefined ? [] : readdirSync(there).filter((name) => name.endsWith('.json'));
    };
    await eventually(() => fulls().length > 0, { timeoutMs: 60_000 });
    process.kill(pid, 'SIGTERM');
    const ended = await running;
    expect(ended.exitCode, ended.stderr).toBe(0);
    await works('etcd-ops restore');
    expect(holds('default.etcd')).toEqual(['snap', 'wal']);
    expect(readdirSync(scratch.file('default.etcd', 'member', 'snap')).toSorted()).toEqual([
      '0000000000000001-0000000000000001.snap',
      'db',
    ]);
    expect(readdirSync(scratch.file('default.etcd', 'member', 'wal'))).toContain(
      '0000000000000000-0000000000000000.wal',
    );
    const compact = await type('etcd-ops compact');
    expect([0, 3], compact.stderr).toContain(compact.exitCode);
  });

  test('a boolean that is followed by its value, and certificates that are not there', async () => {
    const line =
      'etcd-ops snapshot --ca-cert ca.crt --key server.key --cert server.crt --endpoints 192.168.10.51:2379 --insecure-skip-tls-verify false --garbage-collection-policy LimitBased';
    const result = await type(line, { env: { ETCD_OPS_LOG_LEVEL: 'error' } });
    expectFailure(result, { code: 'ETCD_TLS', exitCode: 8, says: /ca\.crt|server\.crt/ });
  });

  test('--prefix for the name of the cluster', async () => {
    const into = 'etcd-ops snapshot --once --bucket data-bak --prefix prod-etcd --enable-compression true';
    await works(into);
    await works('etcd-ops restore --bucket data-bak --prefix prod-etcd --data-dir restore-data');
    expect(holds('restore-data')).toEqual(['snap', 'wal']);
  });

  test.each([
    `etcd-ops snapshot restore snap.db --name infra0 --initial-cluster ${MEMBERS.vm} --initial-cluster-token ea8cfe2bfe85b7e6c66fe190f9225838 --initial-advertise-peer-urls https://10.0.11.36:2380 --cacert=/etc/kubernetes/pki/etcd/ca.pem --cert=/etc/kubernetes/pki/etcd/members.pem --key=/etc/kubernetes/pki/etcd/members-key.pem`,
    `etcd-ops snapshot restore snap.db --name infra1 --initial-cluster ${MEMBERS.vm} --initial-cluster-token ea8cfe2bfe85b7e6c66fe190f9225838 --initial-advertise-peer-urls https://10.0.12.21:2380`,
    `etcd-ops snapshot restore snapshot.db --name ETCD-CLUSTER-001 --initial-cluster ${MEMBERS.plain} --initial-advertise-peer-urls http://10.201.46.112:2380`,
    `etcd-ops --data-dir=var-lib-etcd --name etcd2 --initial-cluster ${MEMBERS.short} --initial-cluster-token k8s_etcd --initial-advertise-peer-urls https://3.1.20.111:2380 snapshot restore snapshot.db`,
    `etcd-ops snapshot restore snapshot.db --name=etcd01 --data-dir=alone --initial-advertise-peer-urls=https://10.0.0.31:2380 --initial-cluster etcd01=https://10.0.0.31:2380 --initial-cluster-token=etcd-cluster --cacert=/etc/kubernetes/ssl/peer-ca.pem --cert=/etc/etcd/ssl/etcd.pem --key=/etc/etcd/ssl/etcd-key.pem`,
    `etcd-ops snapshot restore mysnapshot.db --name=etcd03 --data-dir=third --initial-advertise-peer-urls=https://10.0.0.33:2380 --initial-cluster ${MEMBERS.long} --initial-cluster-token=etcd-cluster`,
  ])('%s', async (line) => {
    await works(line);
    const dataDir = /--data-dir=(\S+)/.exec(line)?.[1] ?? `${/--name[ =](\S+)/.exec(line)![1]}.etcd`;
    expect(holds(dataDir)).toEqual(['snap', 'wal']);
  });

  test('a copied db needs --skip-hash-check, as the runbooks note', async () => {
    mkdirSync(scratch.file('copied'), { recursive: true });
    copyFileSync(join(scratch.file('alone'), 'member', 'snap', 'db'), scratch.file('copied', 'db'));
    const refused = await type('etcd-ops snapshot restore copied/db --data-dir from-copy');
    expect(refused.exitCode).toBe(4);
    expect(refused.stderr).toContain('--skip-hash-check');
    await works('etcd-ops snapshot restore copied/db --data-dir from-copy --skip-hash-check');
    expect(holds('from-copy')).toEqual(['snap', 'wal']);
  });

  test.each([
    { line: 'etcd-ops --endpoints https://10.0.13.126:2379 snapshot save /tmp/snapshot.db', remedy: /snapshot --once/ },
    { line: 'etcd-ops endpoint status', remedy: /etcdctl endpoint/ },
    { line: 'etcd-ops member remove e9a434659e36d3bc', remedy: /etcdctl member/ },
    { line: 'etcd-ops alarm disarm', remedy: /etcdctl alarm/ },
    { line: 'etcd-ops defrag', remedy: /etcdctl defrag/ },
    { line: 'etcd-ops make-mirror 1.1.1.1:2389', remedy: /etcdctl make-mirror/ },
  ])('$line is not what etcd-ops does, and it is said what does it', async ({ line, remedy }) => {
    expectFailure(await type(line), { code: 'USAGE', exitCode: 2, remedy });
  });

  test('every flag of the tables of the README is known', async () => {
    const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'COMMANDS.md'), 'utf8');
    const flags =
      'bucket ca-cert cert cluster-name compression-policy defrag-schedule delta-snapshot-period delta-snapshot-memory-limit enable-compression endpoints etcd-connection-timeout etcd-defrag-timeout etcd-password etcd-snapshot-timeout etcd-username garbage-collection-period garbage-collection-policy insecure-skip-tls-verify insecure-transport key max-backups max-parallel-chunk-uploads min-chunk-size schedule service-endpoints storage-provider auto-compaction-mode auto-compaction-retention data-dir embedded-etcd-quota-bytes initial-advertise-peer-urls initial-cluster initial-cluster-token max-call-send-message-size max-fetchers max-request-bytes max-txn-ops name restore-temp-snapshots-dir skip-hash-check';
    expect(flags.split(' ').filter((flag) => !page.includes(`--${flag}`))).toEqual([]);
  });
});
