import { execFile } from 'node:child_process';
import { expect, test } from 'vitest';
import { etcdVersions, eventually, findBinary, missingBinary, startEtcd } from './index.ts';

const versions = etcdVersions();

test('an etcd can be found', (context) => {
  if (versions.length === 0) context.skip(missingBinary('etcd'));
  for (const version of versions) expect(findBinary('etcd', version)).toBeDefined();
});

test.each(versions)('etcd %s starts, serves, restarts with its data and ends', { timeout: 60_000 }, async (version) => {
  await using etcd = await startEtcd({ version });
  await etcd.etcdctl('put', 'a', '1');
  const before = etcd.pid;
  await etcd.kill();
  expect(etcd.pid).toBe(-1);
  await etcd.restart();
  expect(etcd.pid).not.toBe(before);
  expect(await etcd.etcdctl('get', 'a', '--print-value-only')).toBe('1\n');
  await etcd.stop();
  expect(etcd.members[0]!.running).toBe(false);
});

test('three members form one cluster', { timeout: 60_000 }, async (context) => {
  if (versions.length === 0) context.skip(missingBinary('etcd'));
  await using etcd = await startEtcd({ members: 3 });
  const status = JSON.parse(await etcd.etcdctl('endpoint', 'status', '-w', 'json')) as {
    Status: { header: { cluster_id: number } };
  }[];
  expect(status).toHaveLength(3);
  expect(new Set(status.map((member) => member.Status.header.cluster_id)).size).toBe(1);
});

test('an etcd dies with its parent even when that is killed', { timeout: 60_000 }, async (context) => {
  if (versions.length === 0) context.skip(missingBinary('etcd'));
  const script = `import { startEtcd } from '${import.meta.dirname}/index.ts';
    const etcd = await startEtcd();
    console.log(etcd.pid);
    setInterval(() => {}, 1000);`;
  const parent = execFile(process.execPath, ['--input-type=module-typescript', '-e', script]);
  const pid = await new Promise<number>((resolve, reject) => {
    parent.stdout!.once('data', (line: string) => resolve(Number(line)));
    parent.once('exit', () => reject(new Error('the parent ended early')));
  });
  expect(isAlive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await eventually(() => !isAlive(pid));
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
