import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { BoltFile } from '../bolt/bolt-file.ts';
import { BoltWriter } from '../bolt/bolt-writer.ts';
import { Scratch } from '../bolt/testing/scratch.ts';
import { encodeLeaseRow } from '../mvcc/leases.ts';
import { rowsOfHistory, writeModelStore, type ModelRow } from '../mvcc/testing/model-store.ts';
import { listProofs } from '../repository/read-proofs.ts';
import type { ProofRecord } from '../repository/proof-record.ts';
import { TestRepository } from '../restore/testing/repository-of.ts';
import { edgeSpans } from './edge-span.ts';
import { proveEdge } from './prove-edge.ts';
import { proveStoredEdge } from './prove-stored-edge.ts';
import { compacted, cut, history, LIES, tell } from './testing/lies.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());
const SEED = Number(process.env['ETCD_OPS_TEST_SEED'] ?? Date.now() % 1_000_000);
console.log(`seed ${SEED}`);

interface Edge {
  /** What the cluster held. */
  rows: readonly ModelRow[];
  /** What the deltas say. */
  told?: readonly ModelRow[];
  compactedAt?: number;
  revisionsEach?: number;
  settledTo?: number;
}

async function prove({ rows, told = rows, compactedAt, revisionsEach = 5, settledTo = 0 }: Edge): Promise<ProofRecord> {
  const repository = new TestRepository(scratch.file());
  for (const part of cut(told, revisionsEach)) await repository.addDelta(part);
  const path = scratch.file();
  const kept = compactedAt === undefined ? rows : compacted(rows, compactedAt);
  const meta = compactedAt === undefined ? {} : { scheduled: compactedAt, finished: compactedAt };
  writeModelStore(path, kept, meta);
  const key = await repository.addFull(path);
  const timeline = (await repository.inventory()).timelines[0]!;
  const full = timeline.fulls.find((found) => found.key === key)!;
  using file = BoltFile.open(path);
  return await proveEdge({ store: repository.store, timeline, full, file, settledTo, spoolDir: scratch.file() });
}

describe('the edge proof of a full', () => {
  test('is ok when the deltas hold what the full holds, and survivors below its compaction', async () => {
    await fc.assert(
      fc.asyncProperty(
        history,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 20 }),
        async (operations, part, revisionsEach) => {
          const rows = rowsOfHistory(operations);
          fc.pre(rows.length > 0);
          const last = rows.at(-1)!.main;
          const compactedAt = part < 0.3 ? undefined : Math.max(1, Math.round(last * part));
          const record = await prove({ rows, compactedAt: compactedAt!, revisionsEach });
          expect(record).toMatchObject({ verdict: 'ok', from: 2, to: last, rows: rows.length });
        },
      ),
      { seed: SEED, numRuns: 40 },
    );
  });

  test('finds every lie that the full can know of, at its revision', async () => {
    const found = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        history,
        fc.constantFrom(...LIES),
        fc.nat(10_000),
        fc.constantFrom(undefined, 0.3, 0.8),
        async (operations, lie, at, part) => {
          const rows = rowsOfHistory(operations);
          fc.pre(rows.length > 0);
          const told = tell(rows, lie, at);
          fc.pre(told !== undefined);
          const compactedAt = part === undefined ? undefined : Math.max(1, Math.round(rows.at(-1)!.main * part));
          const record = await prove({ rows, told: told.rows, compactedAt: compactedAt! });
          const kept = compactedAt === undefined ? rows : compacted(rows, compactedAt);
          const isKnown = told.revision > (compactedAt ?? 0) || (told.row !== undefined && kept.includes(told.row));
          expect(record.verdict).toBe(isKnown ? 'failed' : 'ok');
          if (!isKnown) return;
          found.add(lie);
          expect(record.difference?.revision).toBe(told.revision);
          expect(record.difference?.delta).toContain('/delta/');
          expect(record.deltaKeys?.[0]).toBe(record.difference?.delta);
          if (told.revision > (compactedAt ?? 0)) {
            expect(record.difference?.fullDigest).not.toBeNull();
            expect(record.difference?.fullDigest).not.toBe(record.difference?.deltaDigest);
          }
        },
      ),
      { seed: SEED, numRuns: 200 },
    );
    expect([...found].toSorted()).toEqual([...LIES].toSorted());
  });

  test('is about what no edge before it settled', async () => {
    const rows = rowsOfHistory(Array.from({ length: 30 }, (_, index) => [{ key: `k${index % 4}` }]));
    const told = tell(rows, 'another byte', 5)!;
    expect(await prove({ rows, told: told.rows })).toMatchObject({ verdict: 'failed', from: 2 });
    expect(await prove({ rows, told: told.rows, settledTo: told.revision })).toMatchObject({
      verdict: 'ok',
      from: told.revision + 1,
    });
    expect(await prove({ rows, settledTo: 31 })).toMatchObject({ verdict: 'open', rows: 0 });
  });

  test('rows that the deltas do not hold yet are left to the next full', async () => {
    const rows = rowsOfHistory(Array.from({ length: 30 }, (_, index) => [{ key: `k${index % 4}` }]));
    expect(await prove({ rows, told: rows.slice(0, 20) })).toMatchObject({ verdict: 'ok', from: 2, to: 21 });
  });

  test('counts leases whose TTL was recorded otherwise, without a verdict', async () => {
    const rows = rowsOfHistory([[{ key: 'a', lease: 7n }], [{ key: 'b', lease: 8n }]]);
    const repository = new TestRepository(scratch.file());
    const record = (id: bigint, grantedTtlSeconds: number) => {
      return { id, grantedTtlSeconds, askedAtRevision: 2, source: 'ttl' as const };
    };
    await repository.addDelta(rows, { leases: [record(7n, 60), record(8n, 99), record(9n, 5)] });
    const path = scratch.file();
    writeModelStore(path, rows);
    {
      using writer = BoltWriter.open(path);
      writer.replaceBucket('lease', [encodeLeaseRow(7n, 60), encodeLeaseRow(8n, 600)]);
      writer.commit({ sync: false });
    }
    await repository.addFull(path);
    const timeline = (await repository.inventory()).timelines[0]!;
    using file = BoltFile.open(path);
    const options = { store: repository.store, timeline, full: timeline.fulls[0]!, file, settledTo: 0 };
    const edge = await proveEdge({ ...options, spoolDir: scratch.file() });
    expect(edge).toMatchObject({ verdict: 'ok', leasesDiffering: 1 });
  });

  test('a delta that cannot be read makes it open, not failed', async () => {
    const rows = rowsOfHistory(Array.from({ length: 30 }, (_, index) => [{ key: `k${index % 4}` }]));
    const repository = new TestRepository(scratch.file());
    const key = await repository.addDelta(rows);
    const stored = await repository.store.get(key);
    stored[stored.length >> 1]! ^= 1;
    await repository.store.delete([key]);
    await repository.store.put(key, stored);
    const path = scratch.file();
    writeModelStore(path, rows);
    await repository.addFull(path);
    const timeline = (await repository.inventory()).timelines[0]!;
    using file = BoltFile.open(path);
    const options = { store: repository.store, timeline, full: timeline.fulls[0]!, file, settledTo: 0 };
    const edge = await proveEdge({ ...options, spoolDir: scratch.file() });
    expect(edge).toMatchObject({ verdict: 'open', problem: expect.stringContaining(key) as unknown });
  });
});

test('full after full: each edge goes on where the last one was settled, and says so in the repository', async () => {
  const rows = rowsOfHistory(Array.from({ length: 60 }, (_, index) => [{ key: `k${index % 4}` }]));
  const told = tell(rows, 'another byte', 25)!;
  const repository = new TestRepository(scratch.file());
  const { store } = repository;
  const spoolDir = scratch.file();
  const proveAt = async (end: number, day: number): Promise<ProofRecord> => {
    const path = scratch.file();
    writeModelStore(
      path,
      rows.filter(({ main }) => main <= end),
    );
    const key = await repository.addFull(path, { createdAtMs: Date.UTC(2026, 10, day) });
    const full = (await repository.inventory()).timelines[0]!.fulls.find((found) => found.key === key)!;
    using file = BoltFile.open(path);
    return await proveStoredEdge({ store, full, file, spoolDir, now: () => Date.UTC(2026, 10, day, 1) });
  };
  const deltas = cut(told.rows, 5);
  expect(await proveAt(2, 1)).toMatchObject({ verdict: 'open' });
  for (const part of deltas.slice(0, 4)) await repository.addDelta(part);
  // The last rows of the full are not in a delta yet.
  expect(await proveAt(24, 2)).toMatchObject({ verdict: 'ok', from: 3, to: 21 });
  for (const part of deltas.slice(4)) await repository.addDelta(part);
  const failed = await proveAt(41, 3);
  expect(failed).toMatchObject({ verdict: 'failed', from: 22, difference: { revision: told.revision } });
  // Another full, and the same difference: the deltas are wrong, and the edge is settled.
  expect(await proveAt(50, 4)).toMatchObject({ verdict: 'failed', from: 22 });
  const { doubts } = await repository.inventory();
  expect(doubts?.map(({ key }) => key)).toContain(failed.difference?.delta);
  expect(doubts?.some(({ key }) => key.includes('/full/'))).toBe(false);
  expect(await proveAt(60, 5)).toMatchObject({ verdict: 'ok', from: 51, to: 60 });
  expect(await listProofs(store, 'test')).toHaveLength(4);
});

test('a full that was made of the deltas settles nothing: the next one of the cluster is held against all of them', async () => {
  const rows = rowsOfHistory(Array.from({ length: 40 }, (_, index) => [{ key: `k${index % 4}` }]));
  const told = tell(rows, 'another byte', 15)!;
  const repository = new TestRepository(scratch.file());
  const add = async (held: typeof rows, day: number, cause?: string) => {
    const path = scratch.file();
    writeModelStore(path, held);
    const given = cause === undefined ? {} : { cause };
    return { path, key: await repository.addFull(path, { createdAtMs: Date.UTC(2026, 10, day), ...given }) };
  };
  const upTo = (end: number, of = rows) => of.filter(({ main }) => main <= end);
  await add(upTo(3), 1);
  for (const part of cut(told.rows, 5)) await repository.addDelta(part);
  expect(told.revision).toBeLessThan(30);
  await add(upTo(30, told.rows), 2, 'compact');
  const { path, key } = await add(rows, 3);
  const full = (await repository.inventory()).timelines[0]!.fulls.find((found) => found.key === key)!;
  using file = BoltFile.open(path);
  const edge = await proveStoredEdge({ store: repository.store, full, file, spoolDir: scratch.file() });
  expect(edge).toMatchObject({ verdict: 'failed', from: 4, difference: { revision: told.revision } });
});

test('spans: what deltas hold up to S, behind what is settled or the full before; a gap parts them', () => {
  const span = (settledTo: number, cause = 'schedule') => {
    const given = { manifest: { cause: 'schedule' } };
    const fulls = [
      { revision: 10, ...given },
      { revision: 25, manifest: { cause } },
      { revision: 50, ...given },
    ];
    const deltas = [
      { first: 2, last: 20 },
      { first: 21, last: 30 },
      { first: 41, last: 60 },
    ] as never[];
    return edgeSpans({ fulls, deltas }, fulls[2]!, settledTo);
  };
  expect(span(0)).toEqual([
    { from: 26, to: 30 },
    { from: 41, to: 50 },
  ]);
  // A full that was made of these deltas ends nothing.
  expect(span(0, 'compact')).toEqual([
    { from: 11, to: 30 },
    { from: 41, to: 50 },
  ]);
  expect(span(25)).toEqual([
    { from: 26, to: 30 },
    { from: 41, to: 50 },
  ]);
  expect(span(50)).toEqual([]);
});
