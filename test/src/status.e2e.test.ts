import { undescribedPaths } from '@etcd-ops/cli';
import { eventually, missingServers, startEtcd, tempDir, type TempDir, type TestEtcd } from '@etcd-ops/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEtcdOps, type RunningCommand } from './run-etcd-ops.ts';
import { runCli, type CliResult } from './failures/run-cli.ts';

const WAIT = { timeoutMs: 60_000 };
const reason = missingServers();

test('the servers for these tests are there', (context) => {
  if (reason !== undefined) context.skip(reason);
});

interface Cluster {
  cluster: string;
  lag?: { revisions: number; seconds: number };
  owner?: { capture?: { watching: boolean; revision?: number } };
  backlog?: { messages: number };
  next?: Record<string, string>;
  failures: { of: string; code: string; remedy: string; at: string }[];
  repository?: { newestFull?: { bytes: number }; newestDelta?: { revision: number }; restorable?: { to: number } };
}

describe.skipIf(reason !== undefined)('status', () => {
  let scratch: TempDir;
  let etcd: TestEtcd;
  let daemon: RunningCommand;
  let repository: string[];

  beforeAll(async () => {
    scratch = tempDir();
    etcd = await startEtcd();
    repository = ['--bucket', scratch.file('bak'), '--cluster-name', 'prod'];
    daemon = startEtcdOps(
      'snapshot',
      ...repository,
      ...['--endpoints', etcd.endpoint, '--delta-snapshot-period', '500ms', '--timezone', 'Asia/Shanghai'],
    );
  });
  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]();
    await etcd?.[Symbol.asyncDispose]();
    await scratch?.remove();
  });

  const ask = (...more: string[]): Promise<CliResult> => runCli(['status', ...repository, ...more]);
  async function cluster(): Promise<Cluster> {
    const { stdout } = await ask('-o', 'json');
    const document = JSON.parse(stdout || '{"clusters":[]}') as { clusters: Cluster[] };
    expect(undescribedPaths('status', document)).toEqual([]);
    return document.clusters[0]!;
  }

  test('a living capture: nothing lacks, what is stored, what is due next', async () => {
    await eventually(async () => (await cluster()).owner?.capture?.watching === true, WAIT);
    for (let index = 0; index < 5; index++) await etcd.etcdctl('put', `key-${index}`, 'value');
    await eventually(async () => (await cluster()).repository?.newestDelta?.revision === 6, WAIT);
    await eventually(async () => (await cluster()).owner?.capture?.revision === 6, WAIT);
    const told = await cluster();
    expect(told).toMatchObject({
      cluster: 'prod',
      lag: { revisions: 0, seconds: 0 },
      backlog: { messages: 0 },
      failures: [],
      repository: { newestFull: { bytes: expect.any(Number) as number }, restorable: { to: 6 } },
    });
    expect(Object.keys(told.next ?? {})).toEqual(['full', 'delta', 'gc', 'defrag']);
    // Midnight of Shanghai, every third day.
    expect(told.next?.['defrag']).toMatch(/T16:00:00\.000Z$/);
    const { stdout, exitCode } = await ask();
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/captured +revision 6 of timeline 1; nothing lacks/);
    expect(stdout).toMatch(/last delta +to revision 6, /);
    expect(stdout).toMatch(/last error +none/);
  });

  test('an etcd that is gone: the error stands there with its time and remedy', async () => {
    await etcd.kill();
    await eventually(async () => (await cluster()).failures.some(({ of }) => of === 'capture'), WAIT);
    const [failure] = (await cluster()).failures;
    expect(failure).toMatchObject({ of: 'capture', code: 'ETCD_UNREACHABLE', remedy: expect.stringContaining('etcd') });
    const { stdout, exitCode } = await ask();
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/ERROR +capture, .* ago\)/);
    expect(stdout).toMatch(/ {2}do +Check the endpoints/);
    await etcd.restart();
    await eventually(async () => (await cluster()).failures.length === 0, WAIT);
  });

  test('without a daemon: what the repository alone tells, and exit code 10', async () => {
    daemon.child.kill('SIGTERM');
    expect((await daemon.result).exitCode).toBe(0);
    const { stdout, stderr, exitCode } = await ask();
    expect(exitCode).toBe(10);
    expect(stderr).toContain('No daemon runs');
    expect(stdout).toContain('repository alone');
    expect(stdout).toMatch(/restorable +revisions 1 to 6 of timeline 1/);
    expect((await cluster()).repository?.restorable?.to).toBe(6);
  });
});
