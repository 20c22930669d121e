import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  etcdVersions,
  eventually,
  findBinary,
  missingBinary,
  runEtcdutl,
  startEtcd,
  tempDir,
  type TempDir,
  type TestEtcd,
} from '@etcd-ops/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runEtcdOps, startEtcdOps, type CommandResult } from './run-etcd-ops.ts';

const WRITES = 40;
const version = etcdVersions().at(-1);
const reason =
  version === undefined
    ? missingBinary('etcd')
    : findBinary('nats-server') === undefined
      ? missingBinary('nats-server')
      : undefined;

test('the servers for these tests are there', (context) => {
  if (reason !== undefined) context.skip(reason);
  expect(reason).toBeUndefined();
});

describe.skipIf(reason !== undefined)('a cluster backed up by the daemon', () => {
  let scratch: TempDir;
  let etcd: TestEtcd;
  let repository: string[];
  let dump: string;
  let second: CommandResult;
  let status: CommandResult;
  let ended: CommandResult;

  beforeAll(async () => {
    scratch = tempDir();
    etcd = await startEtcd();
    repository = ['--bucket', scratch.file('backups'), '--cluster-name', 'prod'];
    await using daemon = startEtcdOps(
      'snapshot',
      ...repository,
      '--endpoints',
      etcd.endpoint,
      '--delta-snapshot-period',
      '300ms',
    );
    await eventually(async () => (await listed()).fulls > 0, { timeoutMs: 30_000 });
    for (let index = 0; index < WRITES; index++) await etcd.etcdctl('put', `key-${index % 7}`, `value-${index}`);
    await eventually(async () => (await listed()).to > 1 + WRITES / 2, { timeoutMs: 20_000 });
    await etcd.etcdctl('put', 'the-last', 'of-all');
    dump = await etcd.etcdctl('get', '', '--from-key', '-w', 'json');

    second = await runEtcdOps('snapshot', ...repository, '--endpoints', etcd.endpoint);
    status = await runEtcdOps('status', ...repository, '-o', 'json');
    daemon.child.kill('SIGTERM');
    ended = await daemon.result;
    await etcd.kill();
  });

  afterAll(async () => {
    await etcd?.[Symbol.asyncDispose]();
    await scratch?.remove();
  });

  async function listed(): Promise<{ fulls: number; to: number }> {
    const { stdout } = await runEtcdOps('list', ...repository, '-o', 'json');
    const list = JSON.parse(stdout || '{}') as { restorable?: { to: number }[]; timelines?: { fulls: unknown[] }[] };
    return { fulls: list.timelines?.[0]?.fulls.length ?? 0, to: list.restorable?.at(-1)?.to ?? 0 };
  }

  async function restoreTo(name: string, ...args: string[]): Promise<CommandResult> {
    return await runEtcdOps('restore', ...repository, '--data-dir', scratch.file(name), ...args);
  }

  test('SIGTERM ends the daemon with exit code 0', () => {
    expect(ended.exitCode, ended.stderr).toBe(0);
  });

  test('a second daemon on the same state directory is refused', () => {
    expect(second.exitCode, second.stderr).toBe(12);
    expect(second.stderr).toContain('STATE_DIR_LOCKED');
  });

  test('the running daemon tells its status', () => {
    expect(status.exitCode, status.stderr).toBe(0);
    expect(JSON.parse(status.stdout)).toMatchObject({ clusters: [{ cluster: 'prod' }] });
  });

  test('SIGTERM flushes the last delta: the restored cluster holds the very last write, to the byte', async () => {
    const { exitCode, stderr } = await restoreTo(
      'newest',
      '--name',
      'm1',
      '--initial-cluster',
      'm1=http://localhost:2380',
    );
    expect(exitCode, stderr).toBe(0);
    await using restored = await startEtcd({ dataDir: scratch.file('newest') });
    expect(withoutHeader(await restored.etcdctl('get', '', '--from-key', '-w', 'json'))).toEqual(withoutHeader(dump));
  });

  test('every stored full and every restored database pass the check of the official tool', async () => {
    const folder = scratch.file('backups', 'prod', 't00000001', 'full');
    const fulls = readdirSync(folder).filter((name) => name.endsWith('.db'));
    expect(fulls.length).toBeGreaterThan(0);
    for (const full of fulls) {
      await expect(runEtcdutl({}, 'snapshot', 'status', join(folder, full))).resolves.not.toBe('');
    }
    await restoreTo('checked');
    const database = join(scratch.file('checked'), 'member', 'snap', 'db');
    await expect(runEtcdutl({}, 'snapshot', 'status', database)).resolves.not.toBe('');
  });

  test('an earlier revision is restored as it was', async () => {
    const { exitCode, stderr } = await restoreTo(
      'earlier',
      '--revision',
      '9',
      '--name',
      'm1',
      '--initial-cluster',
      'm1=http://localhost:2380',
    );
    expect(exitCode, stderr).toBe(0);
    await using restored = await startEtcd({ dataDir: scratch.file('earlier') });
    // Revision 2 was the first write: 9 is the eighth, the first overwrite of key-0.
    expect((await restored.etcdctl('get', 'key-0', '--print-value-only')).trim()).toBe('value-7');
    expect((await restored.etcdctl('get', 'key-1', '--print-value-only')).trim()).toBe('value-1');
  });

  test('a plan moves no byte', async () => {
    const { exitCode, stdout } = await restoreTo('planned', '--plan', '-o', 'json');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ cluster: 'prod', timeline: 1, cutFull: false });
    expect(readdirSync(scratch.path)).not.toContain('planned');
  });

  test.each([
    {
      what: 'a revision beyond the head',
      args: ['--revision', '100000'],
      exitCode: 5,
      says: 'Revision 100000 cannot be restored',
    },
    {
      what: 'a time before the first backup',
      args: ['--time', '2020-01-01T00:00:00Z'],
      exitCode: 5,
      says: 'TIME_NOT_RESTORABLE',
    },
    { what: 'a revision that is no number', args: ['--revision', 'nine'], exitCode: 2, says: 'whole number' },
    { what: 'a time without a zone', args: ['--time', '2026-11-20 06:00'], exitCode: 2, says: 'zone' },
    { what: 'an unknown flag', args: ['--revison', '9'], exitCode: 2, says: '--revision' },
    { what: 'an unknown full', args: ['--snapshot', 'nothing.db'], exitCode: 9, says: 'nothing.db' },
  ])('$what is refused with exit code $exitCode and leaves nothing behind', async ({ args, exitCode, says }) => {
    const before = readdirSync(scratch.path).toSorted();
    const result = await restoreTo('refused', ...args);
    expect(result.exitCode, result.stderr).toBe(exitCode);
    expect(result.stderr).toContain(says);
    expect(readdirSync(scratch.path).toSorted()).toEqual(before);
  });

  test('a directory that holds data is never touched', async () => {
    await using occupied = tempDir();
    writeFileSync(occupied.file('precious'), 'data');
    const result = await runEtcdOps('restore', ...repository, '--data-dir', occupied.path);
    expect(result.exitCode).toBe(7);
    expect(readFileSync(occupied.file('precious'), 'utf8')).toBe('data');
  });

  test('an empty repository has an exit code of its own', async () => {
    const result = await runEtcdOps('list', '--bucket', scratch.file('backups'), '--cluster-name', 'nobody');
    expect(result.exitCode).toBe(6);
    expect(result.stderr).toContain('NO_BACKUP');
  });

  test('one flipped byte of a delta is named, and nothing is restored from it', async () => {
    const folder = scratch.file('backups', 'prod', 't00000001', 'delta');
    const name = readdirSync(folder).toSorted().at(-1)!;
    const sound = readFileSync(join(folder, name));
    const damaged = Buffer.from(sound);
    damaged[Math.floor(damaged.length / 2)]! ^= 1;
    writeFileSync(join(folder, name), damaged);
    try {
      const result = await restoreTo('damaged');
      expect(result.exitCode, result.stderr).toBe(4);
      expect(result.stderr).toContain(name);
      expect(readdirSync(scratch.path)).not.toContain('damaged');
    } finally {
      writeFileSync(join(folder, name), sound);
    }
  });
});

function withoutHeader(json: string): unknown {
  return (JSON.parse(json) as { kvs: unknown }).kvs;
}
