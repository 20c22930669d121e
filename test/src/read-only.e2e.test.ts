import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { missingServers, startEtcd, tempDir, type TempDir, type TestEtcd } from '@etcd-ops/test-kit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectFailure, runCli, type CliResult } from './failures/run-cli.ts';
import { recordSnapshots, storeChain } from './restore/recorded-repository.ts';

/** Binds a folder upon itself, read-only, in a mount namespace of its own, and becomes the command behind it. */
const READ_ONLY = ['-Urm', 'sh', '-c', 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'];

const reason = missingServers() ?? whyNoReadOnlyMount();

function whyNoReadOnlyMount(): string | undefined {
  using scratch = disposable(tempDir());
  const probe = spawnSync('unshare', [...READ_ONLY, scratch.path, 'touch', join(scratch.path, 'x')], {
    encoding: 'utf8',
  });
  return /read-only/i.test(probe.stderr ?? '') ? undefined : 'no read-only mount can be made here (unshare, mount)';
}

function disposable(scratch: TempDir): TempDir & Disposable {
  return Object.assign(scratch, { [Symbol.dispose]: () => void scratch.remove() });
}

test('what these tests need is there', (context) => {
  if (reason !== undefined) context.skip(reason);
});

describe.skipIf(reason !== undefined)('a read-only mount', () => {
  let scratch: TempDir;
  let etcd: TestEtcd;
  let repository: string[];

  beforeAll(async () => {
    scratch = tempDir();
    await storeChain(scratch.file('bak'), await recordSnapshots(scratch.file('snapshots')), { revisionsEach: 200 });
    repository = ['--bucket', scratch.file('bak'), '--cluster-name', 'prod'];
    etcd = await startEtcd();
  });
  afterAll(async () => {
    await etcd?.[Symbol.asyncDispose]();
    await scratch?.remove();
  });
  beforeEach(() => mkdirSync(scratch.file('work'), { recursive: true }));

  const on = (readOnly: string, args: readonly string[]): Promise<CliResult> =>
    runCli(args, { through: ['unshare', ...READ_ONLY, readOnly] });
  const bucket = (): string => scratch.file('bak');
  const stored = (): string[] => readdirSync(bucket(), { recursive: true }).map(String).toSorted();

  test('as the target of a restore is told as one, and nothing is left', async () => {
    const result = await on(scratch.file('work'), [
      'restore',
      ...repository,
      '--data-dir',
      scratch.file('work', 'etcd'),
    ]);
    expectFailure(result, { code: 'DISK_FAILED', exitCode: 12, says: /work\/etcd/ });
    expect(result.stderr).toMatch(/why: .*EROFS|why: .*read-only/);
    expect(readdirSync(scratch.file('work'))).toEqual([]);
  });

  test('that holds the backups can be listed and restored from', async () => {
    const before = stored();
    expect((await on(bucket(), ['list', ...repository])).exitCode).toBe(0);
    const { exitCode, stderr } = await on(bucket(), ['restore', ...repository, '--data-dir', scratch.file('from-ro')]);
    expect(exitCode, stderr).toBe(0);
    expect(readdirSync(scratch.file('from-ro'))).toEqual(['member']);
    expect(stored()).toEqual(before);
  });

  test('takes no backup, and says so before anything else is tried', async () => {
    const before = stored();
    const once = await on(bucket(), [
      'snapshot',
      '--once',
      ...repository,
      '--endpoints',
      etcd.endpoint,
      '--log-level',
      'error',
    ]);
    expectFailure(once, { code: 'DISK_FAILED', exitCode: 12, says: /bak/ });
    const elsewhere = ['--state-dir', scratch.file('state'), '--log-level', 'error'];
    const apart = await on(bucket(), ['snapshot', '--once', ...repository, '--endpoints', etcd.endpoint, ...elsewhere]);
    expectFailure(apart, { code: 'STORE_FAILED', exitCode: 9, says: /EROFS/ });
    const compact = await on(bucket(), ['compact', ...repository]);
    expectFailure(compact, { code: 'DISK_FAILED', exitCode: 12, says: /scratch directory/ });
    expect(stored()).toEqual(before);
  });
});
