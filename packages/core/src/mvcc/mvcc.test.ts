import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { crc32c } from '../base/crc32c.ts';
import { BoltFile } from '../bolt/bolt-file.ts';
import { GOLDEN_SNAPSHOT, Scratch } from '../bolt/testing/scratch.ts';
import { hashKV } from './hash-kv.ts';
import { scanKeyValue } from './key-value.ts';
import { encodeLeaseRow, readLeases } from './leases.ts';
import { leasesOfLiveKeys } from './live-leases.ts';
import { encodeRevisionKey } from './revision.ts';
import { RowBlock } from './row-block.ts';
import { rowsAbove } from './rows-above.ts';
import { digestOfRevision, readStoreInfo } from './store-info.ts';
import { rowsOfHistory, writeModelStore, type ModelRow, type Operation } from './testing/model-store.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    key: fc.integer({ min: 0, max: 12 }).map((number) => `key/${'x'.repeat(number % 3 === 0 ? 140 : 0)}${number}`),
    lease: fc.constantFrom(0n, 0n, 7n, -8n, 2n ** 62n),
    valueBytes: fc.nat(300),
  }),
  fc.record({
    key: fc.integer({ min: 0, max: 12 }).map((number) => `key/${number}`),
    deleted: fc.constant(true as const),
  }),
);
const history = fc.array(fc.uniqueArray(operation, { minLength: 1, maxLength: 4, selector: ({ key }) => key }), {
  maxLength: 60,
  size: 'max',
});

/** The last row of each key up to a revision, if it is not a tombstone. */
function alive(rows: readonly ModelRow[], revision: number): Map<string, ModelRow> {
  const newest = new Map<string, ModelRow>();
  for (const row of rows) if (row.main <= revision) newest.set(row.userKey, row);
  return new Map([...newest].filter(([, row]) => !row.tombstone));
}

/** What a finished compaction leaves: 3.5.16 keeps a tombstone of the compact revision itself, older ones do not. */
function compacted(rows: readonly ModelRow[], revision: number, keepsTombstone: boolean): ModelRow[] {
  const kept = new Set(alive(rows, revision).values());
  return rows.filter(
    (row) => row.main > revision || kept.has(row) || (keepsTombstone && row.tombstone && row.main === revision),
  );
}

/** etcd's own procedure, as simply as possible, on the rows that a finished compaction has left. */
function referenceHash(rows: readonly ModelRow[], revision: number, compactRevision: number): number {
  const keep = new Set(alive(rows, revision).values());
  let hash = crc32c(Buffer.from('key'));
  for (const row of compactRevision > 0 ? compacted(rows, compactRevision, true) : rows) {
    if (row.main > revision) continue;
    if (row.main <= compactRevision && keep.size > 0 && !keep.has(row)) continue;
    if (row.main === compactRevision && row.tombstone) continue;
    hash = crc32c(row.value, crc32c(row.key, hash));
  }
  return hash;
}

describe('HashKV', () => {
  test('equals the plain procedure for any history, revision and compaction: unfinished, finished, by old and new servers', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(), fc.nat(), async (operations, revisionSeed, compactSeed) => {
        const rows = rowsOfHistory(operations);
        const last = rows.at(-1)?.main ?? 1;
        const revision = 1 + (revisionSeed % last);
        const compactRevision = 1 + (compactSeed % revision);
        const files: [ModelRow[], { scheduled?: number; finished?: number }, number][] = [
          [rows, {}, -1],
          [rows, { scheduled: compactRevision }, compactRevision],
          [rows, { scheduled: compactRevision, finished: Math.max(1, compactRevision - 3) }, compactRevision],
          [
            compacted(rows, compactRevision, true),
            { scheduled: compactRevision, finished: compactRevision },
            compactRevision,
          ],
          [
            compacted(rows, compactRevision, false),
            { scheduled: compactRevision, finished: compactRevision },
            compactRevision,
          ],
        ];
        for (const [stored, meta, expectedCompact] of files) {
          const path = scratch.file();
          writeModelStore(path, stored, meta);
          using file = BoltFile.open(path);
          const { revision: current } = readStoreInfo(file);
          const asked = Math.min(revision, current);
          const hash = referenceHash(rows, asked, expectedCompact);
          expect(await hashKV(file, { revision: asked })).toEqual({
            hash,
            revision: asked,
            compactRevision: expectedCompact,
          });
        }
        // The same rows, asked as if they had been compacted.
        const path = scratch.file();
        writeModelStore(path, rows);
        using file = BoltFile.open(path);
        expect((await hashKV(file, { revision, compactRevision })).hash).toBe(
          referenceHash(rows, revision, compactRevision),
        );
      }),
      { numRuns: 150, interruptAfterTimeLimit: 15_000 },
    );
  }, 60_000);

  test('an empty store, revisions out of range, cancelling', async () => {
    const path = scratch.file();
    writeModelStore(path, []);
    using empty = BoltFile.open(path);
    expect(await hashKV(empty)).toEqual({ hash: 1084519789, revision: 1, compactRevision: -1 });
    using golden = BoltFile.open(GOLDEN_SNAPSHOT);
    await expect(hashKV(golden, { revision: 29 })).rejects.toMatchObject({ code: 'ETCD_COMPACTED' });
    await expect(hashKV(golden, { revision: 75 })).rejects.toMatchObject({ code: 'REVISION_NOT_RESTORABLE' });
    await expect(hashKV(golden, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('a golden snapshot of etcd 3.4.23', () => {
  test('says what etcd said when it was taken', async () => {
    using file = BoltFile.open(GOLDEN_SNAPSHOT);
    expect(readStoreInfo(file)).toEqual({
      lastRow: 74,
      scheduledCompact: 30,
      finishedCompact: 30,
      compactRevision: 30,
      revision: 74,
      consistentIndex: 81n,
      term: undefined,
      storageVersion: undefined,
      clusterVersion: '3.4.0',
      lastRevisionDigest: 'e89ebb81de2b8ae8aa4ee9b32ee60633c690950e6c4fd8a013633cff03bf5a9a',
      lastRevisionRows: 1,
      authRevision: 1n,
      authEnabled: false,
      alarms: [],
    });
    expect(await hashKV(file)).toEqual({ hash: 3788758781, revision: 74, compactRevision: 30 });
    expect(await hashKV(file, { revision: 50 })).toEqual({ hash: 3188647068, revision: 50, compactRevision: 30 });
    expect(digestOfRevision(file, 30)).toBeNull();
    expect(digestOfRevision(file, 51)).toMatchObject({ rows: 31 });
  });

  test('leases', async () => {
    using file = BoltFile.open(GOLDEN_SNAPSHOT);
    const [first, second] = [2247192826829441542n, 2247192826829441544n];
    expect(readLeases(file)).toEqual(
      new Map([
        [first, { ttlSeconds: 3600, remainingTtlSeconds: 0 }],
        [second, { ttlSeconds: 7200, remainingTtlSeconds: 0 }],
      ]),
    );
    expect(await leasesOfLiveKeys(file, 74)).toEqual(new Set([first, second]));
    expect(await leasesOfLiveKeys(file, 51)).toEqual(new Set([first]));
    const cursor = file.bucket('lease')!.cursor();
    cursor.first();
    const row = encodeLeaseRow(first, 3600);
    expect(row).toEqual({ key: cursor.key, value: cursor.value });
  });
});

test('leases of live keys follow any history', async () => {
  await fc.assert(
    fc.asyncProperty(history, fc.nat(), async (operations, seed) => {
      const rows = rowsOfHistory(operations);
      const revision = 1 + (seed % (rows.at(-1)?.main ?? 1));
      const path = scratch.file();
      writeModelStore(path, rows);
      using file = BoltFile.open(path);
      const expected = new Set(
        [...alive(rows, revision).values()].map(({ lease }) => lease).filter((lease) => lease !== 0n),
      );
      expect(await leasesOfLiveKeys(file, revision)).toEqual(expected);
    }),
    { numRuns: 80, interruptAfterTimeLimit: 10_000 },
  );
}, 30_000);

test('rows above a revision, up to another, in blocks of any size', () => {
  fc.assert(
    fc.property(
      history,
      fc.nat(70),
      fc.option(fc.nat(70), { nil: undefined }),
      fc.integer({ min: 1, max: 3000 }),
      (operations, after, upTo, blockBytes) => {
        const rows = rowsOfHistory(operations);
        const path = scratch.file();
        writeModelStore(path, rows);
        using file = BoltFile.open(path);
        const found: string[] = [];
        for (const block of rowsAbove(file, after, { upTo, blockBytes })) {
          expect(block).toBeInstanceOf(RowBlock);
          for (let row = 0; row < block.rowCount; row++) {
            found.push(Buffer.concat([block.key(row), block.value(row)]).toString('hex'));
          }
        }
        const expected = rows.filter(({ main }) => main > after && main <= (upTo ?? main));
        expect(found).toEqual(expected.map(({ key, value }) => Buffer.concat([key, value]).toString('hex')));
      },
    ),
    { numRuns: 80, interruptAfterTimeLimit: 10_000 },
  );
}, 30_000);

describe('scanKeyValue', () => {
  test('reads what a row holds', () => {
    const rows = rowsOfHistory([
      [{ key: 'a', lease: -5n, valueBytes: 3 }],
      [{ key: 'a' }],
      [{ key: 'a', deleted: true }],
    ]);
    const empty = new Uint8Array(0);
    const key = new Uint8Array(Buffer.from('a'));
    const scan = (bytes: Uint8Array) => scanKeyValue(new Uint8Array(bytes));
    expect(scan(rows[0]!.value)).toEqual({
      key,
      createRevision: 2,
      modRevision: 2,
      version: 1,
      value: new Uint8Array(Buffer.from('xxx')),
      lease: -5n,
    });
    expect(scan(rows[1]!.value)).toEqual({
      key,
      createRevision: 2,
      modRevision: 3,
      version: 2,
      value: empty,
      lease: 0n,
    });
    expect(scan(rows[2]!.value)).toEqual({
      key,
      createRevision: 0,
      modRevision: 0,
      version: 0,
      value: empty,
      lease: 0n,
    });
    // The row that a restore with --bump-revision writes.
    expect(scan(empty)).toEqual({ key: empty, createRevision: 0, modRevision: 0, version: 0, value: empty, lease: 0n });
    // Fields of a newer etcd: varint, bytes, fixed 64 and fixed 32.
    expect(scan(Buffer.from('38013a0161410000000000000000550000000010050a0161', 'hex'))).toMatchObject({
      key,
      createRevision: 5,
    });
  });

  test('any bytes are read or refused with MVCC_DAMAGED', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          scanKeyValue(bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: 'MVCC_DAMAGED' });
        }
      }),
      { numRuns: 3000 },
    );
  });
});

test('a store with other things in its row bucket is refused', async () => {
  const path = scratch.file();
  writeModelStore(path, [
    {
      main: 0,
      sub: 0,
      userKey: '',
      tombstone: false,
      lease: 0n,
      key: Buffer.from('not a revision'),
      value: encodeRevisionKey(1),
    },
  ]);
  using file = BoltFile.open(path);
  expect(() => readStoreInfo(file)).toThrow(expect.objectContaining({ code: 'MVCC_DAMAGED' }));
  await expect(leasesOfLiveKeys(file, 5)).rejects.toMatchObject({ code: 'MVCC_DAMAGED' });
});
