import { mkdirSync, writeFileSync } from 'node:fs';
import { LocalStore, openStore, readInventory, type ObjectStore } from '@etcd-ops/core';
import { undescribedPaths } from '@etcd-ops/cli';
import { eventually, missingServers, S3Server, startEtcd, startNats, tempDir } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { runEtcdOps, startEtcdOps } from './run-etcd-ops.ts';

const WAIT = { timeoutMs: 120_000 };
const reason = missingServers();
const account = { accessKeyId: 'AKIDOFTHETESTS', secretAccessKey: 'the/secret+of/this-test=of-destinations' };

interface Told {
  clusters: { destinations: { name: string; last?: { ok: boolean } }[]; failures: { of: string; remedy: string }[] }[];
}

test('two destinations, each with its retention: one that is away holds up nobody, and catches up', async (context) => {
  if (reason !== undefined) return context.skip(reason);
  await using scratch = tempDir();
  await using s3 = await S3Server.start({ accounts: [account], buckets: ['off-site'] });
  await using etcd = await startEtcd();
  await using nats = await startNats();
  const keys = scratch.file('keys');
  mkdirSync(keys);
  writeFileSync(scratch.file('keys', 'accessKeyID'), account.accessKeyId);
  writeFileSync(scratch.file('keys', 'secretAccessKey'), account.secretAccessKey);
  const farSpec = {
    ...{ provider: 'S3' as const, bucket: 'off-site', endpoint: s3.endpoint, region: s3.region, forcePathStyle: true },
    ...{ credentials: { directory: keys }, retryDeadlineMs: 1_000 },
  };
  const everything = { policy: 'KeepAlways', graceMs: 0 };
  const destinations = [
    {
      name: 'near',
      store: { provider: 'Local', bucket: 'near' },
      retention: { maxBackups: 2, graceMs: 0 },
      periodMs: 500,
    },
    { name: 'far', store: farSpec, retention: everything, periodMs: 500 },
  ];
  const cluster = {
    ...{ name: 'prod', endpoints: [etcd.endpoint], store: { provider: 'Local', bucket: 'first' }, destinations },
    ...{ snapshots: { schedule: '*/3 * * * * *', deltaPeriodMs: 300 }, retention: everything },
  };
  const file = scratch.file('clusters.yaml');
  writeFileSync(file, JSON.stringify({ stateDir: 'state', nats: { url: nats.url }, clusters: [cluster] }));
  const stores = {
    first: new LocalStore(scratch.file('first')),
    near: new LocalStore(scratch.file('near')),
    far: await openStore(farSpec),
  };
  const reach = async (store: ObjectStore): Promise<number> => {
    const [timeline] = (await readInventory(store, 'prod')).timelines;
    return Math.max(timeline?.fulls.at(-1)?.revision ?? 0, ...(timeline?.deltas ?? []).map(({ last }) => last));
  };
  const fulls = async (store: ObjectStore): Promise<string[]> =>
    ((await readInventory(store, 'prod')).timelines[0]?.fulls ?? []).map(({ key }) => key);

  await using daemon = startEtcdOps('up', '--config', file);
  await etcd.etcdctl('put', 'key', 'first');
  for (const store of [stores.near, stores.far]) {
    await eventually(async () => (await reach(store)) === 2, WAIT).catch((cause: unknown) => {
      throw new Error(daemon.errors().slice(-6_000), { cause });
    });
  }

  const away = { kind: 'refuse', status: 503, code: 'ServiceUnavailable' } as const;
  s3.faults.add({ times: Infinity, effect: away });
  await etcd.etcdctl('put', 'key', 'second');
  await eventually(async () => (await reach(stores.near)) === 3, WAIT);
  const before = new Set(await fulls(stores.first));
  await eventually(async () => (await fulls(stores.near)).every((key) => !before.has(key)), WAIT);
  const status = async (): Promise<Told> => {
    const { stdout } = await runEtcdOps('status', '--nats', nats.url, '-o', 'json');
    return JSON.parse(stdout || '{"clusters":[]}') as Told;
  };
  await eventually(
    async () => (await status()).clusters[0]?.failures.some(({ of }) => of === 'copy far') === true,
    WAIT,
  );
  const told = await status();
  expect(undescribedPaths('status', told)).toEqual([]);
  expect(told.clusters[0]!.destinations).toMatchObject([{ name: 'near', last: { ok: true } }, { name: 'far' }]);
  expect(told.clusters[0]!.failures.map(({ of }) => of)).toEqual(['copy far']);
  const table = await runEtcdOps('status', '--nats', nats.url);
  expect(table.stdout).toMatch(/destination near +copy done .*Local /);
  const missed = await fulls(stores.first);

  s3.faults.clear();
  await eventually(async () => (await reach(stores.far)) === 3, WAIT);
  // All of them, those of the outage as well; the other keeps two.
  await eventually(async () => {
    const there = new Set(await fulls(stores.far));
    return missed.every((key) => there.has(key));
  }, WAIT);
  await eventually(async () => (await status()).clusters[0]?.failures.length === 0, WAIT);
  await eventually(async () => (await fulls(stores.near)).length === 2, WAIT);
  daemon.child.kill('SIGTERM');
  expect((await daemon.result).exitCode, daemon.errors()).toBe(0);
  expect(daemon.errors()).not.toContain(account.secretAccessKey);

  const remote = ['--storage-provider', 'S3', '--store-endpoint', s3.endpoint, '--store-credentials-dir', keys];
  const places = {
    first: ['--bucket', scratch.file('first')],
    near: ['--bucket', scratch.file('near')],
    far: ['--bucket', 'off-site', ...remote],
  };
  const named = ['--bucket', scratch.file('first'), '--cluster-name', 'prod', '--destination'];
  for (const [name, store] of [
    ['near', stores.near],
    ['far', stores.far],
  ] as const) {
    const listed = await runEtcdOps('list', ...named, name, '-o', 'json');
    expect(listed.exitCode, listed.stderr).toBe(0);
    const { timelines } = JSON.parse(listed.stdout) as { timelines: { fulls: { key: string }[] }[] };
    expect(timelines[0]!.fulls.map(({ key }) => key)).toEqual(await fulls(store));
  }
  expect((await runEtcdOps('list', ...named, 'moon')).stderr).toContain('it has near, far');
  const hashes: string[] = [];
  for (const [name, place] of Object.entries(places)) {
    const data = scratch.file(`restored-${name}`);
    const args = ['--cluster-name', 'prod', '--revision', '3', '--data-dir', data];
    const restored = await runEtcdOps('restore', ...place, ...args);
    expect(restored.exitCode, restored.stderr).toBe(0);
    const hashed = await runEtcdOps('hash', `${data}/member/snap/db`, '-o', 'json');
    expect(hashed.exitCode, hashed.stderr).toBe(0);
    const { path: _, ...hash } = JSON.parse(hashed.stdout) as { path: string; hash: number; revision: number };
    expect(hash).toMatchObject({ hash: expect.any(Number) as number, revision: 3 });
    hashes.push(JSON.stringify(hash));
  }
  expect(hashes).toHaveLength(3);
  expect(new Set(hashes).size).toBe(1);
});
