import { writeFileSync } from 'node:fs';
import { etcdVersions, eventually, findBinary, missingBinary, startEtcd, startNats, tempDir } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { runEtcdOps, startEtcdOps } from './run-etcd-ops.ts';

const version = etcdVersions().at(-1);
const reason =
  version === undefined
    ? missingBinary('etcd')
    : findBinary('nats-server') === undefined
      ? missingBinary('nats-server')
      : undefined;

test('up cares for the clusters of its file, and follows the file; a wrong file changes nothing', async (context) => {
  if (reason !== undefined) return context.skip(reason);
  await using scratch = tempDir();
  await using etcd = await startEtcd();
  await etcd.etcdctl('put', 'key', 'value');
  const file = scratch.file('clusters.yaml');
  const bucket = scratch.file('backups');
  const write = (names: string[], more = '', settings = ''): void => {
    const clusters = names.map((name) => `  - { name: ${name}, endpoints: ['${etcd.endpoint}'] }`).join('\n');
    const defaults = `defaults:\n  store: { provider: Local, bucket: backups }\n  snapshots: { deltaPeriodMs: 300${more} }\n`;
    writeFileSync(file, `stateDir: state\n${settings}${defaults}clusters:\n${clusters}\n`);
  };
  const isStored = async (name: string): Promise<boolean> => {
    const { stdout } = await runEtcdOps('list', '--bucket', bucket, '--cluster-name', name, '-o', 'json');
    return stdout.includes('"createdAt"');
  };

  write(['one'], ', sedule: x');
  const wrong = await runEtcdOps('up', '--config', file, '--check');
  expect(wrong.exitCode).toBe(2);
  expect(wrong.stderr).toContain("clusters.yaml, line 4: the cluster one: there is no setting 'snapshots.sedule'");

  write(['one']);
  await using daemon = startEtcdOps('up', '--config', file);
  await eventually(() => isStored('one'), { timeoutMs: 30_000 });

  // Noticed by its change.
  write(['one', 'two']);
  await eventually(() => isStored('two'), { timeoutMs: 30_000 });

  write(['one', 'two', 'three'], ', sedule: x');
  await eventually(() => daemon.errors().includes('The clusters were not changed'), { timeoutMs: 30_000 });
  expect(daemon.errors()).not.toContain('need a restart');
  write(['two', 'three'], '', 'restoreRoots: [restored]\n');
  daemon.child.kill('SIGHUP');
  await eventually(() => daemon.errors().includes('"removed":["one"]'), { timeoutMs: 30_000 });
  expect(daemon.errors()).toContain(
    '"settings":["restoreRoots"],"msg":"Changed settings need a restart to take effect"',
  );
  await eventually(() => isStored('three'), { timeoutMs: 30_000 });

  await etcd.etcdctl('put', 'the-last', 'of-all');
  daemon.child.kill('SIGTERM');
  expect((await daemon.result).exitCode, daemon.errors()).toBe(0);
  const { stdout } = await runEtcdOps('info', '--bucket', bucket, '--cluster-name', 'three', '-o', 'json');
  expect(JSON.parse(stdout)).toMatchObject({ kind: 'repository', headRevision: 3 });
});

test('snapshot --once works over a given NATS, asks a running daemon, and takes a stale full only when told', async (context) => {
  if (reason !== undefined) return context.skip(reason);
  await using scratch = tempDir();
  await using nats = await startNats();
  await using etcd = await startEtcd({ members: 3 });
  await etcd.etcdctl('put', 'key', 'value');
  const repository = ['--bucket', scratch.file('backups'), '--cluster-name', 'prod'];
  const endpoints = ['--endpoints', etcd.endpoints.join(','), '--log-level', 'warn', '-o', 'json'];
  const timeouts = ['--etcd-connection-timeout', '2s'];
  const once = ['snapshot', '--once', ...repository, ...endpoints, ...timeouts];

  const given = await runEtcdOps(...once, '--nats', nats.url);
  expect(given.exitCode, given.stderr).toBe(0);
  expect(JSON.parse(given.stdout)).toMatchObject({ cluster: 'prod', full: { revision: 2, timeline: 1 } });

  {
    await using daemon = startEtcdOps('snapshot', ...repository, ...endpoints);
    await eventually(async () => (await runEtcdOps('status', ...repository)).exitCode === 0, { timeoutMs: 30_000 });
    const asked = await runEtcdOps(...once);
    expect(asked.exitCode, asked.stderr).toBe(0);
    daemon.child.kill('SIGTERM');
    expect((await daemon.result).exitCode, daemon.errors()).toBe(0);
  }

  await Promise.all(etcd.members.slice(1).map((member) => member.kill()));
  const refused = await runEtcdOps(...once);
  expect(refused.exitCode, refused.stderr).toBe(8);
  const stale = await runEtcdOps(...once, '--allow-stale');
  expect(stale.exitCode, stale.stderr).toBe(0);
  expect(stale.stderr).toContain('STALE');
  const { full } = JSON.parse(stale.stdout) as { full: { key: string } };
  const { stdout } = await runEtcdOps('info', ...repository, full.key, '-o', 'json');
  expect(JSON.parse(stdout)).toMatchObject({ kind: 'full', revision: 2, stale: true });
});
