import { rmSync, writeFileSync } from 'node:fs';
import { undescribedPaths } from '@etcd-ops/cli';
import { LocalStore, readInventory } from '@etcd-ops/core';
import { eventually, missingServers, startEtcd, tempDir } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { runEtcdOps, startEtcdOps } from '../run-etcd-ops.ts';

const reason = missingServers();
const WAIT = { timeoutMs: 60_000 };

test('clusters are added, edited and removed while a daemon runs; the file and the operator leave each other alone', async (context) => {
  if (reason !== undefined) return context.skip(reason);
  await using scratch = tempDir();
  await using first = await startEtcd();
  await using second = await startEtcd();
  await first.etcdctl('put', 'key', 'first');
  await second.etcdctl('put', 'key', 'second');
  const bucket = scratch.file('backups');
  const state = scratch.file('state');
  const file = scratch.file('clusters.yaml');
  const write = (schedule: string, more = ''): void =>
    writeFileSync(
      file,
      `stateDir: state\ndefaults: { store: { provider: Local, bucket: backups } }\nclusters:\n  - { name: first, endpoints: ['${first.endpoint}'], snapshots: { schedule: '${schedule}', deltaPeriodMs: 300 } }\n${more}`,
    );
  const store = new LocalStore(bucket);
  const revisions = async (name: string): Promise<number[]> =>
    (await readInventory(store, name)).timelines.flatMap(({ fulls }) => fulls.map(({ revision }) => revision));
  const cluster = async (...args: string[]) => {
    const result = await runEtcdOps('cluster', ...args, '--state-dir', state, '-o', 'json');
    expect(result.exitCode, result.stderr).toBe(0);
    expect(undescribedPaths('cluster', JSON.parse(result.stdout))).toEqual([]);
    return { ...result, json: JSON.parse(result.stdout) as Record<string, unknown> };
  };

  write('@daily');
  await using daemon = startEtcdOps('up', '--config', file);
  await eventually(async () => (await revisions('first')).length > 0, WAIT);

  // Added by flags; the etcd of another cluster is worth a word.
  const flags = ['--cluster-name', 'second', '--bucket', bucket, '--label', 'env=test'];
  const dry = await cluster('add', ...flags, '--endpoints', first.endpoint, '--dry-run');
  expect(dry.stderr).toContain('belongs to the cluster first already');
  expect(dry.json).toMatchObject({ dryRun: true, changes: [{ cluster: 'second', action: 'added' }] });
  const added = await cluster(
    'add',
    ...flags,
    '--endpoints',
    second.endpoint,
    '--delta-snapshot-period',
    '300ms',
    '--check',
  );
  expect(added.json['changes']).toMatchObject([{ cluster: 'second', warnings: [] }]);
  await eventually(async () => (await revisions('second')).length > 0, WAIT);
  const again = await runEtcdOps('cluster', 'add', ...flags, '--endpoints', second.endpoint, '--state-dir', state);
  expect(again.exitCode).toBe(2);
  expect(again.stderr).toContain('There is a cluster second already');

  // Another schedule without a restart: fulls come that were not due before.
  const { revision } = (await cluster('show', '--cluster-name', 'second')).json;
  await cluster('edit', '--cluster-name', 'second', '--set', 'snapshots.schedule=@every 2s');
  const before = (await revisions('second')).length;
  await eventually(async () => (await revisions('second')).length > before, WAIT);
  const late = ['edit', '--cluster-name', 'second', '--state-dir', state, '--set', 'merging.enabled=false'];
  const conflict = await runEtcdOps('cluster', ...late, '--revision', String(revision));
  expect(conflict.exitCode, conflict.stderr).toBe(10);
  expect(conflict.stderr).toContain('CLUSTER_SPEC_CHANGED');
  // Two operators in the same moment: one of them hears that the other was quicker.
  const { revision: now } = (await cluster('show', '--cluster-name', 'second')).json;
  const both = await Promise.all([1, 2].map(() => runEtcdOps('cluster', ...late, '--revision', String(now))));
  expect(new Set(both.map(({ exitCode }) => exitCode))).toEqual(new Set([0, 10]));
  const wrong = await runEtcdOps(
    'cluster',
    ...late,
    '--set',
    'snapshots.schedule=61 * * * *',
    '--set',
    'proof.colour=blue',
  );
  expect(wrong.exitCode).toBe(2);
  expect(wrong.stderr).toContain('colour');

  // The file changes, and what it does not name stays.
  write('@weekly');
  await eventually(() => daemon.errors().includes('"changed":["first"]'), WAIT);
  const listed = (await cluster('list')).json['clusters'] as { name: string }[];
  expect(listed).toMatchObject([
    { name: 'first', spec: { snapshots: { schedule: '@weekly' } } },
    { name: 'second', spec: { managedBy: 'operator', labels: { env: 'test' } } },
  ]);
  expect((await cluster('list', '--label', 'env=test')).json['clusters']).toHaveLength(1);

  // Removed: refused without a yes; then the services let go and the backups stay.
  const unasked = await runEtcdOps('cluster', 'remove', '--cluster-name', 'second', '--state-dir', state);
  expect(unasked.exitCode).toBe(2);
  const removed = await cluster('remove', '--cluster-name', 'second', '--yes');
  expect(removed.json['changes']).toMatchObject([{ action: 'removed', backups: expect.stringContaining(bucket) }]);
  await eventually(async () => {
    const status = await runEtcdOps('status', '--state-dir', state, '-o', 'json');
    return !status.stdout.includes('"cluster": "second"');
  }, WAIT);
  const kept = await revisions('second');
  expect(kept.length).toBeGreaterThan(before);

  // It comes back under its name and goes on in its repository.
  await cluster('add', ...flags, '--endpoints', second.endpoint, '--delta-snapshot-period', '300ms');
  await second.etcdctl('put', 'key', 'again');
  await eventually(async () => {
    const { timelines } = await readInventory(store, 'second');
    return timelines.some(({ deltas }) => deltas.some(({ last }) => last === 3));
  }, WAIT);
  daemon.child.kill('SIGTERM');
  expect((await daemon.result).exitCode, daemon.errors()).toBe(0);

  // NATS is lost with all it knew; the store gives the fleet back.
  rmSync(state, { recursive: true });
  await using fresh = startEtcdOps('up', '--config', file);
  await eventually(() => fresh.errors().includes('Backing up'), WAIT);
  expect((await cluster('list')).json['clusters']).toHaveLength(1);
  const rebuild = ['fleet', 'rebuild', '--from-store', '--bucket', bucket, '--state-dir', state, '-o', 'json'];
  const planned = await runEtcdOps(...rebuild, '--dry-run');
  expect(planned.exitCode, planned.stderr).toBe(0);
  expect(undescribedPaths('fleet', JSON.parse(planned.stdout))).toEqual([]);
  const unsaid = await runEtcdOps(...rebuild);
  expect(unsaid.exitCode, unsaid.stderr).toBe(2);
  expect(JSON.parse(planned.stdout)).toMatchObject({
    dryRun: true,
    clusters: [
      { cluster: 'first', action: 'known' },
      { cluster: 'second', action: 'add' },
    ],
  });
  const rebuilt = await runEtcdOps(...rebuild, '--yes');
  expect(rebuilt.exitCode, rebuilt.stderr).toBe(0);
  expect((await cluster('list')).json['clusters']).toMatchObject([
    { name: 'first' },
    { name: 'second', spec: { endpoints: [second.endpoint], managedBy: 'operator' } },
  ]);
  await second.etcdctl('put', 'key', 'rebuilt');
  await eventually(async () => {
    const { timelines } = await readInventory(store, 'second');
    return timelines.some(({ deltas }) => deltas.some(({ last }) => last === 4));
  }, WAIT);

  // A restart takes away nothing that the file does not name; what the file names is the file's from then on.
  fresh.child.kill('SIGTERM');
  expect((await fresh.result).exitCode, fresh.errors()).toBe(0);
  await using restarted = startEtcdOps('up', '--config', file);
  await eventually(() => restarted.errors().includes('Backing up'), WAIT);
  expect((await cluster('show', '--cluster-name', 'second')).json).toMatchObject({ spec: { managedBy: 'operator' } });
  write('@weekly', `  - { name: second, endpoints: ['${second.endpoint}'] }\n`);
  await eventually(() => restarted.errors().includes('"changed":["second"]'), WAIT);
  const taken = await cluster('edit', '--cluster-name', 'second', '--set', 'labels.env=prod', '--dry-run');
  expect(taken.stderr).toContain('second comes from a file');
  write('@weekly');
  await eventually(() => restarted.errors().includes('"removed":["second"]'), WAIT);
});
