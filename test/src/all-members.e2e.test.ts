import { copyFileSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  etcdVersions,
  eventually,
  findBinary,
  freePorts,
  hardLoad,
  missingBinary,
  planMembers,
  runEtcdctl,
  spawnGuarded,
  startEtcd,
  tempDir,
  type GuardedProcess,
} from '@etcd-ops/test-kit';
import { describe, expect, test } from 'vitest';
import { factsOf } from './restore/etcd-facts.ts';
import { runEtcdOps } from './run-etcd-ops.ts';

const NAMES = ['infra0', 'infra1', 'infra2'];

interface StartFile {
  name: string;
  directory: string;
}

/** Each member as another kind of operator starts it. */
const WAYS: Record<string, (directory: string) => { args: string[]; env: Record<string, string> }> = {
  infra0: (directory) => ({ args: ['--config-file', join(directory, 'etcd.conf.yml')], env: {} }),
  infra1: (directory) => ({ args: [], env: environmentOf(join(directory, 'etcd.env')) }),
  infra2: (directory) => ({ args: commandOf(join(directory, 'etcd-pod.yaml')), env: {} }),
};

/** As systemd reads an EnvironmentFile. */
function environmentOf(path: string): Record<string, string> {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => /^[A-Z]/.test(line));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).replaceAll('"', '')]),
  );
}

/** The flags of the container, one word each. */
function commandOf(path: string): string[] {
  return [...readFileSync(path, 'utf8').matchAll(/^\s+- (--\S+)$/gm)].map((match) => match[1]!);
}

describe.for(['3.4', '3.5', '3.7'])('three members for etcd %s', (release) => {
  const version = etcdVersions({ withBuilt: true }).findLast((found) => found.startsWith(`${release}.`));

  test('out of one run start with what --start-files wrote, and are one cluster of equal hashes', async (context) => {
    if (version === undefined) return context.skip(missingBinary('etcd', release));
    if (findBinary('nats-server') === undefined) return context.skip(missingBinary('nats-server'));
    await using scratch = tempDir();
    const ports = await freePorts(6);
    const peers = NAMES.map((name, index) => `${name}=http://127.0.0.1:${ports[index]}`).join(',');
    const clients = NAMES.map((name, index) => `${name}=http://127.0.0.1:${ports[3 + index]}`).join(',');
    const repository = ['--bucket', scratch.file('backups', 'etcd'), '--cluster-name', 'prod'];
    const before = await record(version, repository);

    const members = ['--initial-cluster', peers, '--initial-cluster-token', 'a-token', '--all-members'];
    const files = ['--start-files', scratch.file('start'), '--client-urls', clients];
    const dataDir = ['--data-dir', scratch.file('data', '{name}.etcd')];
    const restored = await runEtcdOps('restore', ...repository, ...members, ...files, ...dataDir, '-o', 'json');
    expect(restored.exitCode, restored.stderr).toBe(0);
    const report = JSON.parse(restored.stdout) as { revision: number; deltas: number; startFiles: StartFile[] };
    expect(report).toMatchObject({ revision: before.revision, members: NAMES.map((name) => ({ name })) });
    expect(report.deltas).toBeGreaterThan(0);

    const endpoints = NAMES.map((_, index) => `http://127.0.0.1:${ports[3 + index]}`);
    const running: GuardedProcess[] = [];
    try {
      for (const { name, directory } of report.startFiles) {
        const { args, env } = WAYS[name]!(directory);
        running.push(await spawnGuarded(findBinary('etcd', version)!, args, { env: { ...bareEnvironment(), ...env } }));
      }
      await eventually(() => runEtcdctl({ version, endpoints }, 'put', 'alive', 'yes'), { timeoutMs: 30_000 });
      const facts = await Promise.all(
        endpoints.map((endpoint) =>
          eventually(async () => {
            const found = await factsOf({ version, endpoints }, endpoint);
            expect(found.revision).toBe(before.revision + 1);
            return found;
          }),
        ),
      );
      expect(new Set(facts.map(({ hash }) => hash)).size).toBe(1);
      const alive = facts[0]!.keys.length;
      expect(alive).toBe(before.keys + 1);
      const listed = await runEtcdctl({ version, endpoints }, 'member', 'list');
      for (const name of NAMES) expect(listed).toContain(name);
    } finally {
      await Promise.all(running.map((member) => member.kill()));
    }
  });
});

test('a file of etcdctl, and a copied db, are restored as the runbooks say, to the owner wanted, with logs elsewhere', async (context) => {
  const version = etcdVersions().findLast((found) => found.startsWith('3.5.')) ?? etcdVersions().at(-1);
  if (version === undefined) return context.skip(missingBinary('etcd'));
  await using scratch = tempDir();
  const [plan] = await planMembers(1, scratch.file('booted'));
  const file = scratch.file('snapshot.db');
  {
    await using etcd = await startEtcd({ version });
    for (const value of ['jormun', 'jormun_new']) await etcd.etcdctl('put', 'name', value);
    await etcd.etcdctl('snapshot', 'save', file);
    await etcd.stop();
    copyFileSync(join(etcd.dataDir, 'member', 'snap', 'db'), scratch.file('copied.db'));
  }
  const url = `http://127.0.0.1:${plan!.peerPort}`;
  // What the runbooks give to `etcdctl snapshot restore`.
  const runbook = ['--name=infra0', '--initial-cluster', `infra0=${url}`, '--initial-advertise-peer-urls', url];
  const pki = ['--cacert=/etc/kubernetes/pki/etcd/ca.pem', '--cert=/pki/members.pem', '--key=/pki/members-key.pem'];
  const restore = ['restore', '--from-file', file, ...runbook, '--initial-cluster-token', 'ea8cfe2bfe85'];
  const dataDir = scratch.file('infra0.etcd');
  const places = ['--data-dir', dataDir, '--wal-dir', scratch.file('wal', '{name}')];
  const owner = process.geteuid?.() === 0 ? ['--owner', '4321:1234'] : [];
  const whole = await runEtcdOps(...restore, ...pki, ...places, ...owner, '-o', 'json');
  expect(whole.exitCode, whole.stderr).toBe(0);
  expect(JSON.parse(whole.stdout)).toMatchObject({
    revision: 3,
    target: '3.5',
    members: [{ name: 'infra0', dataDir }],
  });
  if (owner.length > 0) {
    const wal = scratch.file('wal', 'infra0', '0000000000000000-0000000000000000.wal');
    for (const path of [join(dataDir, 'member', 'snap', 'db'), wal]) {
      expect(statSync(path)).toMatchObject({ uid: 4321, gid: 1234 });
    }
  }
  await using booted = await startEtcd({
    version,
    members: [{ ...plan!, name: 'infra0', dataDir }],
    token: 'ea8cfe2bfe85',
    extraFlags: [`--wal-dir=${scratch.file('wal', 'infra0')}`],
  });
  expect((await booted.etcdctl('get', 'name', '--print-value-only')).trim()).toBe('jormun_new');

  const copied = [
    'restore',
    '--from-file',
    scratch.file('copied.db'),
    ...runbook,
    '--data-dir',
    scratch.file('copied'),
  ];
  const unsaid = await runEtcdOps(...copied);
  expect(unsaid.exitCode, unsaid.stderr).toBe(4);
  expect(unsaid.stderr).toContain('--skip-hash-check');
  const said = await runEtcdOps(...copied, '--skip-hash-check', '--revision', '2', '-o', 'json');
  expect(said.exitCode, said.stderr).toBe(0);
  expect(JSON.parse(said.stdout)).toMatchObject({ revision: 2, full: { cut: true } });
});

/** A full, and behind it a delta of transactions and leases. */
async function record(version: string, repository: string[]): Promise<{ revision: number; keys: number }> {
  await using etcd = await startEtcd({ version });
  const load = { endpoints: etcd.endpoints, valueBytesMax: 20_000, without: ['leaseExpire', 'compact'] } as const;
  const once = ['snapshot', '--once', '--endpoints', etcd.endpoint, ...repository, '--log-level', 'warn'];
  await hardLoad({ ...load, seed: 31, operations: 60 });
  const first = await runEtcdOps(...once);
  expect(first.exitCode, first.stderr).toBe(0);
  await hardLoad({ ...load, seed: 32, operations: 120 });
  const second = await runEtcdOps(...once);
  expect(second.exitCode, second.stderr).toBe(0);
  const { revision, keys } = await factsOf(etcd, etcd.endpoint);
  // The newest full alone would do: the deltas are what is on trial.
  const { stdout } = await runEtcdOps('list', ...repository, '-o', 'json');
  const list = JSON.parse(stdout) as { timelines: { fulls: { key: string }[] }[] };
  const newest = list.timelines[0]!.fulls.at(-1)!.key;
  for (const key of [newest, `${newest}.json`]) rmSync(join(repository[1]!, key));
  return { revision, keys: keys.length };
}

function bareEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD')));
}
