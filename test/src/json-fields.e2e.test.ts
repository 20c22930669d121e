import { join } from 'node:path';
import { missingServers, startEtcd, tempDir, type TempDir, type TestEtcd } from '@etcd-ops/test-kit';
import { undescribedPaths } from '@etcd-ops/cli';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from './failures/run-cli.ts';
import { recordSnapshots, storeChain } from './restore/recorded-repository.ts';

const reason = missingServers();

test('the servers for these tests are there', (context) => {
  if (reason !== undefined) context.skip(reason);
});

/** What docs/COMMANDS.md promises of `-o json`: no field that is not described there, and one document on standard output. */
describe.skipIf(reason !== undefined)('every field of -o json is described', () => {
  let scratch: TempDir;
  let etcd: TestEtcd;
  let repository: string[];

  beforeAll(async () => {
    scratch = tempDir();
    etcd = await startEtcd();
    await storeChain(scratch.file('bak'), await recordSnapshots(scratch.file('snapshots')), { revisionsEach: 200 });
    repository = ['--bucket', scratch.file('bak'), '--cluster-name', 'prod', '-o', 'json'];
  });
  afterAll(async () => {
    await etcd?.[Symbol.asyncDispose]();
    await scratch?.remove();
  });

  test.each([
    { command: 'list', args: [] },
    { command: 'info', args: [] },
    { command: 'restore', args: ['--plan', '--data-dir', 'planned'] },
    { command: 'restore', args: ['--data-dir', 'restored', '--start-files', 'start'] },
    { command: 'compact', args: [] },
    { command: 'ensure', args: ['--data-dir', 'restored'] },
  ])('etcd-ops $command $args', async ({ command, args }) => {
    const { exitCode, stdout, stderr } = await runCli([command, ...repository, ...args], { cwd: scratch.path });
    expect(exitCode, stderr).toBe(0);
    expect(undescribedPaths(command, JSON.parse(stdout))).toEqual([]);
  });

  test('etcd-ops snapshot --once, and hash of what it stored', async () => {
    const args = ['--bucket', scratch.file('once'), '--cluster-name', 'prod', '-o', 'json'];
    const { exitCode, stdout, stderr } = await runCli(['snapshot', '--once', '--endpoints', etcd.endpoint, ...args]);
    expect(exitCode, stderr).toBe(0);
    const stored = JSON.parse(stdout) as { full: { key: string } };
    expect(undescribedPaths('snapshot', stored)).toEqual([]);
    const hash = await runCli(['hash', scratch.file('once', stored.full.key), '-o', 'json']);
    expect(hash.exitCode, hash.stderr).toBe(0);
    expect(undescribedPaths('hash', JSON.parse(hash.stdout))).toEqual([]);
  });

  test('etcd-ops version', async () => {
    const { stdout } = await runCli(['version', '-o', 'json']);
    expect(undescribedPaths('version', JSON.parse(stdout))).toEqual([]);
    expect((await runCli(['-v'])).stdout).toMatch(/^etcd-ops \d+\.\d+\.\d+\n$/);
  });

  test('progress is one JSON document a line, beside the data', async () => {
    const args = ['restore', ...repository, '--data-dir', join(scratch.path, 'again'), '--progress', 'json'];
    const { exitCode, stdout, stderr } = await runCli(args);
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toHaveProperty('revision');
    const lines = stderr.split('\n').filter((line) => line !== '');
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty('progress.phase');
  });
});
