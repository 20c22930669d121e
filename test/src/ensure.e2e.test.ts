import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { listWalOffsets, overwrite } from './ensure/damage.ts';
import {
  etcdVersions,
  findBinary,
  initialClusterOf,
  missingBinary,
  planMembers,
  startEtcd,
  tempDir,
  type EtcdMemberPlan,
  type TempDir,
} from '@etcd-ops/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runEtcdOps, type CommandResult } from './run-etcd-ops.ts';

const TOKEN = 'ensured';

test('the servers for these tests are there', (context) => {
  if (etcdVersions().length === 0) context.skip(missingBinary('etcd'));
  if (findBinary('nats-server') === undefined) context.skip(missingBinary('nats-server'));
});

describe.for(['3.4', '3.5'])('ensure before etcd %s', (release) => {
  const version = etcdVersions().findLast((found) => found.startsWith(`${release}.`));
  const reason =
    version === undefined
      ? missingBinary('etcd', release)
      : findBinary('nats-server') === undefined
        ? missingBinary('nats-server')
        : undefined;
  let scratch: TempDir;
  let plan: EtcdMemberPlan;
  let flags: string[];
  let copies = 0;
  let whileRunning: CommandResult;

  /** What SIGKILL left of an etcd that wrote 25 times, of which 19 were backed up. */
  beforeAll(async () => {
    if (reason !== undefined) return;
    scratch = tempDir();
    [plan] = (await planMembers(1, scratch.file('source'))) as [EtcdMemberPlan];
    const members = ['--name', 'm1', '--initial-cluster', initialClusterOf([plan]), '--initial-cluster-token', TOKEN];
    flags = ['--bucket', scratch.file('backups'), '--cluster-name', 'prod', ...members];
    await using etcd = await startEtcd({ version: version!, members: [plan], token: TOKEN });
    for (let index = 0; index < 7; index++) await etcd.etcdctl('put', `key-${index}`, `first-${index}`);
    await etcd.stop();
    copyData(plan.dataDir, scratch.file('old'));
    await etcd.restart();
    for (let index = 0; index < 12; index++) await etcd.etcdctl('put', `key-${index}`, `second-${index}`);
    const once = ['snapshot', '--once', '--endpoints', etcd.endpoint, ...flags.slice(0, 4), '--log-level', 'warn'];
    const saved = await runEtcdOps(...once);
    if (saved.exitCode !== 0) throw new Error(saved.stderr);
    for (let index = 0; index < 6; index++) await etcd.etcdctl('put', `later-${index}`, 'x');
    whileRunning = await ensure(plan.dataDir);
    await etcd.kill();
  });

  afterAll(async () => {
    await scratch?.remove();
  });

  function copyData(from: string, to: string): string {
    cpSync(from, to, { recursive: true });
    return to;
  }

  function freshCopy(): string {
    return copyData(plan.dataDir, scratch.file(`copy-${copies++}`));
  }

  async function ensure(dataDir: string, ...more: string[]): Promise<CommandResult> {
    return await runEtcdOps('ensure', '--data-dir', dataDir, ...flags, '-o', 'json', ...more);
  }

  async function bootsWith(dataDir: string, expected: Record<string, string | undefined>): Promise<void> {
    await using etcd = await startEtcd({ version: version!, members: [{ ...plan, dataDir }], token: TOKEN });
    for (const [key, value] of Object.entries(expected)) {
      expect((await etcd.etcdctl('get', key, '--print-value-only')).trim()).toBe(value ?? '');
    }
    expect(etcd.log()).not.toMatch(/"level":"(error|panic|fatal)"/);
  }

  const wal = (dataDir: string): string => join(dataDir, 'member', 'wal', '0000000000000000-0000000000000000.wal');
  const database = (dataDir: string): string => join(dataDir, 'member', 'snap', 'db');
  const backedUp = { 'key-11': 'second-11', 'key-5': 'second-5', 'later-5': undefined };

  test('an etcd that runs on it is seen, and nothing is touched', (context) => {
    if (reason !== undefined) return context.skip(reason);
    expect(whileRunning.exitCode, whileRunning.stderr).toBe(7);
    expect(whileRunning.stderr).toContain('DATA_DIR_IN_USE');
  });

  test('what SIGKILL left is sound, left alone to the byte, and boots with every write', async (context) => {
    if (reason !== undefined) return context.skip(reason);
    const dataDir = freshCopy();
    const before = readFileSync(database(dataDir));
    const result = await ensure(dataDir);
    expect(result.exitCode, result.stderr).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({ action: 'left', found: { kind: 'healthy' }, movedTo: [] });
    expect(readFileSync(database(dataDir)).equals(before)).toBe(true);
    await bootsWith(dataDir, { 'key-11': 'second-11', 'later-5': 'x' });
  });

  test('a log whose last record was torn is etcd’s to repair', async (context) => {
    if (reason !== undefined) return context.skip(reason);
    const dataDir = freshCopy();
    const last = listWalOffsets(wal(dataDir)).at(-1)!;
    truncateSync(wal(dataDir), last + 12);
    const result = await ensure(dataDir);
    expect(result.exitCode, result.stderr).toBe(0);
    const report = JSON.parse(result.stdout) as { action: string; warnings: string[] };
    expect(report.action).toBe('left');
    expect(report.warnings.join()).toContain('not written whole');
    await bootsWith(dataDir, { 'key-11': 'second-11' });
  });

  test('a log damaged in the middle: asked for, moved aside, restored, boots', async (context) => {
    if (reason !== undefined) return context.skip(reason);
    const dataDir = freshCopy();
    const offsets = listWalOffsets(wal(dataDir));
    overwrite(wal(dataDir), offsets[Math.floor(offsets.length / 2)]! + 20, Buffer.from([0xff, 0x5a]));
    const check = await ensure(dataDir, '--check');
    expect(check.exitCode, check.stderr).toBe(4);
    const unasked = await ensure(dataDir);
    expect(unasked.exitCode, unasked.stderr).toBe(2);
    expect(unasked.stderr).toContain('--yes');
    expect(readdirSync(scratch.path).filter((name) => name.includes('.broken-'))).toEqual([]);

    const result = await ensure(dataDir, '--yes');
    expect(result.exitCode, result.stderr).toBe(0);
    const report = JSON.parse(result.stdout) as { action: string; reason: string; movedTo: string[] };
    expect(report).toMatchObject({ action: 'restored' });
    expect(report.reason).toContain('CRC');
    expect(report.movedTo[0]).toMatch(/\.broken-\d{8}T\d{6}Z$/);
    expect(readdirSync(report.movedTo[0]!)).toContain('member');
    await bootsWith(dataDir, backedUp);
  });

  // What does not depend on the release is tried with one of them.
  if (release !== '3.5') return;

  test.for(['missing', 'empty'])(
    'a %s directory is restored from the newest backup and boots',
    async (kind, context) => {
      if (reason !== undefined) return context.skip(reason);
      const dataDir = scratch.file(`${kind}-dir`);
      if (kind === 'empty') mkdirSync(dataDir);
      const result = await ensure(dataDir);
      expect(result.exitCode, result.stderr).toBe(0);
      expect(JSON.parse(result.stdout)).toMatchObject({ action: 'restored', restored: { deltas: 0 } });
      if (kind === 'missing') await bootsWith(dataDir, backedUp);
      const again = await ensure(dataDir);
      expect(JSON.parse(again.stdout)).toMatchObject({ action: 'left' });
    },
  );

  test('a database with a page of zeros is moved aside and restored', async (context) => {
    if (reason !== undefined) return context.skip(reason);
    const dataDir = freshCopy();
    // Pages 0 and 1 are the metas: each alone may be lost.
    overwrite(database(dataDir), 2 * 4096, Buffer.alloc(readFileSync(database(dataDir)).length - 2 * 4096));
    const result = await ensure(dataDir, '--yes');
    expect(result.exitCode, result.stderr).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({ action: 'restored', found: { kind: 'broken' } });
  });

  test('a log that ends before the database is broken: etcd would lose writes without a word', async (context) => {
    if (reason !== undefined) return context.skip(reason);
    const dataDir = freshCopy();
    const offsets = listWalOffsets(wal(dataDir));
    truncateSync(wal(dataDir), offsets[Math.floor(offsets.length / 2)]);
    const result = await ensure(dataDir, '--check');
    expect(result.exitCode, result.stderr).toBe(4);
    expect(result.stderr).toContain('the log ends at');
  });

  test('a volume that is mounted stays where it is: what is broken is moved aside inside of it', async (context) => {
    if (reason !== undefined) return context.skip(reason);
    const dataDir = freshCopy();
    if (spawnSync('mount', ['--bind', dataDir, dataDir]).status !== 0) context.skip('this user may not mount');
    try {
      truncateSync(database(dataDir), 4096);
      const result = await ensure(dataDir, '--yes');
      expect(result.exitCode, result.stderr).toBe(0);
      const report = JSON.parse(result.stdout) as { action: string; movedTo: string[] };
      expect(report).toMatchObject({ action: 'restored' });
      expect(report.movedTo[0]).toContain(join(dataDir, 'member.broken-'));
      expect(readdirSync(dataDir).toSorted()).toEqual(['member', basename(report.movedTo[0]!)]);
      await bootsWith(dataDir, backedUp);
    } finally {
      spawnSync('umount', [dataDir]);
    }
  });

  test('a lone member behind its own backup is an old disk: restored', async (context) => {
    if (reason !== undefined) return context.skip(reason);
    const dataDir = copyData(scratch.file('old'), scratch.file('old-copy'));
    const result = await ensure(dataDir, '--yes');
    expect(result.exitCode, result.stderr).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({
      action: 'restored',
      reason: expect.stringContaining('newest backup'),
    });
  });

  test('the data of another cluster, and what is no data directory, are refused and not touched', async (context) => {
    if (reason !== undefined) return context.skip(reason);
    const [other] = (await planMembers(1, scratch.file('other'))) as [EtcdMemberPlan];
    await (await startEtcd({ version: version!, members: [other], token: 'somebody-else' })).stop();
    const foreign = await ensure(other.dataDir, '--yes');
    expect(foreign.exitCode, foreign.stderr).toBe(7);
    expect(foreign.stderr).toContain('DATA_DIR_FOREIGN');
    expect(readdirSync(other.dataDir)).toEqual(['member']);

    mkdirSync(scratch.file('photos'));
    writeFileSync(scratch.file('photos', 'cat.jpg'), 'meow');
    const photos = await ensure(scratch.file('photos'), '--yes');
    expect(photos.exitCode, photos.stderr).toBe(7);
    expect(readdirSync(scratch.file('photos'))).toEqual(['cat.jpg']);
  });

  test('a store that is away keeps a sound etcd from nothing, and a broken one from being called missing', async (context) => {
    if (reason !== undefined) return context.skip(reason);
    // No file system has names of this length: each look fails.
    const away = ['--bucket', scratch.file('x'.repeat(300))];
    const sound = await ensure(freshCopy(), ...away);
    expect(sound.exitCode, sound.stderr).toBe(0);
    expect(JSON.parse(sound.stdout)).toMatchObject({
      action: 'left',
      warnings: [expect.stringContaining('could not be read')],
    });
    const missing = await ensure(scratch.file('never-there'), ...away, '--allow-new');
    expect(missing.exitCode, missing.stderr).toBe(9);
  });

  test('without a backup nothing is done, unless a new cluster is meant', async (context) => {
    if (reason !== undefined) return context.skip(reason);
    const nothing = ['--bucket', scratch.file('nowhere')];
    const missing = await ensure(scratch.file('new-one'), ...nothing);
    expect(missing.exitCode, missing.stderr).toBe(6);
    const allowed = await ensure(scratch.file('new-one'), ...nothing, '--allow-new');
    expect(allowed.exitCode, allowed.stderr).toBe(0);
    expect(JSON.parse(allowed.stdout)).toMatchObject({ action: 'new' });
    const dataDir = freshCopy();
    overwrite(wal(dataDir), listWalOffsets(wal(dataDir))[4]! + 20, Buffer.from([0xff, 0x5a]));
    const broken = await ensure(dataDir, ...nothing, '--yes');
    expect(broken.exitCode, broken.stderr).toBe(4);
    expect(broken.stderr).toContain('nothing was touched');
  });
});
