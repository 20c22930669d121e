import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  etcdVersions,
  eventually,
  findBinary,
  freePorts,
  hardLoad,
  missingBinary,
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

describe.for(['3.4', '3.5'])('three members for etcd %s', (release) => {
  const version = etcdVersions().findLast((found) => found.startsWith(`${release}.`));

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
