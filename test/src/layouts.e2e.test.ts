import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { LocalStore } from '@etcd-ops/core';
import {
  etcdVersions,
  eventually,
  findBinary,
  hardLoad,
  initialClusterOf,
  missingBinary,
  planMembers,
  startEtcd,
  tempDir,
  toolsDirectory,
  type EtcdMemberPlan,
  type HardLoadOperation,
  type TempDir,
} from '@etcd-ops/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLUSTER, putDeltas, putFull } from './restore/recorded-history.ts';
import { factsOf, type EtcdFacts } from './restore/etcd-facts.ts';
import { runEtcdOps } from './run-etcd-ops.ts';

const TOKEN = 'moved';
const version = etcdVersions().findLast((found) => found.startsWith('3.5.'));
/** What a replay through an etcd cannot repeat: one key twice in a transaction, and more than it takes in one. */
const NOT_REPLAYABLE: readonly HardLoadOperation[] = ['txnOverlappingDeletes', 'txnNested', 'txnRangeDelete', 'txnBig'];

/** gardener's program, which bin/build-with-go.sh builds where it is asked to. */
function findEtcdbrctl(): string | undefined {
  const built = join(toolsDirectory(), 'built');
  const found = (existsSync(built) ? readdirSync(built) : [])
    .filter((name) => name.startsWith('etcdbrctl-'))
    .toSorted();
  return found.map((name) => join(built, name, 'bin', 'etcdbrctl')).findLast((path) => existsSync(path));
}
const etcdbrctl = findEtcdbrctl();
const NO_ETCDBRCTL = `no etcdbrctl below ${toolsDirectory()}/built; ETCD_OPS_BUILD_PEERS=1 bin/test builds it`;

async function etcdOps(...args: string[]): Promise<Record<string, unknown>> {
  const { exitCode, stdout, stderr } = await runEtcdOps(...args, '-o', 'json');
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function restoredFacts(member: EtcdMemberPlan): Promise<EtcdFacts> {
  await using etcd = await startEtcd({ version: version!, members: [member], token: TOKEN });
  return await factsOf(etcd, etcd.endpoint);
}

function memberFlags(member: EtcdMemberPlan): string[] {
  const peer = `http://127.0.0.1:${member.peerPort}`;
  return [
    ...['--name', member.name, '--data-dir', member.dataDir, '--initial-cluster', initialClusterOf([member])],
    ...['--initial-cluster-token', TOKEN, '--initial-advertise-peer-urls', peer],
  ];
}

function withoutLeases({ revision, keys }: EtcdFacts): unknown {
  return { revision, keys: keys.map((key) => ({ ...(key as object), lease: undefined })) };
}

describe('backups of ours in the form of other tools', () => {
  let scratch: TempDir;
  let source: EtcdFacts;
  beforeAll(async () => {
    if (version === undefined) return;
    scratch = tempDir();
    const [first, second] = [scratch.file('s1.db'), scratch.file('s2.db')];
    await using etcd = await startEtcd({ version });
    const load = { endpoints: etcd.endpoints, valueBytesMax: 20_000, without: ['compact', ...NOT_REPLAYABLE] } as const;
    await hardLoad({ ...load, seed: 5, operations: 150 });
    await etcd.etcdctl('snapshot', 'save', first);
    await hardLoad({ ...load, seed: 6, operations: 400 });
    await etcd.etcdctl('snapshot', 'save', second);
    source = await factsOf(etcd, etcd.endpoint);
    const store = new LocalStore(scratch.file('ours'));
    const after = await putFull(store, first, { etcdVersion: version, codec: 'zstd' });
    await putDeltas(store, second, { after, revisionsEach: 120, overlap: 2, leaseRecords: false });
  });
  afterAll(async () => {
    await scratch?.remove();
  });

  async function exported(layout: 'seed' | 'gardener', name: string): Promise<string[]> {
    const to = ['--to-dir', scratch.file(name), '--to-cluster-name', 'etcd.main'];
    const own = ['--bucket', scratch.file('ours'), '--cluster-name', CLUSTER];
    const report = await etcdOps('export', '--layout', layout, ...own, ...to, '--delta-bytes', '100000');
    const again = await runEtcdOps('export', '--layout', layout, ...own, ...to);
    expect(again.exitCode, again.stderr).toBe(3);
    return report['keys'] as string[];
  }

  test.for(['seed', 'gardener'] as const)(
    '%s: export, list, restore and boot: every row, lease and HashKV',
    async (layout, context) => {
      if (version === undefined) return context.skip(missingBinary('etcd', '3.5'));
      const keys = await exported(layout, layout);
      expect(keys.length).toBeGreaterThan(4);
      const at = ['--bucket', scratch.file(layout), '--cluster-name', 'etcd.main'];
      expect(await etcdOps('list', ...at)).toMatchObject({ layout, restorable: [{ to: source.revision }] });
      expect(await etcdOps('info', ...at)).toMatchObject({ layout, headRevision: source.revision });
      expect(await etcdOps('info', ...at, keys.at(-1)!)).toMatchObject({
        kind: 'delta',
        lastRevision: source.revision,
      });
      expect(await etcdOps('verify', '--prove', ...at)).toMatchObject({ verdict: 'sound' });
      const [member] = (await planMembers(1, scratch.file(`restored-${layout}`))) as [EtcdMemberPlan];
      const report = await etcdOps('restore', ...at, ...memberFlags(member));
      expect(report).toMatchObject({ revision: source.revision, full: { key: keys[0] } });
      expect(await restoredFacts(member)).toMatchObject({
        revision: source.revision,
        hash: source.hash,
        keys: source.keys,
      });
      // A damaged delta is named, and what can be had without it; verify says so, too.
      const path = join(scratch.file(layout), keys.at(-1)!);
      const sound = readFileSync(path);
      writeFileSync(path, Buffer.from(sound).fill(0, sound.length >> 1, (sound.length >> 1) + 8));
      const [other] = (await planMembers(1, scratch.file(`damaged-${layout}`))) as [EtcdMemberPlan];
      const refused = await runEtcdOps('restore', ...at, ...memberFlags(other));
      expect(refused.exitCode).toBe(4);
      expect(refused.stderr).toContain(keys.at(-1)!);
      expect(refused.stderr).toMatch(/--revision \d+/);
      expect(existsSync(other.dataDir)).toBe(false);
      const verified = await runEtcdOps('verify', ...at);
      expect(verified.exitCode).toBe(4);
      expect(verified.stdout).toContain(keys.at(-1)!);
      writeFileSync(path, sound);
      // And before an etcd starts.
      const [ensured] = (await planMembers(1, scratch.file(`ensured-${layout}`))) as [EtcdMemberPlan];
      expect(await etcdOps('ensure', ...at, ...memberFlags(ensured))).toMatchObject({ action: 'restored' });
      expect(await etcdOps('ensure', ...at, ...memberFlags(ensured))).toMatchObject({ action: 'left' });
    },
  );

  test('etcdbrctl restores what we export', async (context) => {
    if (version === undefined) return context.skip(missingBinary('etcd', '3.5'));
    if (etcdbrctl === undefined) return context.skip(NO_ETCDBRCTL);
    await exported('gardener', 'container');
    const [member] = (await planMembers(1, scratch.file('their-restore'))) as [EtcdMemberPlan];
    await promisify(execFile)(
      etcdbrctl,
      [
        ...['restore', '--storage-provider=Local', '--store-container=container', '--store-prefix=etcd.main'],
        ...memberFlags(member),
      ],
      { env: { ...process.env, HOME: scratch.path }, cwd: scratch.path, maxBuffer: 64 * 1024 * 1024 },
    );
    // It drops leases, by design of its own; revisions, keys and values are ours.
    expect(withoutLeases(await restoredFacts(member))).toEqual(withoutLeases(source));
  });

  test('imported, they are a repository of ours, which takes nothing twice', async (context) => {
    if (version === undefined) return context.skip(missingBinary('etcd', '3.5'));
    await exported('seed', 'old');
    const into = ['--bucket', scratch.file('imported'), '--cluster-name', 'new'];
    const from = ['--from-dir', scratch.file('old'), '--from-cluster-name', 'etcd.main'];
    const plan = await etcdOps('import', '--dry-run', ...from, ...into);
    expect((plan['steps'] as { action: string }[]).every(({ action }) => action === 'import')).toBe(true);
    expect(existsSync(join(scratch.file('imported'), 'new'))).toBe(false);
    expect(await etcdOps('import', ...from, ...into, '--cluster-id', 'cdf818194e3a8c32')).toMatchObject({ fulls: 1 });
    expect((await runEtcdOps('import', ...from, ...into)).exitCode).toBe(3);
    expect(await etcdOps('verify', '--prove', ...into)).toMatchObject({ verdict: 'sound' });
    const [member] = (await planMembers(1, scratch.file('restored-import'))) as [EtcdMemberPlan];
    await etcdOps('restore', ...into, ...memberFlags(member));
    expect(await restoredFacts(member)).toMatchObject({ revision: source.revision, hash: source.hash });
  });

  test('files of etcdctl and of k3s become fulls', async (context) => {
    if (version === undefined) return context.skip(missingBinary('etcd', '3.5'));
    const snapshots = scratch.file('snapshots');
    mkdirSync(join(snapshots, '.metadata'), { recursive: true });
    copyFileSync(scratch.file('s1.db'), join(snapshots, 'etcd-snapshot-node1-1706877127'));
    copyFileSync(scratch.file('s2.db'), join(snapshots, 'on-demand-node1-1706880727'));
    writeFileSync(join(snapshots, '.metadata', 'on-demand-node1-1706880727'), '{}');
    const into = ['--bucket', scratch.file('imported'), '--cluster-name', 'k3s'];
    expect(await etcdOps('import', '--from-files', snapshots, ...into)).toMatchObject({ fulls: 2, deltas: 0 });
    expect(await etcdOps('list', ...into)).toMatchObject({
      restorable: [{ to: source.revision, toTime: '2024-02-02T13:32:07.000Z' }],
    });
    writeFileSync(join(snapshots, 'etcd-snapshot-node1-1706890000'), 'no snapshot');
    const damaged = await runEtcdOps('import', '--from-files', snapshots, ...into);
    expect(damaged.exitCode).toBe(4);
    expect(damaged.stdout + damaged.stderr).toContain('etcd-snapshot-node1-1706890000');
  });
});

test('what etcdbrctl took of a living etcd is restored: every row, lease and HashKV', async (context) => {
  if (version === undefined) return context.skip(missingBinary('etcd', '3.5'));
  if (etcdbrctl === undefined) return context.skip(NO_ETCDBRCTL);
  await using scratch = tempDir();
  await using etcd = await startEtcd({ version });
  const load = { endpoints: etcd.endpoints, valueBytesMax: 20_000, without: ['compact'] } as const;
  await hardLoad({ ...load, seed: 8, operations: 100 });
  const child = spawn(
    etcdbrctl,
    [
      ...['snapshot', '--storage-provider=Local', '--store-container=container', '--store-prefix=etcd.main'],
      ...[`--endpoints=${etcd.endpoint}`, '--delta-snapshot-period=1s', '--delta-snapshot-memory-limit=100000'],
    ],
    { env: { ...process.env, HOME: scratch.path }, cwd: scratch.path, stdio: 'ignore' },
  );
  const closed = once(child, 'close');
  const v2 = scratch.file('container/etcd.main/v2');
  const lastOf = (): number =>
    Math.max(0, ...(existsSync(v2) ? readdirSync(v2) : []).map((name) => Number(name.split('-')[2])));
  try {
    await eventually(() => expect(lastOf()).toBeGreaterThan(0), { timeoutMs: 120_000 });
    await hardLoad({ ...load, seed: 9, operations: 400 });
    const { revision } = await factsOf(etcd, etcd.endpoint);
    await eventually(() => expect(lastOf()).toBeGreaterThanOrEqual(revision), { timeoutMs: 120_000 });
  } finally {
    child.kill('SIGKILL');
    await closed;
  }
  const head = lastOf();
  expect(readdirSync(v2).filter((name) => name.startsWith('Incr-')).length).toBeGreaterThan(1);
  const at = ['--bucket', dirname(dirname(v2)), '--cluster-name', 'etcd.main'];
  expect(await etcdOps('list', ...at)).toMatchObject({ layout: 'gardener' });
  const [member] = (await planMembers(1, scratch.file('restored'))) as [EtcdMemberPlan];
  expect(await etcdOps('restore', ...at, ...memberFlags(member))).toMatchObject({ revision: head });
  const restored = await restoredFacts(member);
  expect(restored.revision).toBe(head);
  // Leases may have run out at the source since then: it is asked what it held at that revision.
  const ask = async (...args: string[]): Promise<string> =>
    (await etcd.etcdctl(...args, `--rev=${head}`, '--write-out=json')).replaceAll(/:(-?\d{10,})(?=[,}])/g, ':"$1"');
  const hashed = JSON.parse(await ask('endpoint', 'hashkv')) as [{ HashKV: { hash: number | string } }];
  expect(restored.hash).toBe(Number(hashed[0].HashKV.hash));
  const { kvs } = JSON.parse(await ask('get', '', '--prefix')) as { kvs: { lease?: string }[] };
  expect(restored.keys).toEqual(kvs);
  expect(kvs.some(({ lease }) => lease !== undefined)).toBe(true);

  // Moving over: what was imported is where capture goes on, without a gap and in the same timeline.
  if (findBinary('nats-server') === undefined) return;
  const into = ['--bucket', scratch.file('ours'), '--cluster-name', 'prod'];
  const fields = await etcd.etcdctl('endpoint', 'status', '--write-out=fields');
  const clusterId = /"ClusterID"\s*:\s*(\d+)/.exec(fields)?.[1];
  expect(clusterId, fields).toBeDefined();
  const from = ['--from-dir', dirname(dirname(v2)), '--from-cluster-name', 'etcd.main'];
  await etcdOps('import', ...from, ...into, '--cluster-id', clusterId!);
  await etcd.etcdctl('put', 'after', 'the move');
  const taken = await runEtcdOps('snapshot', '--once', '--endpoints', etcd.endpoint, ...into, '--log-level', 'warn');
  expect(taken.exitCode, taken.stderr).toBe(0);
  const listed = await etcdOps('list', ...into);
  expect(listed).toMatchObject({ layout: 'native', gaps: [], timelines: [{ timeline: 1 }] });
  expect(listed['restorable']).toMatchObject([{ timeline: 1 }]);
});
