import { mkdirSync, readdirSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { BoltFile } from '../bolt/bolt-file.ts';
import { Scratch } from '../bolt/testing/scratch.ts';
import { hashKV } from '../mvcc/hash-kv.ts';
import { rowsOfHistory, writeModelStore, type ModelRow } from '../mvcc/testing/model-store.ts';
import type { ProofRecord } from '../repository/proof-record.ts';
import { TestRepository } from '../restore/testing/repository-of.ts';
import type { ExpectedHash } from './hash-comparison.ts';
import { proveChain, type ProveChainOptions } from './prove-chain.ts';
import { compacted, cut, history, LIES, tell } from './testing/lies.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());
const SEED = Number(process.env['ETCD_OPS_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`seed ${SEED}`);

interface ChainModel {
  rows: readonly ModelRow[];
  told?: readonly ModelRow[];
  /** S of the base. */
  baseEnd: number;
  baseCompact?: number;
  /** C of the full at the end. */
  nextCompact?: number;
}

function storeOf(rows: readonly ModelRow[], compact: number | undefined): string {
  const path = scratch.file();
  const meta = compact === undefined ? {} : { scheduled: compact, finished: compact };
  writeModelStore(path, compact === undefined ? rows : compacted(rows, compact), meta);
  return path;
}

async function prove(model: ChainModel, options: Partial<ProveChainOptions> = {}): Promise<ProofRecord> {
  const { rows, told = rows, baseEnd, baseCompact, nextCompact } = model;
  const repository = new TestRepository(scratch.file());
  const upTo = (end: number): ModelRow[] => rows.filter(({ main }) => main <= end);
  const base = await repository.addFull(storeOf(upTo(baseEnd), baseCompact));
  const next = await repository.addFull(storeOf(rows, nextCompact), { createdAtMs: Date.UTC(2026, 10, 21) });
  for (const part of cut(
    told.filter(({ main }) => main > baseEnd),
    7,
  )) {
    await repository.addDelta(part);
  }
  const timeline = (await repository.inventory()).timelines[0]!;
  const find = (key: string) => timeline.fulls.find((full) => full.key === key)!;
  const scratchDir = scratch.file();
  mkdirSync(scratchDir);
  const fulls = [find(next)];
  const to = find(next).revision;
  const chain = { store: repository.store, timeline, full: find(base), to, fulls, scratchDir };
  const record = await proveChain({ ...chain, ...options });
  expect(readdirSync(scratchDir)).toEqual([]);
  return record;
}

const SIMPLE = rowsOfHistory(Array.from({ length: 40 }, (_, index) => [{ key: `k${index % 7}`, valueBytes: 30 }]));

test('a chain that holds what the cluster held is proven by the next full, whatever that was compacted at', async () => {
  await fc.assert(
    fc.asyncProperty(
      history,
      fc.double({ min: 0.1, max: 0.9, noNaN: true }),
      fc.constantFrom(undefined, 0.2, 0.7, 1),
      async (operations, part, compact) => {
        const rows = rowsOfHistory([...operations, [{ key: 'alive' }]]);
        const last = rows.at(-1)!.main;
        const baseEnd = Math.max(2, Math.round(last * part));
        const nextCompact = compact === undefined ? undefined : Math.max(2, Math.round(last * compact));
        const record = await prove({ rows, baseEnd, nextCompact: nextCompact! });
        expect(record).toMatchObject({ verdict: 'ok', to: last });
        expect(record.comparisons).toEqual([expect.objectContaining({ with: 'full', outcome: 'equal' })]);
        expect(record.databaseBytes).toBeGreaterThan(0);
      },
    ),
    { seed: SEED, numRuns: 25 },
  );
});

test('every lie about rows is found', async () => {
  const found = new Set<string>();
  await fc.assert(
    fc.asyncProperty(history, fc.constantFrom(...LIES), fc.nat(10_000), async (operations, lie, at) => {
      const rows = rowsOfHistory([...operations, [{ key: 'alive' }]]);
      const baseEnd = Math.max(2, Math.round(rows.at(-1)!.main / 3));
      const told = tell(rows, lie, at);
      fc.pre(told !== undefined && told.revision > baseEnd);
      const record = await prove({ rows, told: told.rows, baseEnd });
      found.add(lie);
      expect(record).toMatchObject({ verdict: 'failed', problem: expect.stringContaining('HashKV') as unknown });
    }),
    { seed: SEED, numRuns: 60 },
  );
  expect(found.size).toBeGreaterThan(3);
});

async function witnessOf(rows: readonly ModelRow[], revision: number, compactRevision: number): Promise<ExpectedHash> {
  using file = BoltFile.open(storeOf(rows, undefined));
  const { hash } = await hashKV(file, { revision, compactRevision });
  return { with: 'witness', key: `w${revision}`, revision, compactRevision, hash };
}

test('witnesses prove a chain without a later full; one that does not apply is unusable and says nothing', async () => {
  const good = await witnessOf(SIMPLE, 30, 15);
  const witnesses = [
    good,
    { ...(await witnessOf(SIMPLE, 41, 20)), revision: 99 },
    await witnessOf(SIMPLE, 35, 4),
    await witnessOf(SIMPLE, 33, -1),
  ];
  const model = { rows: SIMPLE, baseEnd: 20, baseCompact: 10 };
  const record = await prove(model, { fulls: [], witnesses });
  expect(record.verdict).toBe('ok');
  expect(record.comparisons?.map(({ key, outcome }) => [key, outcome])).toEqual([
    ['w41', 'unusable'],
    ['w35', 'unusable'],
    ['w33', 'unusable'],
    ['w30', 'equal'],
  ]);
  const unusable = await prove(model, { fulls: [], witnesses: witnesses.slice(1) });
  expect(unusable).toMatchObject({ verdict: 'open' });
  const wrong = await prove(model, { fulls: [], witnesses: [{ ...good, hash: good.hash ^ 1 }] });
  expect(wrong).toMatchObject({ verdict: 'failed', problem: expect.stringContaining('w30 at revision 30') as unknown });
});

test('with nothing alive, a hash that differs says nothing', async () => {
  const rows = rowsOfHistory([
    [{ key: 'a' }],
    [{ key: 'b' }],
    [{ key: 'a', deleted: true }],
    [{ key: 'b', deleted: true }],
  ]);
  const witnesses = [{ with: 'witness', key: 'w', revision: 5, compactRevision: 4, hash: 1 } as const];
  const record = await prove({ rows, baseEnd: 3 }, { fulls: [], witnesses });
  expect(record).toMatchObject({ verdict: 'open', comparisons: [{ outcome: 'unusable' }] });
});

test('a full that was made of backups is held against nothing, whoever names it', async () => {
  const repository = new TestRepository(scratch.file());
  await repository.addFull(storeOf(SIMPLE.slice(0, 20), undefined));
  await repository.addDelta(SIMPLE.slice(20));
  await repository.addFull(storeOf(SIMPLE, 41), { createdAtMs: Date.UTC(2026, 10, 21), cause: 'compact' });
  const timeline = (await repository.inventory()).timelines[0]!;
  const [full, ...fulls] = timeline.fulls;
  const chain = { store: repository.store, timeline, full: full!, to: 41, fulls, scratchDir: scratch.file() };
  const record = await proveChain(chain);
  expect(record).toMatchObject({ verdict: 'open', comparisons: [{ outcome: 'unusable' }] });
  expect(record.provenTo).toBeUndefined();
});

test('what cannot be restored is failed, and the object is named', async () => {
  const repository = new TestRepository(scratch.file());
  await repository.addFull(storeOf(SIMPLE.slice(0, 20), undefined));
  const key = await repository.addDelta(SIMPLE.slice(20));
  const stored = await repository.store.get(key);
  stored[stored.length >> 1]! ^= 1;
  await repository.store.delete([key]);
  await repository.store.put(key, stored);
  const timeline = (await repository.inventory()).timelines[0]!;
  const options = { store: repository.store, timeline, full: timeline.fulls[0]!, to: 41, scratchDir: scratch.file() };
  const record = await proveChain(options);
  expect(record).toMatchObject({ verdict: 'failed', problem: expect.stringContaining(key) as unknown });
  await expect(proveChain({ ...options, scratchBytesMax: 1_000 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
});
