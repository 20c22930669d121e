import { Random } from '@etcd-ops/core';
import { etcdVersions, missingBinary, tempDir, type TempDir } from '@etcd-ops/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from './failures/run-cli.ts';
import { recordSnapshots, storeChain } from './restore/recorded-repository.ts';

const SEED = 20_261_120;
const REVISIONS = 8;
const reason = etcdVersions().length === 0 ? missingBinary('etcd') : undefined;

test('the servers for these tests are there', (context) => {
  if (reason !== undefined) context.skip(reason);
});

interface Plan {
  timeline: number;
  revision: number;
  full: string;
  cutFull: boolean;
  deltas: string[];
  bytesToFetch: number;
  expectedDbBytes: number;
  members: { dataDir: string }[];
}

interface Report {
  timeline: number;
  revision: number;
  full: { key: string; cut: boolean };
  deltas: number;
  bytesFetched: number;
  databaseBytes: number;
  members: { dataDir: string }[];
}

interface Listed {
  restorable: { from: number; to: number; fromTime: string; toTime: string }[];
  timelines: { fulls: { key: string }[]; deltas: { last: number; lastObserved?: string }[] }[];
}

/** What `--plan` says is what the restore then does. */
describe.skipIf(reason !== undefined)('--plan', () => {
  let scratch: TempDir;
  let repository: string[];
  let listed: Listed;

  beforeAll(async () => {
    scratch = tempDir();
    await storeChain(scratch.file('bak'), await recordSnapshots(scratch.file('snapshots')), { revisionsEach: 60 });
    repository = ['--bucket', scratch.file('bak'), '--cluster-name', 'prod', '-o', 'json'];
    listed = await json<Listed>('list', []);
  });
  afterAll(() => scratch?.remove());

  async function json<T>(command: string, args: readonly string[]): Promise<T> {
    const { exitCode, stdout, stderr } = await runCli([command, ...repository, ...args]);
    expect(exitCode, stderr).toBe(0);
    return JSON.parse(stdout) as T;
  }

  async function planThenRestore(name: string, target: readonly string[]): Promise<{ plan: Plan; report: Report }> {
    const args = ['--data-dir', scratch.file(name), ...target];
    const plan = await json<Plan>('restore', ['--plan', ...args]);
    return { plan, report: await json<Report>('restore', args) };
  }

  test('says objects, revision, bytes and directories as the restore finds them, whatever the target', async () => {
    const random = new Random(SEED);
    const [{ from, to, toTime }] = listed.restorable as [Listed['restorable'][number]];
    const revisions = Array.from({ length: REVISIONS }, () => random.integer(from, to));
    const targets = [
      [],
      ['--time', toTime],
      ['--snapshot', listed.timelines[0]!.fulls[0]!.key],
      ...[from, to, ...revisions].map((revision) => ['--revision', String(revision)]),
    ];
    const seen = new Set<string>();
    for (const [index, target] of targets.entries()) {
      const { plan, report } = await planThenRestore(`restored-${index}`, target);
      expect(report, target.join(' ')).toMatchObject({
        timeline: plan.timeline,
        revision: plan.revision,
        full: { key: plan.full, cut: plan.cutFull },
        deltas: plan.deltas.length,
        bytesFetched: plan.bytesToFetch,
        members: plan.members.map(({ dataDir }) => ({ dataDir })),
      });
      // "About": a page more or less for each part of the file that grows.
      expect(report.databaseBytes / plan.expectedDbBytes).toBeGreaterThan(0.5);
      expect(report.databaseBytes / plan.expectedDbBytes).toBeLessThan(2);
      seen.add(`${plan.cutFull} ${plan.deltas.length}`);
    }
    // It would prove little if all targets were made in the same way.
    expect(seen.size).toBeGreaterThan(4);
    expect([...seen].some((way) => way.startsWith('true'))).toBe(true);
  });
});
