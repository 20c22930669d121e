import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { Scratch } from '../bolt/testing/scratch.ts';
import { compactStore } from '../compact/compact-store.ts';
import { rowsOfHistory, writeModelStore, type ModelRow, type Operation } from '../mvcc/testing/model-store.ts';
import type { Inventory } from '../repository/inventory.ts';
import { findDeletion } from './find-deletion.ts';
import { TestRepository } from './testing/repository-of.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

const key = fc.integer({ min: 0, max: 9 }).map((number) => (number < 7 ? `p/${number}` : `q/${number}`));
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ key, valueBytes: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ key, deleted: fc.constant(true as const) }) },
);
const history = fc
  .array(fc.uniqueArray(operation, { minLength: 1, maxLength: 7, selector: (one) => one.key }), {
    minLength: 6,
    maxLength: 50,
    size: 'max',
  })
  .map(rowsOfHistory)
  .filter((rows) => (rows.at(-1)?.main ?? 0) >= 6);

interface Layout {
  /** Where fulls end and deltas are cut, as parts of the history. */
  fullAt: number;
  newerFullAt: number | undefined;
  compactAt: number;
  deltaRevisions: number;
}

const layout: fc.Arbitrary<Layout> = fc.record({
  fullAt: fc.double({ min: 0, max: 1, noNaN: true }),
  newerFullAt: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
  compactAt: fc.double({ min: 0, max: 1, noNaN: true }),
  deltaRevisions: fc.integer({ min: 1, max: 20 }),
});

/** A full of some revision, deltas from there to the end, and maybe a newer full that was compacted. */
async function store(
  rows: readonly ModelRow[],
  parts: Layout,
): Promise<{ repository: TestRepository; inventory: Inventory }> {
  const last = rows.at(-1)!.main;
  const repository = new TestRepository(scratch.file());
  const end = 2 + Math.floor(parts.fullAt * (last - 2));
  const path = scratch.file();
  writeModelStore(
    path,
    rows.filter(({ main }) => main <= end),
  );
  await repository.addFull(path);
  if (parts.newerFullAt !== undefined) {
    const newerEnd = end + Math.floor(parts.newerFullAt * (last - end));
    const [plain, compacted] = [scratch.file(), scratch.file()];
    writeModelStore(
      plain,
      rows.filter(({ main }) => main <= newerEnd),
    );
    await compactStore(plain, compacted, { revision: Math.max(1, Math.floor(parts.compactAt * newerEnd)) });
    if (newerEnd > end) await repository.addFull(compacted);
  }
  for (let first = end + 1; first <= last; first += parts.deltaRevisions) {
    // Each overlaps the one before by a revision.
    const from = Math.max(end + 1, first - 1);
    await repository.addDelta(rows.filter(({ main }) => main >= from && main < first + parts.deltaRevisions));
  }
  return { repository, inventory: await repository.inventory() };
}

describe('findDeletion', () => {
  test('of a key finds its newest tombstone, whatever the objects are, and who made it anew', async () => {
    await fc.assert(
      fc.asyncProperty(history, layout, async (rows, parts) => {
        const { repository, inventory } = await store(rows, parts);
        for (const name of ['p/0', 'p/1', 'q/7', 'none', 'p/']) {
          const own = rows.filter(({ userKey }) => userKey === name);
          const deleted = own.findLast(({ tombstone }) => tombstone);
          const found = await findDeletion(repository.store, inventory, { key: Buffer.from(name) });
          if (deleted === undefined) {
            expect(found).toBeUndefined();
            continue;
          }
          const anew = own.find(({ main }) => main > deleted.main)?.main;
          expect(found).toMatchObject({ timeline: 1, revision: deleted.main - 1 });
          expect(found!.recreatedAt).toBe(anew);
        }
      }),
      { numRuns: 60, interruptAfterTimeLimit: 8000 },
    );
  });

  test('of a prefix finds a moment after which more than half was lost, if there is one', async () => {
    await fc.assert(
      fc.asyncProperty(history, layout, async (rows, parts) => {
        const { repository, inventory } = await store(rows, parts);
        const found = await findDeletion(repository.store, inventory, { prefix: Buffer.from('p/') });
        const counts = livingCounts(rows, 'p/');
        const lost = counts.some((count, index) => counts.slice(index + 1).some((later) => later * 2 < count));
        expect(found !== undefined).toBe(lost);
        if (found === undefined) return;
        expect(counts[found.revision]).toBe(found.keysBefore);
        expect(found.keysAfter! * 2).toBeLessThan(found.keysBefore!);
        expect(counts.slice(found.revision + 1)).toContain(found.keysAfter);
      }),
      { numRuns: 60, interruptAfterTimeLimit: 8000 },
    );
  });

  test.each([
    ['in one revision', [Array.from({ length: 100 }, (_, index) => index)]],
    ['in a hundred revisions', Array.from({ length: 100 }, (_, index) => [index])],
    [
      'in some revisions, not all of them',
      Array.from({ length: 9 }, (_, index) => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((one) => index * 10 + one)),
    ],
  ])('a mass delete %s: the moment before its beginning', async (_, batches) => {
    const name = (index: number): string => `p/${index.toString().padStart(3, '0')}`;
    const busy = (count: number): Operation[][] =>
      Array.from({ length: count }, (__, index) => [{ key: `q/${index % 5}` }]);
    const operations: Operation[][] = [
      ...Array.from({ length: 100 }, (__, index) => [{ key: name(index) }]),
      // Some churn, long before.
      ...Array.from({ length: 5 }, (__, index): Operation[] => [{ key: name(index), deleted: true }]),
      ...Array.from({ length: 5 }, (__, index): Operation[] => [{ key: name(index) }]),
      ...busy(300),
    ];
    const before = operations.length + 1;
    operations.push(
      ...batches.map((batch) => batch.map((index): Operation => ({ key: name(index), deleted: true }))),
      ...busy(20),
    );
    const rows = rowsOfHistory(operations);
    const { repository, inventory } = await store(rows, {
      fullAt: 0.4,
      newerFullAt: undefined,
      compactAt: 0,
      deltaRevisions: 37,
    });
    const found = await findDeletion(repository.store, inventory, { prefix: Buffer.from('p/') });
    expect(found).toMatchObject({ revision: before, keysBefore: 100, keysAfter: 100 - batches.flat().length });
  });

  test('refuses neither, both or nothing to look for', async () => {
    const { repository, inventory } = await store(rowsOfHistory([[{ key: 'a' }], [{ key: 'b' }], [{ key: 'a' }]]), {
      ...{ fullAt: 0, newerFullAt: undefined, compactAt: 0, deltaRevisions: 5 },
    });
    const some = Buffer.from('a');
    for (const options of [{}, { key: some, prefix: some }, { key: Buffer.alloc(0) }]) {
      await expect(findDeletion(repository.store, inventory, options)).rejects.toMatchObject({ code: 'USAGE' });
    }
  });
});

/** By revision, how many keys of a prefix live. */
function livingCounts(rows: readonly ModelRow[], prefix: string): number[] {
  const living = new Set<string>();
  const counts: number[] = [];
  for (const { main, userKey, tombstone } of rows) {
    while (counts.length < main) counts.push(living.size);
    if (!userKey.startsWith(prefix)) continue;
    if (tombstone) living.delete(userKey);
    else living.add(userKey);
  }
  counts.push(living.size);
  return counts;
}
