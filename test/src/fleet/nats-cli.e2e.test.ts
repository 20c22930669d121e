import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { eventually, missingBinary, missingServers, startEtcd, startNats, tempDir } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { startEtcdOps } from '../run-etcd-ops.ts';
import { findNatsCli, runNats } from './nats-cli.ts';

const WAIT = { timeoutMs: 60_000, intervalMs: 250 };
const path = findNatsCli();
const reason = path === undefined ? missingBinary('nats', '0') : missingServers();

test('the official command line finds the service, asks, restores and is told what is wrong', async (context) => {
  if (reason !== undefined) return context.skip(reason);
  await using scratch = tempDir();
  await using nats = await startNats();
  await using etcd = await startEtcd();
  await etcd.etcdctl('put', 'key', 'value');
  const root = scratch.file('restored');
  mkdirSync(root);
  const file = scratch.file('clusters.yaml');
  const store = { provider: 'Local', bucket: scratch.file('backups') };
  writeFileSync(file, JSON.stringify({ clusters: [{ name: 'prod', endpoints: [etcd.endpoint], store }] }));
  await using daemon = startEtcdOps(
    ...['up', '--config', file, '--nats', nats.url, '--state-dir', scratch.file('state'), '--restore-root', root],
  );
  const cli = { path: path!, url: nats.url, home: scratch.file('home') };
  const ask = async (endpoint: string, request: object): Promise<Record<string, unknown>> => {
    const { text } = await runNats(cli, 'req', '--raw', `etcdops.${endpoint}`, JSON.stringify(request));
    const json = /^\{.*\}$/m.exec(text)?.[0];
    if (json === undefined) throw new Error(text);
    return JSON.parse(json) as Record<string, unknown>;
  };

  await eventually(async () => {
    const { fulls } = await ask('list', { cluster: 'prod' });
    return Array.isArray(fulls) && fulls.length > 0;
  }, WAIT).catch((error: unknown) => {
    throw new Error(daemon.errors().slice(-4_000), { cause: error });
  });

  expect((await runNats(cli, 'micro', 'ls')).text).toContain('etcdops');
  const info = (await runNats(cli, 'micro', 'info', 'etcdops')).text;
  for (const endpoint of ['restore', 'snapshot', 'verify', 'job', 'list', 'plan', 'status']) {
    expect(info).toContain(`etcdops.${endpoint}`);
  }

  const wrong = await runNats(cli, 'req', 'etcdops.restore', '{"cluster":"prod","revison":2}');
  expect(wrong.text).toMatch(/Nats-Service-Error-Code: 400/);
  expect(wrong.text).toMatch(/"code":"USAGE".*revison/);
  const outside = await runNats(cli, 'req', 'etcdops.restore', '{"cluster":"prod","dataDir":"/etc/x"}');
  expect(outside.text).toMatch(/Nats-Service-Error-Code: 409/);
  expect(outside.text).toContain('TARGET_REFUSED');

  const { id } = await ask('restore', { cluster: 'prod', dataDir: `${root}/m1` });
  const job = await eventually(async () => {
    const found = await ask('job', { id });
    return ['done', 'failed'].includes(String(found['state'])) && found;
  }, WAIT);
  expect(job).toMatchObject({ id, kind: 'restore', state: 'done', summary: { dataDirs: [`${root}/m1`] } });
  expect(readdirSync(`${root}/m1/member`).toSorted()).toEqual(['snap', 'wal']);

  // The audit trail, and how the service did.
  const trail = await runNats(cli, 'stream', 'get', 'ETCDOPS_HISTORY', '-S', 'etcdops.done.restore.prod');
  expect(trail.text).toContain(String(id));
  expect((await runNats(cli, 'micro', 'stats', 'etcdops')).text).toMatch(/restore\D+3\D/);
});
