import {
  clusterKey,
  clusterSpecs,
  clusterSpecSchema,
  connectBus,
  dispatchTask,
  ensureTopology,
  lastDone,
  lastDoneKey,
  type LastDone,
} from '@etcd-ops/bus';
import { EtcdCluster } from '@etcd-ops/etcd-client';
import { createLogger, createMetrics, createServiceContext, runServices, systemClock } from '@etcd-ops/service-kit';
import {
  etcdVersions,
  eventually,
  findBinary,
  missingBinary,
  startEtcd,
  startNats,
  tempDir,
  type TestEtcd,
} from '@etcd-ops/test-kit';
import { describe, expect, it } from 'vitest';
import { readClusterView } from './cluster-view.ts';
import type { DefragOptions, DefragReport } from './defrag.ts';
import { defragCluster } from './defrag.ts';
import { reclaimableBytes } from './defrag-plan.ts';
import { createMaintainerService } from './service.ts';

const logger = createLogger({ level: 'silent', name: 'test' });
const KIB = 1024;
const versions = ['3.4', '3.5'].filter((version) => etcdVersions().some((found) => found.startsWith(version)));

const options = (changes: Partial<DefragOptions> = {}): DefragOptions => ({
  limits: { reclaimBytesMin: 100 * KIB, reclaimRatioMin: 0.1, lagEntriesMax: 1_000 },
  defragTimeoutMs: 30_000,
  recoveryTimeoutMs: 15_000,
  requestTimeoutMs: 3_000,
  clock: systemClock,
  logger,
  signal: new AbortController().signal,
  ...changes,
});

/** Writes, overwrites and compacts, so that most pages of every file are free. */
async function makeHoles(etcd: TestEtcd): Promise<void> {
  const value = 'x'.repeat(40 * KIB);
  for (let write = 0; write < 60; write++) await etcd.etcdctl('put', 'k', value);
  await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
  const leader = cluster.members()[0]!;
  const { revision } = await leader.status();
  await leader.compact(revision, { physical: true });
  await eventually(async () => {
    // Pages that a transaction frees are free for others only once the next one has begun.
    await etcd.etcdctl('put', 'k2', 'x');
    const view = await readClusterView(cluster);
    for (const member of view.members) expect(reclaimableBytes(member)).toBeGreaterThan(1_000 * KIB);
  });
}

describe.skipIf(versions.length === 0).each(versions)('etcd %s', (version) => {
  it('defragments follower, follower, and the former leader after its leadership was moved', async () => {
    await using etcd = await startEtcd({ version, members: 3 });
    await makeHoles(etcd);
    await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
    const before = await readClusterView(cluster);
    const leader = before.members.find(({ status }) => status?.isLeader === true)!;
    const phases: string[] = [];
    const report = await defragCluster(cluster, options({ onProgress: (phase) => phases.push(phase.split(' ')[0]!) }));

    expect(phases).toEqual(['defragmenting', 'defragmenting', 'moving', 'defragmenting']);
    expect(report.members).toHaveLength(3);
    expect(report.members.at(-1)!.name).toBe(leader.name);
    expect(new Set(report.members.map(({ name }) => name)).size).toBe(3);
    expect(report.leaderMoves).toHaveLength(1);
    for (const { outcome, bytesBefore, bytesAfter } of report.members) {
      expect(outcome).toBe('defragmented');
      expect(bytesAfter).toBeLessThan(bytesBefore);
    }
    const after = await readClusterView(cluster);
    expect(after.members.find(({ status }) => status?.isLeader === true)!.id).not.toBe(leader.id);
    expect(report.reclaimedBytes).toBeGreaterThan(3_000 * KIB);

    // What is done is done: a repetition finds nothing worth it and touches nobody.
    const again = await defragCluster(cluster, options());
    expect(again.members.map(({ outcome }) => outcome)).toEqual(['left-alone', 'left-alone', 'left-alone']);
    expect(again.leaderMoves).toEqual([]);

    // A member that is not well stops everything.
    const leads = (await readClusterView(cluster)).members.find(({ status }) => status?.isLeader === true)!;
    // The leader of all: until there is another one, not even the question for alarms is answered.
    await etcd.members.find(({ name }) => name === leads.name)!.kill();
    await expect(defragCluster(cluster, options({ requestTimeoutMs: 500 }))).rejects.toMatchObject({
      code: 'DEFRAG_REFUSED',
      message: expect.stringContaining('nothing was defragmented'),
    });
  });

  it('refuses under NOSPACE when nothing can be gained, and says why', async () => {
    await using etcd = await startEtcd({ version, extraFlags: ['--quota-backend-bytes', String(2 * 1024 * KIB)] });
    const value = 'x'.repeat(30 * KIB);
    for (let key = 0; key < 40; key++) await etcd.etcdctl('put', `k9${key}`, 'x');
    // Different keys: all of it is live.
    await eventually(async () => {
      for (let key = 0; ; key++) {
        const full = await etcd.etcdctl('put', `k1${key}`, value).then(
          () => false,
          (error: unknown) => String(error).includes('space exceeded'),
        );
        if (full) return true;
      }
    });
    await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
    const large = options({ limits: { reclaimBytesMin: 64 * 1024 * KIB, reclaimRatioMin: 0.9, lagEntriesMax: 1_000 } });
    await expect(defragCluster(cluster, large)).rejects.toMatchObject({
      code: 'DEFRAG_REFUSED',
      message: expect.stringMatching(/NOSPACE.*compact or delete first/),
    });

    // Once there are free pages it does, and leaves the alarm to a person.
    await etcd.etcdctl('del', 'k1', '--prefix');
    const member = cluster.members()[0]!;
    await member.compact((await member.status()).revision, { physical: true });
    let spare = 0;
    const report = await eventually(async () => {
      // A deletion is the one write that the alarm lets through; it releases the pages that the compaction freed.
      await etcd.etcdctl('del', `k9${spare++}`);
      return await defragCluster(cluster, large);
    });
    expect(report).toMatchObject({ noSpaceAlarmStays: true, members: [{ outcome: 'defragmented' }] });
    expect(await etcd.etcdctl('alarm', 'list')).toContain('NOSPACE');
  });
});

it('works off a task of the scheduler with the settings of the spec', async ({ skip }) => {
  skip(findBinary('nats-server') === undefined, missingBinary('nats-server'));
  skip(findBinary('etcd') === undefined, missingBinary('etcd'));
  await using etcd = await startEtcd();
  await makeHoles(etcd);
  await using dir = tempDir();
  await using nats = await startNats();
  await using bus = await connectBus({ url: nats.url, name: 'test' });
  await ensureTopology(bus);
  await clusterSpecs(bus).put(
    clusterKey('prod'),
    clusterSpecSchema.parse({
      version: 1,
      name: 'prod',
      endpoints: etcd.endpoints,
      store: { provider: 'Local', bucket: dir.file('bucket') },
      defrag: { minReclaimBytes: 100 * KIB },
    }),
  );
  const metrics = createMetrics('test');
  await using context = await createServiceContext({
    bus,
    logger,
    metrics,
    stateDir: dir.file('state'),
    spoolDir: dir.file('spool'),
  });
  const stop = new AbortController();
  const ended = runServices([createMaintainerService(context)], { logger, signal: stop.signal, drainTimeoutMs: 5_000 });
  ended.catch(() => undefined);
  await dispatchTask(bus, {
    version: 1,
    id: 'd1',
    kind: 'defrag',
    cluster: 'prod',
    cause: 'request',
    createdAt: new Date().toISOString(),
  });
  const done = await eventually(
    async (): Promise<LastDone | false> => (await lastDone(bus).get(lastDoneKey('defrag', 'prod')))?.value ?? false,
  );
  expect(done).toMatchObject({ ok: true, taskId: 'd1' });
  expect((done.summary as unknown as DefragReport).members).toMatchObject([{ outcome: 'defragmented' }]);
  expect(await metrics.exposition()).toMatch(/etcdops_defrag_reclaimed_bytes_total{cluster="prod"} [1-9]/);
  stop.abort();
  await ended;
});
