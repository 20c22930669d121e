import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LocalStore } from '../storage/local-store.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { proofKey, witnessKey, type ProofKeyFacts } from './evidence-key.ts';
import { readInventory } from './inventory.ts';
import { manifestKey, parseObjectKey } from './object-key.ts';
import { planRestore } from './plan-restore.ts';
import { decodeProofRecord, encodeProofRecord, PROOF_KINDS, PROOF_VERDICTS, type ProofRecord } from './proof-record.ts';
import { failedEdge, sampleChain, sampleEdge, sampleWitness } from './proof-samples.ts';
import { listWitnesses, readDoubts, readProofs, readWitness, writeProof, writeWitness } from './read-proofs.ts';
import { deltaEntry, fullEntry, inventoryOf, minute, putFull, SAMPLE_CLUSTER } from './repository-samples.ts';
import { decodeWitness, encodeWitness } from './witness-record.ts';

let directory: string;
let store: LocalStore;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'etcd-ops-proofs-'));
  store = new LocalStore(directory);
});
afterEach(async () => await rm(directory, { recursive: true, force: true }));

const facts: fc.Arbitrary<ProofKeyFacts> = fc.record({
  cluster: fc.string({ minLength: 1, maxLength: 20 }),
  timeline: fc.integer({ min: 1, max: 99_999_999 }),
  revision: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  createdAtMs: fc.nat(9_999_999_999_999),
  provedAtMs: fc.nat(9_999_999_999_999),
  proof: fc.constantFrom(...PROOF_KINDS),
  verdict: fc.constantFrom(...PROOF_VERDICTS),
});

test('keys of proofs and witnesses are parsed into what they were built of', () => {
  fc.assert(
    fc.property(facts, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (proof, id) => {
      expect(parseObjectKey(proofKey(proof))).toEqual({ kind: 'proof', ...proof });
      const { cluster, timeline, revision } = proof;
      const witness = { cluster, timeline, revision, askedAtMs: proof.provedAtMs, memberId: id.toString(16) };
      expect(parseObjectKey(witnessKey(witness))).toEqual({ kind: 'witness', ...witness });
    }),
  );
});

test('names that nobody writes are foreign', () => {
  const good = proofKey({ ...parsedSample(), cluster: 'c' });
  expect(parseObjectKey(good)).toBeDefined();
  for (const bad of [
    good.replace('edge-ok', 'edge-fine'),
    good.replace('t00000001', 't00000000'),
    good.replace('00000000000000000200', '00000000000000000000'),
    good.replace('00000000000000000200', '99999999999999999999'),
    good.replace('.json', '.yaml'),
    'c/witness/t00000001-00000000000000000200-0000000000001-01.json',
    'c/witness/t00000001-00000000000000000200-0000000000001-11111111111111111.json',
  ]) {
    expect(parseObjectKey(bad), bad).toBeUndefined();
  }
});

function parsedSample(): ProofKeyFacts {
  const parsed = { timeline: 1, revision: 200, createdAtMs: 1, provedAtMs: 2 };
  return { ...parsed, cluster: SAMPLE_CLUSTER, proof: 'edge', verdict: 'ok' };
}

/** As version 1 wrote them, for ever readable. (ETCD_OPS_WRITE_GOLDEN=1 writes files that do not exist yet.) */
test.each([
  ['proof-v1-edge.json', encodeProofRecord(failedEdge({ leasesDiffering: 2 }))],
  ['proof-v1-chain.json', encodeProofRecord(sampleChain())],
  ['proof-v1-chain-proven-to.json', encodeProofRecord(sampleChain({ provenTo: 250 }))],
  ['witness-v1.json', encodeWitness(sampleWitness())],
])('the record %s of version 1', async (name, bytes) => {
  const path = join(import.meta.dirname, 'fixtures', name);
  if (process.env['ETCD_OPS_WRITE_GOLDEN'] === '1') await writeFile(path, bytes, { flag: 'wx' });
  const found = await readFile(path);
  expect(bytes.toString()).toBe(found.toString());
  const decoded = name.startsWith('witness') ? decodeWitness(found) : decodeProofRecord(found);
  expect(JSON.parse(found.toString())).toMatchObject(decoded);
});

test('a flipped byte in a record is found', () => {
  const bytes = encodeProofRecord(sampleChain());
  const at = bytes.indexOf('1480');
  bytes[at] = 0x32;
  expect(() => decodeProofRecord(bytes)).toThrow(expect.objectContaining({ code: 'MANIFEST_DAMAGED' }));
});

test('proofs are read newest first, one for each full, and say what a restore takes', async () => {
  const older = sampleChain({ provedAt: new Date(minute(300)).toISOString(), restoreMs: 9, to: 220 });
  const newer = sampleChain();
  const failed = sampleChain({ revision: 100, verdict: 'failed', provedAt: new Date(minute(500)).toISOString() });
  for (const record of [older, newer, failed]) {
    const revision = record === failed ? 100 : 200;
    await writeProof(store, record, { revision, createdAtMs: minute(revision) });
  }
  await store.put(proofKey({ ...parsedSample(), proof: 'chain', revision: 7 }), Buffer.from('no record'));
  const proofs = await readProofs(store, SAMPLE_CLUSTER);
  expect(proofs.chains.map(({ record }) => record)).toEqual([failed, newer]);
  expect(proofs.proven?.record).toEqual(newer);
  expect(proofs.restoreMs).toBe(1_480);
  expect(proofs.provenChains.map(({ record, provenTo }) => [record.full, provenTo])).toEqual([[newer.full, 250]]);
  expect(proofs.damaged).toHaveLength(1);
  expect(await readProofs(store, 'another')).toEqual({ chains: [], edges: [], provenChains: [], damaged: [] });
});

describe('who vouched for a chain', () => {
  const equalTo = (key: string): ProofRecord['comparisons'] => [
    { with: 'full', key, revision: 260, compactRevision: 210, expected: 7, found: 7, outcome: 'equal' },
  ];
  const where = { revision: 200, createdAtMs: minute(200) };

  test.each([
    ['a full of the cluster', {}, 260],
    ['a full that was made of the chain', { cause: 'compact' }, undefined],
    ['an imported full, which may be such a one', { cause: 'import' }, undefined],
  ])('%s, in a record that does not say it yet', async (_, manifest, provenTo) => {
    const other = await putFull(store, { revision: 260, manifest });
    const record = sampleChain({ comparisons: equalTo(other.key)! });
    await writeProof(store, record, where);
    const proofs = await readProofs(store, SAMPLE_CLUSTER);
    expect(proofs.proven?.provenTo).toBe(provenTo);
    expect(proofs.chains[0]?.record.verdict).toBe(provenTo === undefined ? 'open' : 'ok');
    // Nobody knows any more whose it was.
    await store.delete([manifestKey(other.key)]);
    expect((await readProofs(store, SAMPLE_CLUSTER)).provenChains).toEqual([]);
  });

  test('a witness inside of the chain does, up to its own revision', async () => {
    const other = await putFull(store, { revision: 260, manifest: { cause: 'compact' } });
    const comparisons = [...sampleChain().comparisons!, ...equalTo(other.key)!];
    await writeProof(store, sampleChain({ comparisons }), where);
    expect((await readProofs(store, SAMPLE_CLUSTER)).proven?.provenTo).toBe(250);
  });

  test('a record that says it is believed', async () => {
    await writeProof(store, sampleChain({ comparisons: equalTo('gone')!, provenTo: 260 }), where);
    expect((await readProofs(store, SAMPLE_CLUSTER)).proven?.provenTo).toBe(260);
  });

  test('an open proof takes nothing back, a failed one does', async () => {
    const at = (minutes: number, changes: Partial<ProofRecord> = {}): ProofRecord =>
      sampleChain({ provedAt: new Date(minute(minutes)).toISOString(), ...changes });
    const proven = at(300);
    await writeProof(store, proven, where);
    await writeProof(store, at(400, { verdict: 'open', problem: 'nothing to compare' }), where);
    const proofs = await readProofs(store, SAMPLE_CLUSTER);
    expect(proofs.chains.map(({ record }) => record.verdict)).toEqual(['open']);
    expect(proofs.proven?.record).toEqual(proven);
    await writeProof(store, at(500, { verdict: 'failed' }), where);
    await writeProof(store, at(600, { verdict: 'open', problem: 'nothing to compare' }), where);
    expect((await readProofs(store, SAMPLE_CLUSTER)).provenChains).toEqual([]);
  });
});

test('witnesses come back as they were', async () => {
  const key = await writeWitness(store, sampleWitness());
  await writeWitness(store, sampleWitness({ revision: 90, compactRevision: -1 }));
  const entries = await listWitnesses(store, SAMPLE_CLUSTER);
  expect(entries.map(({ revision }) => revision)).toEqual([90, 250]);
  expect(await readWitness(store, key, [])).toEqual(sampleWitness());
});

test('the inventory knows what a failed edge leaves in doubt, and nothing of it is foreign', async () => {
  await putFull(store, { revision: 100 });
  await putFull(store, { revision: 200 });
  await writeWitness(store, sampleWitness());
  const where = { revision: 200, createdAtMs: minute(200) };
  await writeProof(store, failedEdge(), where);
  const doubted = await readInventory(store, SAMPLE_CLUSTER);
  expect(doubted.doubts?.map(({ key }) => key)).toContain(fullEntry({ revision: 200 }).key);
  expect(doubted.foreign).toEqual([]);
  await writeProof(store, sampleEdge({ provedAt: '2027-01-01T00:00:00.000Z' }), where);
  expect((await readInventory(store, SAMPLE_CLUSTER)).doubts).toBeUndefined();
});

test('a failed edge stays in doubt behind any number of good ones', async () => {
  const records = new Map<string, Buffer>();
  const note = (record: ProofRecord, revision: number): void => {
    const { cluster, timeline, proof, verdict } = record;
    const times = { createdAtMs: minute(revision), provedAtMs: Date.parse(record.provedAt) };
    records.set(proofKey({ cluster, timeline, proof, verdict, revision, ...times }), encodeProofRecord(record));
  };
  note(failedEdge(), 200);
  for (let revision = 300; revision < 700; revision++) note(sampleEdge({ revision, from: revision - 1 }), revision);
  const stub = { get: (key: string) => Promise.resolve(records.get(key)!) } as unknown as ObjectStore;
  const read = async () => await readDoubts(stub, [...records.keys()], { damaged: [], deltas: [] });
  expect((await read()).map(({ key }) => key)).toContain(failedEdge().full);
  // The full behind it bears the deltas out: that is read, too.
  note(sampleEdge({ revision: 201, from: 101 }), 201);
  expect((await read()).map(({ key }) => key)).toEqual([failedEdge().full]);
});

test('a plan goes round what is in doubt where it can, and says so where it cannot', () => {
  const inventory = inventoryOf(
    [{ revision: 100 }, { revision: 200 }],
    [
      { first: 101, last: 150 },
      { first: 151, last: 200 },
      { first: 201, last: 250 },
    ],
  );
  const delta = deltaEntry({ first: 151, last: 200 }).key;
  const full = fullEntry({ revision: 200 }).key;
  const at = (revision: number, keys: string[]) =>
    planRestore(
      { ...inventory, doubts: keys.map((key) => ({ key, reason: 'it differs' })) },
      { kind: 'revision', revision },
    );
  // The deltas are in doubt: the full, cut, gives the same revision.
  const cut = at(180, [delta]);
  expect([cut.full.key, cut.cutFull]).toEqual([full, true]);
  expect(cut.warnings).toContainEqual(expect.stringContaining(`${delta} was not used`));
  // The full is in doubt: the deltas lead past it.
  const past = at(230, [full]);
  expect(past.full.revision).toBe(100);
  expect(past.deltas).toHaveLength(3);
  expect(past.warnings).toEqual([expect.stringContaining(`${full} was not used`)]);
  // Both are: what there is, with a warning for what of it is in doubt.
  const doubted = at(230, [full, delta]);
  expect(doubted.full.key).toBe(full);
  expect(doubted.warnings).toEqual([expect.stringContaining('IN DOUBT')]);
  expect(at(140, [full, delta]).warnings).toEqual([]);
  // One full as it is was asked for by name.
  const named = planRestore(
    { ...inventory, doubts: [{ key: full, reason: 'it differs' }] },
    { kind: 'snapshot', key: full },
  );
  expect(named.warnings).toEqual([expect.stringContaining('IN DOUBT')]);
});
