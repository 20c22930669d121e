import { readFileSync } from 'node:fs';
import { clusterSpecSchema } from '@etcd-ops/bus';
import { clusterRecordKey, encodeClusterRecord, LocalStore } from '@etcd-ops/core';
import { findBinary, missingBinary, startNats, tempDir } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { runEtcdOps } from '../run-etcd-ops.ts';

test('with least rights an operator rebuilds a fleet and changes its clusters; who only looks cannot', async (context) => {
  if (findBinary('nats-server') === undefined) return context.skip(missingBinary('nats-server'));
  await using scratch = tempDir();
  const dir = scratch.file('nats');
  expect((await runEtcdOps('nats-config', '--dir', dir, '--auth', 'password')).exitCode).toBe(0);
  const passwordOf = (role: string): string => `${dir}/users/${role}/password`;
  await using nats = await startNats({
    config: readFileSync(`${dir}/accounts.conf`, 'utf8'),
    access: { user: 'operator', pass: readFileSync(passwordOf('operator'), 'utf8').trim() },
  });
  const as = (role: string): string[] => [
    ...['--nats', nats.url, '--nats-user', role, '--nats-password-file', passwordOf(role), '-o', 'json'],
  ];
  const bucket = scratch.file('backups');
  const store = new LocalStore(bucket);
  const spec = clusterSpecSchema.parse({
    ...{ version: 1, name: 'prod', endpoints: ['127.0.0.1:1'], timeouts: { connectMs: 200 } },
    store: { provider: 'Local', bucket: '/moved/away' },
  });
  const at = '2026-11-20T06:00:00.000Z';
  const record = {
    version: 1,
    kind: 'cluster',
    cluster: 'prod',
    clusterId: 'c',
    createdAt: at,
    spec,
    specAt: at,
  } as const;
  await store.put(clusterRecordKey('prod'), encodeClusterRecord(record));
  const cluster = (action: string, ...args: string[]) => runEtcdOps('cluster', action, ...args, ...as('operator'));

  const early = await cluster('add', '--cluster-name', 'new', '--endpoints', '127.0.0.1:1', '--dry-run');
  expect(early.exitCode, early.stderr).toBe(10);

  // An empty NATS: the streams are made, too. The repository was moved.
  const rebuild = ['fleet', 'rebuild', '--from-store', '--bucket', bucket, ...as('operator')];
  const ops = ['--nats-ops-user', 'operator-ops', '--nats-ops-password-file', passwordOf('operator-ops')];
  const planned = await runEtcdOps(...rebuild, ...ops, '--dry-run');
  expect(planned.exitCode, planned.stderr).toBe(0);
  expect(planned.stdout).toContain('it stores in Local /moved/away, not where its record was found');
  const rebuilt = await runEtcdOps(...rebuild, ...ops, '--this-store', '--yes');
  expect(rebuilt.exitCode, rebuilt.stderr).toBe(0);
  const shown = await cluster('show', '--cluster-name', 'prod');
  expect(JSON.parse(shown.stdout)).toMatchObject({ spec: { store: { bucket }, managedBy: 'operator' } });

  const etcd = ['--endpoints', '127.0.0.1:1', '--etcd-connection-timeout', '200ms', '--bucket', bucket];
  const checked = await cluster('add', '--cluster-name', 'new', ...etcd, '--check');
  expect(checked.exitCode, checked.stderr).toBe(8);
  const added = await cluster('add', '--cluster-name', 'new', ...etcd);
  expect(added.exitCode, added.stderr).toBe(0);
  expect(added.stderr).toContain('belongs to the cluster prod already');
  const edited = await cluster('edit', '--cluster-name', 'new', '--set', 'eventBytesMax=2000000');
  expect(edited.exitCode, edited.stderr).toBe(0);

  const seen = await runEtcdOps('cluster', 'list', ...as('observer'));
  expect(seen.exitCode, seen.stderr).toBe(0);
  expect(seen.stdout).toContain('"new"');
  const looked = await runEtcdOps('cluster', 'remove', '--cluster-name', 'new', '--yes', ...as('observer'));
  expect(looked.exitCode, looked.stdout).not.toBe(0);
  const removed = await cluster('remove', '--cluster-name', 'new', '--yes');
  expect(removed.exitCode, removed.stderr).toBe(0);
  const listed = await cluster('list');
  expect((JSON.parse(listed.stdout) as { clusters: object[] }).clusters).toMatchObject([{ name: 'prod' }]);
});
