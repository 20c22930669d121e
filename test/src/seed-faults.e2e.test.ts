import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BoltFile,
  decodeManifest,
  encodeManifest,
  fullKey,
  hashKV,
  LocalStore,
  manifestKey,
  planRestore,
  planRetention,
  retentionPolicyOf,
  readInventory,
  readLeases,
  readStoreInfo,
  restorableRanges,
  scanKeyValue,
  type HashKVResult,
} from '@etcd-ops/core';
import {
  etcdVersions,
  findBinary,
  HARD_LOAD_FLAGS,
  hardLoad,
  missingBinary,
  planMembers,
  initialClusterOf,
  startEtcd,
  tempDir,
  type TempDir,
} from '@etcd-ops/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLUSTER, putDeltas, putFull } from './restore/recorded-history.ts';
import { runEtcdOps, type CommandResult } from './run-etcd-ops.ts';

/**
 * The ten faults of the tool that ours replaces, each by the number that the project gave it: what went wrong there must not go
 * wrong here.
 */
const version = etcdVersions().findLast((found) => found.startsWith('3.5.')) ?? etcdVersions().at(-1);
const reason = version === undefined ? missingBinary('etcd') : undefined;
const AUTH = { username: 'root', password: 'secret' };
const LARGE_TXN_OPS = 700;

test('an etcd for these tests is there', (context) => {
  if (reason !== undefined) context.skip(reason);
});

describe.skipIf(reason !== undefined)('the ten faults of the seed', () => {
  let scratch: TempDir;
  let first: string;
  let second: string;
  let copies = 0;

  /** An etcd with auth; a snapshot, then leases and transactions of hundreds of operations, then another snapshot. */
  beforeAll(async () => {
    scratch = tempDir();
    [first, second] = [scratch.file('s1.db'), scratch.file('s2.db')];
    await using etcd = await startEtcd({ version: version!, extraFlags: HARD_LOAD_FLAGS });
    const load = { endpoints: etcd.endpoints, valueBytesMax: 20_000, without: ['leaseExpire', 'compact'] } as const;
    await hardLoad({ ...load, seed: 41, operations: 60 });
    const user = ['--user', `${AUTH.username}:${AUTH.password}`];
    await etcd.etcdctl('user', 'add', `${AUTH.username}:${AUTH.password}`);
    await etcd.etcdctl('user', 'grant-role', 'root', 'root');
    await etcd.etcdctl('auth', 'enable');
    await etcd.etcdctl(...user, 'snapshot', 'save', first);
    await hardLoad({ ...load, seed: 42, operations: 80, txnOpsMax: LARGE_TXN_OPS, client: { auth: AUTH } });
    await etcd.etcdctl(...user, 'put', 'the-last', 'of-all');
    await etcd.etcdctl(...user, 'snapshot', 'save', second);
  });

  afterAll(async () => {
    await scratch?.remove();
  });

  /** A repository of the first snapshot and the deltas up to the second. */
  async function repository(options: { levels?: string[]; deltasFrom?: number } = {}): Promise<{
    bucket: string;
    store: LocalStore;
    flags: string[];
    after: number;
    head: number;
    deltas: string[];
  }> {
    const bucket = scratch.file(`bucket-${copies++}`, ...(options.levels ?? []));
    const store = new LocalStore(bucket);
    const after = await putFull(store, first, { etcdVersion: version! });
    const deltas = await putDeltas(store, second, { after: after + (options.deltasFrom ?? 0), revisionsEach: 30 });
    const flags = ['--bucket', bucket, '--cluster-name', CLUSTER];
    return { bucket, store, flags, after, head: revisionOf(second), deltas };
  }

  async function restored(flags: string[], ...more: string[]): Promise<{ result: CommandResult; db: string }> {
    const dataDir = scratch.file(`restored-${copies++}`);
    const result = await runEtcdOps('restore', ...flags, '--data-dir', dataDir, '-o', 'json', ...more);
    return { result, db: join(dataDir, 'member', 'snap', 'db') };
  }

  test('1: compact never touches a directory that was there before', async () => {
    const { flags, bucket } = await repository();
    mkdirSync(scratch.file('precious', 'default.etcd'), { recursive: true });
    writeFileSync(scratch.file('precious', 'default.etcd', 'data'), 'of a living etcd');
    const data = ['--data-dir', scratch.file('precious', 'default.etcd')];
    const ranges = restorableRanges(await readInventory(new LocalStore(bucket), CLUSTER));
    const result = await runIn(scratch.file('precious'), 'compact', ...flags, ...data, '-o', 'json');
    expect(result.exitCode, result.stderr).toBe(0);
    expect(readFileSync(scratch.file('precious', 'default.etcd', 'data'), 'utf8')).toBe('of a living etcd');
    expect(readdirSync(scratch.file('precious'))).toEqual(['default.etcd']);

    // One more full, nothing less; it restores to what the chain restores to.
    const inventory = await readInventory(new LocalStore(bucket), CLUSTER);
    expect(inventory.timelines[0]!.fulls.map(({ manifest }) => manifest.cause)).toEqual(['schedule', 'compact']);
    expect(inventory.timelines[0]!.deltas.length).toBeGreaterThan(1);
    // And the cluster was not seen once more for that.
    expect(restorableRanges(inventory)).toEqual(ranges);
    const { key } = JSON.parse(result.stdout) as { key: string };
    const compacted = await restored(flags, '--snapshot', key);
    const head = revisionOf(second);
    expect(await hashAt(compacted.db, head, head)).toEqual(await hashAt(second, head, head));
    expect(readdirSync(join(bucket, '.etcd-ops', CLUSTER))).toEqual([]);
    const again = await runEtcdOps('compact', ...flags);
    expect(again.exitCode, again.stderr).toBe(3);
  });

  test('2: an upload that fails is never taken for a backup', async (context) => {
    if (findBinary('nats-server') === undefined) return context.skip(missingBinary('nats-server'));
    await using etcd = await startEtcd({ version: version! });
    await etcd.etcdctl('put', 'key', 'value');
    const bucket = scratch.file('refusing');
    mkdirSync(bucket);
    // Where the folder of the cluster should be lies a file: each write is refused.
    writeFileSync(join(bucket, 'blocked'), '');
    const flags = ['--bucket', bucket, '--cluster-name', 'blocked'];
    const failed = await runEtcdOps(
      'snapshot',
      '--once',
      '--endpoints',
      etcd.endpoint,
      ...flags,
      '--log-level',
      'error',
    );
    expect(failed.exitCode, failed.stderr).toBe(9);
    rmSync(join(bucket, 'blocked'));
    const listed = await runEtcdOps('list', ...flags);
    expect(listed.exitCode, listed.stderr).toBe(6);
    // The next run begins where nothing was lost.
    const saved = await runEtcdOps(
      'snapshot',
      '--once',
      '--endpoints',
      etcd.endpoint,
      ...flags,
      '--log-level',
      'error',
    );
    expect(saved.exitCode, saved.stderr).toBe(0);
    const { result, db } = await restored(flags);
    expect(result.exitCode, result.stderr).toBe(0);
    expect(revisionOf(db)).toBe(2);
  });

  test('3: a cluster whose name begins like another one’s never sees its backups', async () => {
    const { store, head } = await repository();
    await storeAs(store, second, 'prod-2');
    const [own, other] = await Promise.all([readInventory(store, 'prod'), readInventory(store, 'prod-2')]);
    expect(own.timelines[0]!.fulls).toHaveLength(1);
    expect(other.timelines[0]!.fulls).toHaveLength(1);
    expect(other.timelines[0]!.deltas).toEqual([]);
    expect(planRestore(own, { kind: 'latest' })).toMatchObject({ cluster: 'prod', revision: head });
    const { remove } = planRetention(own, retentionPolicyOf({ maxBackups: 1, deltaRetention: 'newest-chain' }), {
      nowMs: Date.now() + 1e10,
      orphanGraceMs: 0,
    });
    expect(remove.flatMap(({ keys }) => keys).filter((key) => !key.startsWith('prod/'))).toEqual([]);
  });

  test('4: a bucket many levels deep is listed and restored like any other', async () => {
    const { flags, head } = await repository({ levels: ['data', 'backup', 'of', 'all', 'our.clusters'] });
    const listed = await runEtcdOps('list', ...flags, '-o', 'json');
    expect(JSON.parse(listed.stdout)).toMatchObject({ restorable: [{ to: head }] });
    const { result, db } = await restored(flags);
    expect(result.exitCode, result.stderr).toBe(0);
    expect(revisionOf(db)).toBe(head);
  });

  test('5: deltas that overlap the full are clipped, and a hole is found before anything is written', async () => {
    const { flags, head, deltas, bucket } = await repository({ deltasFrom: -40 });
    const whole = await restored(flags);
    expect(whole.result.exitCode, whole.result.stderr).toBe(0);
    expect(await hashAt(whole.db)).toEqual(await hashAt(second));

    rmSync(join(bucket, deltas.at(-2)!));
    const beyond = await restored(flags, '--revision', String(head));
    expect(beyond.result.exitCode, beyond.result.stderr).toBe(5);
    expect(readdirSync(scratch.path).filter((name) => name.endsWith('.part'))).toEqual([]);
    const newest = await restored(flags);
    expect(newest.result.exitCode, newest.result.stderr).toBe(5);
    expect(newest.result.stderr).toContain('NEWEST_NOT_RESTORABLE');
    expect(readdirSync(scratch.path).filter((name) => name.endsWith('.part'))).toEqual([]);
    const latest = await restored(flags, '--allow-older');
    expect(latest.result.exitCode, latest.result.stderr).toBe(0);
    expect((JSON.parse(latest.result.stdout) as { warnings: string[] }).warnings.join()).toContain(
      'More was captured than this',
    );
  });

  test('6: a member of three with any name is restored with deltas, without quorum or port', async () => {
    const { flags } = await repository();
    const members = 'infra0=http://10.0.0.1:2380,infra1=http://10.0.0.2:2380,infra2=http://10.0.0.3:2380';
    const { result, db } = await restored(flags, '--name', 'infra1', '--initial-cluster', members);
    expect(result.exitCode, result.stderr).toBe(0);
    expect((JSON.parse(result.stdout) as { deltas: number }).deltas).toBeGreaterThan(1);
    expect(await hashAt(db)).toEqual(await hashAt(second));
  });

  test('7: transactions of hundreds of operations, auth and leases come through a restore', async () => {
    const { flags } = await repository();
    expect(largestRevision(second)).toBeGreaterThan(128);
    const [plan] = await planMembers(1, scratch.file('booted'));
    const members = [
      '--name',
      'm1',
      '--initial-cluster',
      initialClusterOf([plan!]),
      '--initial-cluster-token',
      'seven',
    ];
    const { result, db } = await restored(flags, ...members);
    expect(result.exitCode, result.stderr).toBe(0);
    expect(await hashAt(db)).toEqual(await hashAt(second));
    expect(leasesOf(db)).toEqual(expect.arrayContaining(leasesOf(second)));
    const dataDir = join(db, '..', '..', '..');
    await using etcd = await startEtcd({ version: version!, members: [{ ...plan!, dataDir }], token: 'seven' });
    const user = ['--user', `${AUTH.username}:${AUTH.password}`];
    expect((await etcd.etcdctl(...user, 'get', 'the-last', '--print-value-only')).trim()).toBe('of-all');
    await expect(etcd.etcdctl('get', 'the-last')).rejects.toThrow(/user name is empty/);
  });

  test('8: half a full is no backup, and a full that was cut off is named and gone round', async () => {
    const { flags, store, bucket, head } = await repository();
    const key = await putFullAgain(store, second);
    truncateSync(join(bucket, key), 5_000);
    const cut = await restored(flags);
    expect(cut.result.exitCode, cut.result.stderr).toBe(0);
    expect(revisionOf(cut.db)).toBe(head);
    const listed = await runEtcdOps('list', ...flags);
    expect(listed.stdout).toContain(`Damaged: ${key}`);
    rmSync(join(bucket, manifestKey(key)));
    const half = await runEtcdOps('list', ...flags);
    expect(half.stdout).toContain(`Incomplete: ${key}`);
    expect((await restored(flags)).result.exitCode).toBe(0);
  });

  test('9: compact without a backup says so, and leaves nothing in the working directory', async () => {
    mkdirSync(scratch.file('cwd'));
    const result = await runIn(
      scratch.file('cwd'),
      'compact',
      '--bucket',
      scratch.file('no-such'),
      '--cluster-name',
      'prod',
    );
    expect(result.exitCode, result.stderr).toBe(6);
    expect(readdirSync(scratch.file('cwd'))).toEqual([]);
    expect(readdirSync(scratch.path)).not.toContain('no-such');
  });

  test('10: a flag and its value in one word are told apart from a flag; what we generate has one word a flag', async () => {
    const wrong = await runEtcdOps('list', '--cluster-name dev130');
    expect(wrong.exitCode).toBe(2);
    expect(wrong.stderr).toContain('--cluster-name');
    const { flags } = await repository();
    const start = scratch.file('start');
    const { result } = await restored(flags, '--start-files', start);
    expect(result.exitCode, result.stderr).toBe(0);
    const pod = readFileSync(join(start, 'default', 'etcd-pod.yaml'), 'utf8');
    const words = [...pod.matchAll(/^ +- (--.*)$/gm)].map((match) => match[1]!);
    expect(words.length).toBeGreaterThan(8);
    for (const word of words) expect(word).toMatch(/^--[a-z-]+=\S+$/);
  });
});

function revisionOf(path: string): number {
  using file = BoltFile.open(path);
  return readStoreInfo(file).revision;
}

async function hashAt(path: string, revision?: number, compactRevision?: number): Promise<HashKVResult> {
  using file = BoltFile.open(path);
  return await hashKV(file, { revision, compactRevision });
}

function leasesOf(path: string): string[] {
  using file = BoltFile.open(path);
  return [...readLeases(file).keys()].map((id) => BigInt.asUintN(64, id).toString(16)).toSorted();
}

/** How many rows one revision has at most. */
function largestRevision(path: string): number {
  using file = BoltFile.open(path);
  const counts = new Map<number, number>();
  const cursor = file.bucket('key')!.cursor();
  for (let found = cursor.first(); found; found = cursor.next()) {
    const main = Number(cursor.key.readBigUInt64BE(0));
    if (cursor.key.length === 17) scanKeyValue(cursor.value);
    counts.set(main, (counts.get(main) ?? 0) + 1);
  }
  return Math.max(...counts.values());
}

/** The same snapshot as a full of another cluster. */
async function storeAs(store: LocalStore, snapshot: string, cluster: string): Promise<void> {
  const temporary = new LocalStore(`${snapshot}.as-${cluster}`);
  await putFull(temporary, snapshot, { etcdVersion: '3.5.16' });
  const [entry] = (await readInventory(temporary, CLUSTER)).timelines[0]!.fulls;
  const manifest = decodeManifest(await temporary.get(manifestKey(entry!.key)));
  const { timeline, revision, codec } = manifest;
  const key = fullKey({ cluster, timeline, revision, codec, createdAtMs: entry!.createdAtMs });
  await store.put(key, readFileSync(snapshot));
  await store.put(manifestKey(key), encodeManifest({ ...manifest, cluster }));
}

async function putFullAgain(store: LocalStore, snapshot: string): Promise<string> {
  await putFull(store, snapshot, { etcdVersion: '3.5.16' });
  return (await readInventory(store, CLUSTER)).timelines[0]!.fulls.at(-1)!.key;
}

async function runIn(cwd: string, ...args: string[]): Promise<CommandResult> {
  const program = join(import.meta.dirname, '..', '..', 'bin', 'etcd-ops');
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return { exitCode, stdout, stderr };
}
