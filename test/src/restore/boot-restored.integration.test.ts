import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BoltFile,
  hashKV,
  LocalStore,
  parseInitialCluster,
  planRestore,
  readInventory,
  readStoreInfo,
  restore,
} from '@etcd-ops/core';
import {
  etcdVersions,
  eventually,
  findBinary,
  hardLoad,
  initialClusterOf,
  missingBinary,
  planMembers,
  runEtcdctl,
  runEtcdutl,
  spawnGuarded,
  startEtcd,
  tempDir,
} from '@etcd-ops/test-kit';
import { describe, expect, test } from 'vitest';
import { factsOf, type EtcdFacts } from './etcd-facts.ts';
import { CLUSTER, putDeltas, putFull } from './recorded-history.ts';

const TOKEN = 'restored';

describe.for(['3.4', '3.5', '3.6', '3.7'])('a restore for etcd %s', (release) => {
  const version = etcdVersions({ withBuilt: true }).findLast((found) => found.startsWith(`${release}.`));

  // Three members of 3.6 differ from three of 3.7 in nothing that a restore writes.
  test.for(release === '3.6' ? [1] : [1, 3])(
    'of a full and its deltas boots with %i members and equals its source',
    async (count, context) => {
      if (version === undefined) return context.skip(missingBinary('etcd', release));
      await using scratch = tempDir();
      const { store, before } = await recordSource(version, scratch.file(''));
      const plan = planRestore(await readInventory(store, CLUSTER), { kind: 'latest' });
      expect(plan.deltas.length).toBeGreaterThan(2);
      const members = await planMembers(count, scratch.file('restored'));
      const report = await restore({
        store,
        plan,
        dataDirs: members.map(({ name, dataDir }) => ({ member: name, dataDir })),
        initialCluster: parseInitialCluster(initialClusterOf(members)),
        token: TOKEN,
        hashKv: true,
      });
      expect(report).toMatchObject({
        revision: before.revision,
        deltas: plan.deltas.length,
        hashKv: { hash: before.hash },
      });
      for (const { dataDir } of members) {
        const db = join(dataDir, 'member/snap/db');
        const status = await runEtcdutl({ version }, 'snapshot', 'status', db, '--write-out=json');
        expect(JSON.parse(status)).toMatchObject({ revision: before.revision });
      }

      await using etcd = await startEtcd({ version, members, token: TOKEN });
      for (const endpoint of etcd.endpoints) {
        const facts = await factsOf(etcd, endpoint);
        expect(withoutLeases(facts)).toEqual(withoutLeases(before));
        // A lease that only dead keys named is extra; each that the source had is there, with its TTL and its keys.
        expect(facts.leases).toEqual(expect.arrayContaining(before.leases));
      }
      await useAndRestart(etcd);
      if (count === 1 && release !== '3.4') await verifyAtStop(version, etcd.dataDir, etcd);
    },
  );
});

test.for([
  { from: '3.4', target: '3.5', boots: '3.5' },
  { from: '3.5', target: '3.6', boots: '3.7' },
  { from: '3.7', target: '3.6', boots: '3.6' },
  { from: '3.6', target: '3.4', boots: '3.4' },
] as const)(
  'a snapshot of etcd $from restored for $target boots in $boots',
  async ({ from, target, boots }, context) => {
    const [source, newer] = [from, boots].map((release) =>
      etcdVersions({ withBuilt: true }).findLast((found) => found.startsWith(`${release}.`)),
    );
    if (source === undefined || newer === undefined) {
      return context.skip(missingBinary('etcd', source === undefined ? from : boots));
    }
    await using scratch = tempDir();
    const { store, before } = await recordSource(source, scratch.file(''));
    const members = await planMembers(1, scratch.file('restored'));
    await restore({
      store,
      plan: planRestore(await readInventory(store, CLUSTER), { kind: 'latest' }),
      dataDirs: members.map(({ name, dataDir }) => ({ member: name, dataDir })),
      initialCluster: parseInitialCluster(initialClusterOf(members)),
      token: TOKEN,
      target,
    });
    await using etcd = await startEtcd({ version: newer, members, token: TOKEN });
    const { revision, hash, compactRevision } = await factsOf(etcd, etcd.endpoint);
    expect({ revision, hash, compactRevision }).toEqual({
      revision: before.revision,
      hash: before.hash,
      compactRevision: before.compactRevision,
    });
    await useAndRestart(etcd);
    if (boots !== '3.4') await verifyAtStop(newer, etcd.dataDir, etcd);
  },
);

/** A source with two snapshots: the first is stored as a full, the rows up to the second as overlapping deltas. */
async function recordSource(version: string, directory: string): Promise<{ store: LocalStore; before: EtcdFacts }> {
  const store = new LocalStore(join(directory, 'bucket'));
  await using etcd = await startEtcd({ version });
  // Leases that run out while the facts are gathered would make the source differ from itself.
  const load = { endpoints: etcd.endpoints, valueBytesMax: 60_000 };
  await hardLoad({ ...load, seed: 11, operations: 300, without: ['leaseExpire'] });
  const snapshots = [join(directory, 's1.db'), join(directory, 's2.db')] as const;
  await etcd.etcdctl('snapshot', 'save', snapshots[0]);
  const after = await putFull(store, snapshots[0], { etcdVersion: version });
  await hardLoad({ ...load, seed: 12, operations: 500, without: ['compact', 'leaseExpire'] });
  await etcd.etcdctl('snapshot', 'save', snapshots[1]);
  await putDeltas(store, snapshots[1], { after, revisionsEach: 120, overlap: 3 });
  const before = await factsOf(etcd, etcd.endpoint);
  using file = BoltFile.open(snapshots[1]);
  expect(readStoreInfo(file).revision).toBe(before.revision);
  expect(await hashKV(file)).toEqual({
    hash: before.hash,
    revision: before.revision,
    compactRevision: before.compactRevision,
  });
  await rm(snapshots[0]);
  return { store, before };
}

function withoutLeases({ leases: _leases, ...facts }: EtcdFacts): Omit<EtcdFacts, 'leases'> {
  return facts;
}

/** What a database damaged in some corner would not survive. */
async function useAndRestart(etcd: Awaited<ReturnType<typeof startEtcd>>): Promise<void> {
  const report = await hardLoad({ endpoints: etcd.endpoints, seed: 13, operations: 200, valueBytesMax: 60_000 });
  await etcd.etcdctl('compact', String(report.revision), '--physical');
  await etcd.etcdctl('defrag');
  const hashes = await Promise.all(etcd.endpoints.map(async (endpoint) => (await factsOf(etcd, endpoint)).hash));
  expect(new Set(hashes).size).toBe(1);
  await etcd.restart();
  const restarted = await factsOf(etcd, etcd.endpoint);
  expect(restarted.revision).toBeGreaterThanOrEqual(report.revision);
  expect(complaints(etcd.log())).toEqual([]);
}

/** What etcd logged as an error or worse. That its listeners were closed, 3.6 and newer call an error at every stop. */
function complaints(log: string): string[] {
  const bad = log.split('\n').filter((line) => /"level":"(error|panic|fatal)"/.test(line));
  return bad.filter((line) => !line.includes('setting up serving from embedded etcd failed'));
}

/** etcd 3.5 compares its log and its database when it stops, if ETCD_VERIFY asks for it, and panics when they differ. */
async function verifyAtStop(
  version: string,
  dataDir: string,
  etcd: Awaited<ReturnType<typeof startEtcd>>,
): Promise<void> {
  await etcd.stop();
  const flags = [
    `--data-dir=${dataDir}`,
    '--name=m1',
    `--listen-client-urls=${etcd.endpoint}`,
    `--advertise-client-urls=${etcd.endpoint}`,
  ];
  const verified = await spawnGuarded(
    findBinary('etcd', version)!,
    [...flags, `--listen-peer-urls=${etcd.peerUrls[0]}`],
    {
      env: { ...process.env, ETCD_VERIFY: 'all' },
    },
  );
  try {
    await eventually(() => runEtcdctl({ version, endpoints: [etcd.endpoint] }, 'put', 'verified', 'yes'), {
      timeoutMs: 30_000,
    });
    verified.signal('SIGTERM');
    const { code } = await verified.exited;
    expect(verified.log()).toContain('verification of persisted state successful');
    expect(complaints(verified.log())).toEqual([]);
    expect([0, null]).toContain(code);
  } finally {
    await verified.kill();
  }
}
