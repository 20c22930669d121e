import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { undescribedPaths } from '@etcd-ops/cli';
import { etcdVersions, findBinary, missingBinary } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { runEtcdOps } from './run-etcd-ops.ts';

interface Report {
  equal: boolean;
  load: { events: number; revision: number };
  store: { fulls: number; deltas: number; rows: number };
  restores: { title: string; equal: boolean; revision: number; keys: number; leases: number; differences: string[] }[];
  fork: { equal: boolean; timelines: number[] };
}

const versions = etcdVersions();

test('an etcd for the demo is there', (context) => {
  if (versions.length === 0) context.skip(missingBinary('etcd'));
  expect(versions.length).toBeGreaterThan(0);
});

test.each(versions)('the demo on etcd %s restores everything that the living cluster had said', async (version) => {
  if (findBinary('nats-server') === undefined) return expect.fail(missingBinary('nats-server'));
  const { exitCode, stdout, stderr } = await runEtcdOps('demo', '--etcd-version', version, '-o', 'json', '--seed', '7');
  expect(exitCode, stderr).toBe(0);
  const report = JSON.parse(stdout) as Report;
  expect(undescribedPaths('demo', report)).toEqual([]);
  expect(report.restores.map(({ title, equal, differences }) => ({ title, equal, differences }))).toEqual([
    { title: 'the newest state', equal: true, differences: [] },
    { title: 'the moment before the mistake', equal: true, differences: [] },
  ]);
  expect(report.fork).toMatchObject({ equal: true, timelines: [1, 2] });
  expect(report.equal).toBe(true);
  // It proves nothing unless fulls and deltas both took part, and the mistake made a difference.
  const [newest, before] = report.restores;
  expect(report.store.fulls).toBeGreaterThanOrEqual(3);
  expect(report.store.deltas).toBeGreaterThanOrEqual(4);
  expect(report.load.events).toBeGreaterThan(5_000);
  expect(newest!.revision).toBeGreaterThan(before!.revision);
  expect(newest!.leases).toBeGreaterThan(3);
});

test('an etcd version that is not there is named, with those that are', async () => {
  const { exitCode, stderr } = await runEtcdOps('demo', '--etcd-version', '9.9');
  expect(exitCode).toBe(12);
  expect(stderr).toContain('no etcd 9.9');
});

test('Ctrl-C leaves no directory and no process behind', async () => {
  const { startEtcdOps } = await import('./run-etcd-ops.ts');
  const before = demoDirectories();
  await using demo = startEtcdOps('demo');
  await new Promise<void>((resolve) => {
    demo.child.stdout!.on('data', (text: string) => {
      if (text.includes('six services')) resolve();
    });
  });
  demo.child.kill('SIGINT');
  const { exitCode } = await demo.result;
  expect(exitCode).toBe(130);
  expect(demoDirectories()).toEqual(before);
});

function demoDirectories(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('etcd-ops-demo-'));
}
