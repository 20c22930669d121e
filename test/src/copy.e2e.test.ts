import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { etcdVersions, missingBinary, S3Server, tempDir, type TempDir } from '@etcd-ops/test-kit';
import { undescribedPaths } from '@etcd-ops/cli';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectChineseFailure, expectFailure, CHINESE, runCli, type CliResult } from './failures/run-cli.ts';
import { recordSnapshots, storeChain } from './restore/recorded-repository.ts';

const reason = etcdVersions().length === 0 ? missingBinary('etcd') : undefined;
const account = { accessKeyId: 'AKIDOFTHETESTS', secretAccessKey: 'the/secret+of/this-test=of-copy' };

test('the servers for these tests are there', (context) => {
  if (reason !== undefined) context.skip(reason);
});

describe.skipIf(reason !== undefined)('etcd-ops copy', () => {
  let scratch: TempDir;
  let s3: S3Server;
  let source: string[];
  let toS3: string[];
  let deltaKeys: string[];

  beforeAll(async () => {
    scratch = tempDir();
    s3 = await S3Server.start({ accounts: [account], buckets: ['off-site'] });
    mkdirSync(scratch.file('keys'));
    writeFileSync(scratch.file('keys', 'accessKeyID'), account.accessKeyId);
    writeFileSync(scratch.file('keys', 'secretAccessKey'), account.secretAccessKey);
    const chain = await storeChain(scratch.file('bak'), await recordSnapshots(scratch.file('snapshots')), {
      revisionsEach: 200,
    });
    deltaKeys = chain.deltaKeys;
    source = ['--bucket', scratch.file('bak'), '--cluster-name', 'prod'];
    const where = [
      'storage-provider',
      'S3',
      'store-endpoint',
      s3.endpoint,
      'store-credentials-dir',
      scratch.file('keys'),
    ];
    toS3 = ['--to-bucket', 'off-site', ...where.map((word, index) => (index % 2 === 0 ? `--to-${word}` : word))];
  });
  afterAll(async () => {
    await s3?.close();
    await scratch?.remove();
  });

  const copy = async (...args: string[]): Promise<CliResult> =>
    await runCli(['copy', ...source, ...args], { cwd: scratch.path });

  async function restored(directory: string, from: readonly string[]): Promise<string> {
    const args = ['restore', ...from, '--data-dir', directory];
    const { exitCode, stderr } = await runCli(args, { cwd: scratch.path });
    expect(exitCode, stderr).toBe(0);
    return createHash('sha256')
      .update(readFileSync(scratch.file(directory, 'member', 'snap', 'db')))
      .digest('hex');
  }

  test('into S3 and out of it into another folder: what is restored from there is byte for byte the same', async () => {
    const planned = await copy(...toS3, '--dry-run', '-o', 'json');
    expect(planned.exitCode, planned.stderr).toBe(0);
    const plan = JSON.parse(planned.stdout) as { planned: { objects: number }; copied: { objects: number } };
    expect(plan.copied.objects).toBe(0);
    expect(plan.planned.objects).toBe(2 + deltaKeys.length);
    expect(s3.bucket('off-site').keys()).toEqual([]);

    const first = await copy(...toS3, '-o', 'json', '--progress', 'json');
    expect(first.exitCode, first.stderr).toBe(0);
    const report = JSON.parse(first.stdout) as { copied: { objects: number; bytes: number } };
    expect(report.copied.objects).toBe(plan.planned.objects);
    expect(undescribedPaths('copy', report)).toEqual([]);
    expect(first.stderr + first.stdout).not.toContain(account.secretAccessKey);

    const again = await copy(...toS3);
    expect(again.exitCode, again.stderr).toBe(0);
    expect(again.stdout).toMatch(/copied: 0 objects/);

    const fromS3 = toS3.map((word) => word.replace(/^--to-/, '--'));
    const back = await runCli(['copy', ...fromS3, '--cluster-name', 'prod', '--to-bucket', scratch.file('back')]);
    expect(back.exitCode, back.stderr).toBe(0);
    const original = await restored('from-source', source);
    expect(await restored('from-s3', [...fromS3, '--cluster-name', 'prod'])).toBe(original);
    expect(await restored('from-back', ['--bucket', scratch.file('back'), '--cluster-name', 'prod'])).toBe(original);
  });

  test('a damaged delta stays behind, the rest is there, and the exit code says so', async () => {
    const bad = scratch.file('bak', deltaKeys.at(-1)!);
    const bytes = readFileSync(bad);
    const changed = Buffer.from(bytes);
    changed[200]! ^= 1;
    writeFileSync(bad, changed);
    try {
      const result = await copy('--to-bucket', scratch.file('without'));
      expectFailure(result, { code: 'OBJECT_DAMAGED', exitCode: 4, says: /1 object of prod/ });
      expect(result.stdout).toContain(`copied: ${2 + deltaKeys.length - 1} objects`);
    } finally {
      writeFileSync(bad, bytes);
    }
  });

  test('another object under the same name is not overwritten', async () => {
    const strange = scratch.file('strange', deltaKeys[0]!);
    mkdirSync(strange.slice(0, strange.lastIndexOf('/')), { recursive: true });
    writeFileSync(strange, 'of somebody else');
    const args = ['--to-bucket', scratch.file('strange')];
    expectFailure(await copy(...args), { code: 'STORE_EXISTS', exitCode: 9, says: /another object/ });
    const told = await runCli(['copy', ...source, ...args], { env: CHINESE });
    expectChineseFailure(told, { code: 'STORE_EXISTS', exitCode: 9 });
    expect(readFileSync(strange, 'utf8')).toBe('of somebody else');
  });

  test('what cannot be meant is refused', async () => {
    expectFailure(await copy(), { code: 'USAGE', exitCode: 2, remedy: /--to-bucket/ });
    expectFailure(await copy('--to-bucket', scratch.file('bak')), { code: 'USAGE', exitCode: 2, says: /same place/ });
    const wrong = await copy(...toS3, '--to-store-endpoint', 'http://user@host/path');
    expectFailure(wrong, { code: 'CONFIG_INVALID', exitCode: 2, says: /--to-store-endpoint/ });
    const nothing = await runCli(['copy', '--bucket', scratch.file('empty'), '--to-bucket', scratch.file('none')]);
    expectFailure(nothing, { code: 'NO_BACKUP', exitCode: 6 });
  });

  test('only what a policy of the target keeps; what its retention removed does not come back', async () => {
    const target = ['--bucket', scratch.file('kept'), '--cluster-name', 'prod'];
    const policy = ['--delta-retention', 'newest-chain', '--keep-last', '1'];
    // A second full, so that there is something to choose from.
    const compacted = await runCli(['compact', ...source], { cwd: scratch.path });
    expect(compacted.exitCode, compacted.stderr).toBe(0);
    const first = await copy('--to-bucket', scratch.file('kept'), '--kept-only', ...policy, '-o', 'json');
    expect(first.exitCode, first.stderr).toBe(0);
    const { copied } = JSON.parse(first.stdout) as { copied: { objects: number } };
    expect(copied.objects).toBe(2);
    const all = await copy('--to-bucket', scratch.file('kept'), '-o', 'json');
    expect(all.exitCode, all.stderr).toBe(0);
    const args = [...target, ...policy, '--garbage-collection-grace', '0s', '--yes'];
    const gc = await runCli(['gc', 'apply', ...args], { cwd: scratch.path });
    expect(gc.exitCode, gc.stderr).toBe(0);
    const again = await copy('--to-bucket', scratch.file('kept'), '--kept-only', ...policy, '-o', 'json');
    expect((JSON.parse(again.stdout) as { copied: { objects: number } }).copied.objects).toBe(0);
  });
});
