import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { BoltFile } from '../bolt/bolt-file.ts';
import { BoltWriter } from '../bolt/bolt-writer.ts';
import { checkBoltFile } from '../bolt/check.ts';
import { describeEntries, entriesOf, GOLDEN_SNAPSHOT, Scratch } from '../bolt/testing/scratch.ts';
import { hashKV } from '../mvcc/hash-kv.ts';
import { readStoreInfo } from '../mvcc/store-info.ts';
import { rowsOfHistory, writeModelStore, type ModelRow, type Operation } from '../mvcc/testing/model-store.ts';
import { compactStore } from './compact-store.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

const key = fc.integer({ min: 0, max: 12 }).map((number) => `key/${number}`);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ key, valueBytes: fc.oneof(fc.nat(300), fc.constant(5000)) }) },
  { weight: 1, arbitrary: fc.record({ key, deleted: fc.constant(true as const) }) },
);
const history = fc.array(fc.uniqueArray(operation, { minLength: 1, maxLength: 4, selector: (one) => one.key }), {
  maxLength: 60,
  size: 'max',
});

/** The rows that are alive at the revision, and all above it. */
function survivors(rows: readonly ModelRow[], revision: number): ModelRow[] {
  const newest = new Map<string, ModelRow>();
  for (const row of rows) if (row.main <= revision) newest.set(row.userKey, row);
  return rows.filter((row) => row.main > revision || (newest.get(row.userKey) === row && !row.tombstone));
}

describe('compactStore', () => {
  test('keeps what is alive at the revision and all above, and hashes as etcd would', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(), fc.boolean(), async (operations, seed, wasCompacted) => {
        const rows = rowsOfHistory(operations);
        const last = rows.at(-1)?.main ?? 1;
        const revision = 1 + (seed % last);
        const earlier = wasCompacted ? { scheduled: Math.max(1, revision - 3) } : {};
        const [source, target] = [scratch.file(), scratch.file()];
        writeModelStore(source, rows, earlier);
        const report = await compactStore(source, target, { revision });
        const expected = survivors(rows, revision);
        expect(report).toMatchObject({
          revision: last,
          compactRevision: revision,
          rowsKept: expected.length,
          rowsDropped: rows.length - expected.length,
          hasSnapshotHash: false,
        });
        using before = BoltFile.open(source);
        using after = BoltFile.open(target);
        await checkBoltFile(after);
        expect(describeEntries(entriesOf(after.bucket('key')!))).toEqual(describeEntries(expected));
        expect(readStoreInfo(after)).toMatchObject({
          revision: last,
          scheduledCompact: revision,
          finishedCompact: revision,
        });
        for (let at = revision; at <= last; at += 1 + Math.floor(last / 7)) {
          const hash = await hashKV(before, { revision: at, compactRevision: revision });
          expect(await hashKV(after, { revision: at })).toEqual(hash);
        }
      }),
      { numRuns: 60, interruptAfterTimeLimit: 15_000 },
    );
  });

  test('keeps the history when asked to: every entry of every bucket, and the compact revisions', async () => {
    const target = scratch.file();
    const report = await compactStore(GOLDEN_SNAPSHOT, target, { keepHistory: true });
    expect(report).toMatchObject({ rowsDropped: 0, hasSnapshotHash: true });
    using before = BoltFile.open(GOLDEN_SNAPSHOT);
    using after = BoltFile.open(target);
    expect(after.trailerBytes).toBe(32);
    await checkBoltFile(after);
    expect(after.bucketNames()).toEqual(before.bucketNames());
    for (const name of before.bucketNames()) {
      expect(describeEntries(entriesOf(after.bucket(name)!))).toEqual(describeEntries(entriesOf(before.bucket(name)!)));
    }
    expect(readStoreInfo(after)).toEqual(readStoreInfo(before));
    expect(await hashKV(after)).toEqual(await hashKV(before));
    const bytes = readFileSync(target);
    const body = bytes.subarray(0, bytes.length - 32);
    expect(createHash('sha256').update(body).digest()).toEqual(bytes.subarray(bytes.length - 32));
    expect(report.targetBytes).toBe(bytes.length);
  });

  test('copies the other buckets, large ones too', async () => {
    const [source, target] = [scratch.file(), scratch.file()];
    writeModelStore(source, rowsOfHistory([[{ key: 'a' }]]), {});
    const entries = Array.from({ length: 3000 }, (_, index) => ({
      key: Buffer.from(index.toString().padStart(8, '0')),
      value: Buffer.alloc(index % 90, index),
    }));
    {
      using writer = BoltWriter.open(source);
      writer.replaceBucket('lease', entries);
      writer.replaceBucket('alarm', []);
      writer.commit({ sync: false });
    }
    await compactStore(source, target);
    using after = BoltFile.open(target);
    await checkBoltFile(after);
    expect(describeEntries(entriesOf(after.bucket('lease')!))).toEqual(describeEntries(entries));
    expect(entriesOf(after.bucket('alarm')!)).toEqual([]);
  });

  test('refuses a revision that is compacted already, above the last one, or no revision; leaves nothing behind', async () => {
    const [source, target] = [scratch.file(), scratch.file()];
    const rows = rowsOfHistory(Array.from({ length: 20 }, (_, index) => [{ key: `k${index % 3}` }]));
    writeModelStore(source, rows, { scheduled: 10, finished: 5 });
    const refusals: [object, string][] = [
      [{ revision: 9 }, 'ETCD_COMPACTED'],
      [{ revision: 22 }, 'REVISION_NOT_RESTORABLE'],
      [{ revision: 0 }, 'USAGE'],
      [{ revision: 1.5 }, 'USAGE'],
      [{ revision: 12, keepHistory: true }, 'USAGE'],
      [{ signal: AbortSignal.abort() }, 'CANCELLED'],
    ];
    for (const [options, code] of refusals) {
      await expect(compactStore(source, target, options), JSON.stringify(options)).rejects.toMatchObject({ code });
    }
    writeFileSync(target, 'taken');
    await expect(compactStore(source, target)).rejects.toMatchObject({ code: 'TARGET_OCCUPIED' });
    expect(readFileSync(target, 'utf8')).toBe('taken');
    expect(readdirSync(dirname(target)).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test('removes what a killed run left, but not the work of one that is alive, nor anything else', async () => {
    const [source, target] = [scratch.file(), scratch.file()];
    writeModelStore(source, rowsOfHistory([[{ key: 'a' }]]), {});
    const beside = ['999999999-1.part', '1-1.part', 'other'].map((name) => `${target}.${name}`);
    for (const path of beside) writeFileSync(path, 'x');
    await compactStore(source, target);
    expect(beside.map((path) => existsSync(path))).toEqual([false, true, true]);
    for (const path of beside.slice(1)) rmSync(path);
  });

  test('two runs for one target: one publishes a whole file, the other is refused', async () => {
    const [source, target] = [scratch.file(), scratch.file()];
    writeModelStore(source, rowsOfHistory(Array.from({ length: 300 }, (_, index) => [{ key: `k${index}` }])), {});
    const outcomes = await Promise.allSettled([compactStore(source, target), compactStore(source, target)]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    using file = BoltFile.open(target);
    expect(await checkBoltFile(file)).toMatchObject({ entries: 300 + 3 + 2 });
  });

  test('a snapshot with a wrong hash is refused unless told', async () => {
    const [source, target] = [scratch.file(), scratch.file()];
    writeModelStore(source, rowsOfHistory([[{ key: 'a' }], [{ key: 'a' }]]), {});
    appendFileSync(source, Buffer.alloc(32));
    await expect(compactStore(source, target)).rejects.toMatchObject({ code: 'SNAPSHOT_HASH_MISMATCH' });
    expect(existsSync(target)).toBe(false);
    expect(await compactStore(source, target, { skipHashCheck: true })).toMatchObject({ rowsKept: 1, rowsDropped: 1 });
  });

  test('rows out of order are damage, not a new file', async () => {
    const [source, target] = [scratch.file(), scratch.file()];
    writeModelStore(source, rowsOfHistory([[{ key: 'a' }], [{ key: 'b' }]]), {});
    const bytes = readFileSync(source);
    // The key of the second row, in every page that holds it.
    const second = Buffer.from('00000000000000035f', 'hex');
    for (let at = bytes.indexOf(second); at !== -1; at = bytes.indexOf(second, at + 1)) bytes[at + 7] = 1;
    writeFileSync(source, bytes);
    await expect(compactStore(source, target, { keepHistory: true })).rejects.toMatchObject({ code: 'MVCC_DAMAGED' });
    expect(existsSync(target)).toBe(false);
  });
});
