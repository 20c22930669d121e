import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { BoltFile } from '../bolt/bolt-file.ts';
import { Scratch } from '../bolt/testing/scratch.ts';
import { copyRepository } from '../copy/copy-repository.ts';
import { mergeDeltas } from '../merge/merge-deltas.ts';
import { planMerges } from '../merge/plan-merges.ts';
import { readLeases } from '../mvcc/leases.ts';
import { rowsOfHistory, writeModelStore } from '../mvcc/testing/model-store.ts';
import { STORED_PLAIN } from '../repository/packing.ts';
import { planRestore, type RestoreTarget } from '../repository/plan-restore.ts';
import { retentionPolicyOf } from '../retention/policy.ts';
import { planRetention } from '../retention/plan-retention.ts';
import { stageRemoval } from '../retention/stage-removal.ts';
import { restoreAround, type RestoreAroundReport } from '../restore/restore-around.ts';
import { TestRepository } from '../restore/testing/repository-of.ts';
import { LocalStore } from '../storage/local-store.ts';
import { verifyRepository } from '../verify/verify-repository.ts';
import { nameOfLeases, putLeases } from './stored-leases.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());
const CLUSTER = 'test';
const START_MS = Date.UTC(2026, 10, 20);
/** Revisions 2 to 13; those that end a delta name a lease of their own. */
const ENDS = [5, 8, 11, 13];
const rows = rowsOfHistory(
  Array.from({ length: 12 }, (_, index) => [
    { key: `k${index}`, lease: ENDS.includes(index + 2) ? BigInt(index + 2) : 0n },
  ]),
);

const ttlOf = (id: bigint): number => 1_000 + Number(id);

async function addLeases(repository: TestRepository, revision: number): Promise<string> {
  const id = BigInt(revision);
  const object = {
    ...{ clusterId: 1n, timeline: 1, revision, observedMs: START_MS + revision },
    records: [{ id, grantedTtlSeconds: ttlOf(id), askedAtRevision: revision, source: 'ttl' as const }],
  };
  const key = nameOfLeases(CLUSTER, object, STORED_PLAIN);
  expect(await putLeases(repository.store, key, object, { packing: STORED_PLAIN })).toMatchObject({
    outcome: 'created',
  });
  // Another uploader of the same events stores the same, and finds it.
  expect(await putLeases(repository.store, key, object, { packing: STORED_PLAIN })).toMatchObject({ outcome: 'equal' });
  return key;
}

/** A full of revision 2, and four deltas; what was learned of the lease of each came behind it. */
async function makeRepository(): Promise<{ repository: TestRepository; keys: string[] }> {
  const repository = new TestRepository(scratch.file());
  const full = scratch.file();
  writeModelStore(full, rows.slice(0, 1));
  await repository.addFull(full, { createdAtMs: START_MS });
  const keys: string[] = [];
  for (const [index, last] of ENDS.entries()) {
    const first = (ENDS[index - 1] ?? 2) + 1;
    const part = rows.filter(({ main }) => main >= first && main <= last);
    await repository.addDelta(part, { lastObservedMs: START_MS + (index + 1) * 20_000 });
    keys.push(await addLeases(repository, last));
  }
  return { repository, keys };
}

async function restored(
  repository: { store: LocalStore; inventory: TestRepository['inventory'] },
  restoreTo: RestoreTarget = { kind: 'latest' },
): Promise<{ report: RestoreAroundReport; ttls: Map<bigint, number> }> {
  const dataDir = scratch.file();
  const report = await restoreAround({
    store: repository.store,
    inventory: await repository.inventory(),
    restoreTo,
    dataDirs: [{ member: 'm', dataDir }],
    initialCluster: [{ name: 'm', peerUrls: ['http://localhost:2380'] }],
    token: 'token',
  });
  using file = BoltFile.open(join(dataDir, 'member', 'snap', 'db'));
  return { report, ttls: new Map([...readLeases(file)].map(([id, { ttlSeconds }]) => [id, ttlSeconds])) };
}

async function mergeAll(repository: TestRepository): Promise<void> {
  const policy = { windowsMs: [60_000, 3_600_000], settleMs: 0, bytesMax: 1_000_000 };
  const scratchDir = scratch.file();
  mkdirSync(scratchDir);
  for (const job of planMerges(await repository.inventory(), policy, START_MS + 86_400_000)) {
    await mergeDeltas(job, { store: repository.store, scratchDir });
  }
}

const known = (ids: readonly number[]): Map<bigint, number> =>
  new Map(ids.map((id) => [BigInt(id), ttlOf(BigInt(id))]));

describe('lease objects', () => {
  test('tell a restore the TTLs of leases that no delta does, at the revision and before it', async () => {
    const { repository } = await makeRepository();
    const { report, ttls } = await restored(repository);
    expect(ttls).toEqual(known(ENDS));
    expect(report).toMatchObject({ revision: 13, leases: { kept: 0, fromDeltas: 4, unknown: [] }, warnings: [] });
    const { ttls: earlier, report: before } = await restored(repository, { kind: 'revision', revision: 8 });
    expect(earlier).toEqual(known([5, 8]));
    expect(before.plan.leases?.map(({ revision }) => revision)).toEqual([5, 8]);
  });

  test('that are damaged or missing fail no restore: it warns, and names the way to another TTL', async () => {
    const { repository, keys } = await makeRepository();
    await repository.store.put(keys[3]!, Buffer.alloc(200, 1));
    await repository.store.delete([keys[1]!]);
    const { report, ttls } = await restored(repository);
    expect(ttls).toEqual(new Map([...known([5, 11]), [8n, 60], [13n, 60]]));
    expect(report.leases.unknown).toEqual([8n, 13n]);
    expect(report.warnings.join('\n')).toContain(keys[3]);
    expect(report.warnings.at(-1)).toMatch(/The TTLs of 2 leases are in no backup: 60 s .* --lease-unknown-ttl/);
    const verified = await verifyRepository({
      store: repository.store,
      inventory: await repository.inventory(),
      depth: 'read',
      scratchDir: scratch.file(),
    });
    expect(verified.verdict).toBe('damaged');
    expect(verified.findings.filter(({ kind }) => kind === 'damaged')).toMatchObject([{ what: keys[3] }]);
  });

  test('go into a merged delta, but for those at its end, and then nothing needs them', async () => {
    const { repository, keys } = await makeRepository();
    await mergeAll(repository);
    const { plan } = (await restored(repository)).report;
    expect(plan.deltas).toHaveLength(1);
    expect(plan.leases?.map(({ key }) => key)).toEqual([keys[3]]);
    const inventory = await repository.inventory();
    const options = { nowMs: Date.now() + 86_400_000, orphanGraceMs: 3_600_000 };
    const { remove } = planRetention(inventory, retentionPolicyOf({ maxBackups: 9 }), options);
    const going = remove.filter(({ kind }) => kind === 'leases');
    expect(going.map((decision) => [decision.keys, decision.code])).toEqual(
      keys.slice(0, 3).map((key) => [[key], 'superseded']),
    );
    for (const decision of remove) await repository.store.delete(decision.keys);
    expect((await restored(repository)).ttls).toEqual(known(ENDS));
    expect(planRetention(await repository.inventory(), retentionPolicyOf({ maxBackups: 9 }), options).remove).toEqual(
      [],
    );
  });

  test('stay with the chain that needs them, and go with it', async () => {
    const { repository, keys } = await makeRepository();
    const options = { nowMs: Date.now() + 86_400_000, orphanGraceMs: 3_600_000 };
    const policy = retentionPolicyOf({ maxBackups: 1 });
    expect(planRetention(await repository.inventory(), policy, options).remove).toEqual([]);
    const full = scratch.file();
    writeModelStore(full, rows);
    await repository.addFull(full, { createdAtMs: START_MS + 90_000 });
    const { remove } = planRetention(await repository.inventory(), policy, options);
    const going = remove.filter(({ kind }) => kind === 'leases').flatMap((decision) => decision.keys);
    expect(going).toEqual(keys.slice(0, 3));
    // Young ones stay: the delta that they follow may be on its way.
    const young = planRetention(await repository.inventory(), policy, { ...options, nowMs: Date.now() });
    expect(young.remove.filter(({ kind }) => kind === 'leases')).toEqual([]);
  });

  test('stay while somebody reads the chain that they belong to', async () => {
    const { repository, keys } = await makeRepository();
    const full = scratch.file();
    writeModelStore(full, rows);
    await repository.addFull(full, { createdAtMs: START_MS + 90_000 });
    const inventory = await repository.inventory();
    const nowMs = Date.now() + 86_400_000;
    const plan = planRetention(inventory, retentionPolicyOf({ maxBackups: 1 }), { nowMs, orphanGraceMs: 3_600_000 });
    const at = new Date(0).toISOString();
    const going = plan.remove.flatMap((decision) => decision.keys.map((key) => key.slice(`${CLUSTER}/`.length)));
    const facts = { version: 1, cluster: CLUSTER } as const;
    const mark = { ...facts, kind: 'mark', markedAt: at, keys: going } as const;
    const chain = { timeline: 1, full: inventory.timelines[0]!.fulls[0]!.key, to: 8 };
    const hold = {
      ...facts,
      kind: 'hold',
      purpose: 'restore',
      holder: 'me',
      createdAt: at,
      ttlMs: 60_000,
      chain,
    } as const;
    const records = {
      pins: [],
      marks: [{ key: `${CLUSTER}/mark/one`, record: mark, modifiedAtMs: 0 }],
      holds: [{ key: `${CLUSTER}/hold/one`, record: hold, modifiedAtMs: nowMs }],
      damaged: [],
    };
    const stage = stageRemoval(plan, records, { nowMs, graceMs: 1 });
    const held = stage.held.filter(({ decision }) => decision.kind === 'leases').flatMap((one) => one.decision.keys);
    expect(held).toEqual(keys.slice(0, 2));
    const removed = stage.remove.filter(({ kind }) => kind === 'leases').flatMap((decision) => decision.keys);
    expect(removed).toEqual([keys[2]]);
  });

  test('are copied with what they belong to', async () => {
    const { repository, keys } = await makeRepository();
    const target = new LocalStore(scratch.file());
    await copyRepository({ source: repository.store, target, cluster: CLUSTER });
    for (const key of keys) expect((await target.get(key)).equals(await repository.store.get(key))).toBe(true);
    const newest = new LocalStore(scratch.file());
    await mergeAll(repository);
    await copyRepository({ source: repository.store, target: newest, cluster: CLUSTER, scope: { kind: 'newest' } });
    expect(await newest.stat(keys[3]!)).toBeDefined();
    // Its records went along in the merged delta.
    expect(await newest.stat(keys[0]!)).toBeUndefined();
  });

  test('are never part of what is restorable', async () => {
    const { repository } = await makeRepository();
    const inventory = await repository.inventory();
    const bare = inventory.timelines.map(({ timeline, fulls, deltas }) => ({ timeline, fulls, deltas }));
    const { leases, ...plan } = planRestore(inventory, { kind: 'latest' });
    expect(leases).toHaveLength(4);
    expect(planRestore({ ...inventory, timelines: bare }, { kind: 'latest' })).toEqual(plan);
    expect(inventory.foreign).toEqual([]);
  });
});
