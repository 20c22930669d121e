import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import {
  etcdVersions,
  freePorts,
  missingBinary,
  S3Server,
  startEtcd,
  tempDir,
  type TempDir,
  type TestEtcd,
} from '@etcd-ops/test-kit';
import { undescribedPaths } from '@etcd-ops/cli';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHINESE, expectChineseFailure, expectFailure, runCli, type CliResult } from './failures/run-cli.ts';
import { recordSnapshots, storeChain } from './restore/recorded-repository.ts';

const reason = etcdVersions().length === 0 ? missingBinary('etcd') : undefined;
const account = { accessKeyId: 'AKIDOFTHETESTS', secretAccessKey: 'the/secret+of/this-test=of-check' };

interface Checked {
  counts: Record<string, number>;
  findings: { level: string; id: string; why: string; code?: string }[];
}

test('the servers for these tests are there', (context) => {
  if (reason !== undefined) context.skip(reason);
});

describe.skipIf(reason !== undefined)('etcd-ops check', () => {
  let scratch: TempDir;
  let etcd: TestEtcd;
  let s3: S3Server;
  let onS3: string[];

  beforeAll(async () => {
    scratch = tempDir();
    etcd = await startEtcd();
    await etcd.etcdctl('put', 'a', 'b');
    s3 = await S3Server.start({ accounts: [account], buckets: ['backups'] });
    mkdirSync(scratch.file('keys'));
    writeFileSync(scratch.file('keys', 'accessKeyID'), account.accessKeyId);
    writeFileSync(scratch.file('keys', 'secretAccessKey'), account.secretAccessKey);
    onS3 = ['--storage-provider', 'S3', '--bucket', 'backups', '--store-endpoint', s3.endpoint];
    onS3.push('--store-credentials-dir', scratch.file('keys'), '--cluster-name', 'prod');
    await storeChain(scratch.file('bak'), await recordSnapshots(scratch.file('snapshots')));
  });
  afterAll(async () => {
    await etcd?.[Symbol.asyncDispose]();
    await s3?.close();
    await scratch?.remove();
  });

  const check = async (...args: string[]): Promise<CliResult> =>
    await runCli(['check', ...args], { cwd: scratch.path });
  const told = ({ stdout }: CliResult): Checked => JSON.parse(stdout) as Checked;
  const finding = (result: CliResult, id: string) => told(result).findings.find((one) => one.id === id);

  test('backups of another cluster: all else is well, nothing is left behind, and the exit code says it', async () => {
    const where = [
      '--bucket',
      scratch.file('bak'),
      '--cluster-name',
      'prod',
      '--endpoints',
      etcd.endpoint,
      '-o',
      'json',
    ];
    const result = await check(...where);
    expect(undescribedPaths('check', told(result))).toEqual([]);
    expect(told(result).findings.filter(({ level }) => level === 'fail')).toMatchObject([
      { id: 'backup.origin', code: 'ETCD_WRONG_CLUSTER' },
    ]);
    expect(result.exitCode).toBe(8);
    for (const id of ['etcd.quorum', 'etcd.rights', 'etcd.clock', 'store.write', 'store.conditional', 'store.delete']) {
      expect(finding(result, id), id).toMatchObject({ level: 'ok' });
    }
    expect(readdirSync(scratch.file('bak', 'prod')).filter((name) => name.startsWith('check-'))).toEqual([]);
  });

  test('ages, without etcd', async () => {
    const where = ['--bucket', scratch.file('bak'), '--cluster-name', 'prod', '--no-etcd', '--no-probe'];
    const fine = await check(...where, '--max-age', '100000d');
    expect(fine.exitCode, fine.stderr).toBe(0);
    expect(fine.stdout).toMatch(/SKIP +etcd +not asked/);
    expect(fine.stdout).toMatch(/WARN +proof +no chain was ever proven/);
    const old = await check(...where, '--max-age', '1ms');
    expectFailure(old, { code: 'BACKUP_STALE', exitCode: 6, says: /newest full/ });
    expectChineseFailure(await runCli(['check', ...where, '--max-age', '1ms'], { env: CHINESE }), {
      code: 'BACKUP_STALE',
      exitCode: 6,
    });
    expectFailure(await check(...where, '--strict'), { code: 'BACKUP_STALE', exitCode: 6, says: /proof/ });
  });

  test('etcd that is away, and no backup', async () => {
    const [port] = await freePorts(1);
    const args = ['--endpoints', `127.0.0.1:${port}`, '--bucket', scratch.file('none'), '--cluster-name', 'prod'];
    const result = await check(...args, '--etcd-connection-timeout', '2s');
    expectFailure(result, { code: 'ETCD_UNREACHABLE', exitCode: 8 });
    expect(result.stdout).toMatch(/FAIL +newest full +there is none of prod/);
  });

  test('S3: a rule that eats chains, a right that is missing, and nothing of the credentials is told', async () => {
    const bucket = s3.bucket('backups');
    bucket.lifecycle = [{ id: 'tidy', prefix: '', expireAfterDays: 7 }];
    const ruled = await check(...onS3, '--no-etcd', '-o', 'json');
    expect(finding(ruled, 'store.lifecycle')).toMatchObject({ level: 'fail', code: 'STORE_UNSAFE' });
    expect(ruled.exitCode).toBe(9);
    expect(finding(ruled, 'store.write')).toMatchObject({ level: 'ok' });
    expect(finding(ruled, 'store.clock')).toMatchObject({ level: 'ok' });
    expect(bucket.keys()).toEqual([]);
    bucket.lifecycle = [];
    s3.faults.add({ operation: 'PutObject', times: 20, effect: { kind: 'refuse', status: 403, code: 'AccessDenied' } });
    const denied = await check(...onS3, '--no-etcd', '-o', 'json');
    s3.faults.clear();
    expect(finding(denied, 'store.write')).toMatchObject({ level: 'fail', code: 'STORE_DENIED' });
    expect(denied.exitCode).toBe(9);
    for (const { stdout, stderr } of [ruled, denied]) {
      expect(stdout + stderr).not.toContain(account.secretAccessKey);
    }
  });
});
