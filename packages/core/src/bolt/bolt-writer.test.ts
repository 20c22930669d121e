import { copyFileSync, readFileSync, statSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { encodeRevisionKey } from '../mvcc/revision.ts';
import { RowBlock, RowBlockBuilder } from '../mvcc/row-block.ts';
import { BoltFile } from './bolt-file.ts';
import { BoltWriter } from './bolt-writer.ts';
import { checkBoltFile } from './check.ts';
import {
  describeEntries,
  entriesBackwards,
  entriesOf,
  GOLDEN_SNAPSHOT,
  scannedEntries,
  Scratch,
  type Entry,
} from './testing/scratch.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());
const BUCKET = 'key';
/** Bounds the search for a small counter-example, too. */
const PROPERTY_TIME_MS = 15_000;

/** Edits the right edge of one bucket, commits and opens again. */
async function expectAfter(
  path: string,
  expected: readonly Entry[],
  edit: (writer: BoltWriter) => void,
): Promise<void> {
  {
    using writer = BoltWriter.open(path);
    edit(writer);
    writer.commit({ sync: false });
  }
  using file = BoltFile.open(path);
  await checkBoltFile(file);
  const bucket = file.bucket(BUCKET)!;
  const wanted = describeEntries(expected);
  expect(describeEntries(entriesOf(bucket))).toEqual(wanted);
  expect(describeEntries(entriesBackwards(bucket)).toReversed()).toEqual(wanted);
  expect(describeEntries(scannedEntries(bucket))).toEqual(wanted);
}

/** Rows in revision order: several rows a revision, tombstones among them, mostly small and sometimes large values. */
const rowsArbitrary = fc
  .array(
    fc.record({
      newRevision: fc.boolean(),
      tombstone: fc.boolean(),
      valueBytes: fc.oneof({ weight: 12, arbitrary: fc.nat(80) }, { weight: 1, arbitrary: fc.nat(6000) }),
    }),
    { minLength: 1, maxLength: 1200, size: 'max' },
  )
  .map((rows) => {
    let main = 1;
    let sub = 0;
    return rows.map(({ newRevision, tombstone, valueBytes }, index) => {
      if (newRevision || index === 0) [main, sub] = [main + 1, 0];
      else sub++;
      return { main, sub, tombstone, value: Buffer.alloc(valueBytes, index & 0xff) };
    });
  });

type Row = { main: number; sub: number; tombstone: boolean; value: Buffer };

function toEntries(rows: readonly Row[]): Entry[] {
  return rows.map(({ main, sub, tombstone, value }) => ({ key: encodeRevisionKey(main, sub, tombstone), value }));
}

function toBlock(rows: readonly Row[]): RowBlock {
  const builder = new RowBlockBuilder();
  for (const { main, sub, tombstone, value } of rows) builder.append(main, sub, tombstone, value);
  return RowBlock.parse(builder.take());
}

describe('the right edge', { timeout: 60_000 }, () => {
  test('rows appended in any blocks, cut anywhere and appended again read back equal, and the file is sound', async () => {
    const step = fc.record({
      blockRows: fc.integer({ min: 1, max: 400 }),
      cut: fc.option(fc.double({ min: 0, max: 1.05, noNaN: true }), { freq: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(
        rowsArbitrary,
        fc.array(step, { minLength: 1, maxLength: 5 }),
        fc.constantFrom(512, 1024, 4096),
        async (rows, steps, pageSize) => {
          const path = scratch.file();
          BoltWriter.create(path, { pageSize }).close();
          let present = 0;
          for (const { blockRows, cut } of steps) {
            const cutMain = cut === null ? undefined : Math.floor((rows.at(-1)!.main + 1) * cut);
            const kept =
              cutMain === undefined ? present : Math.min(present, rows.findIndex(({ main }) => main >= cutMain) >>> 0);
            const end = Math.min(rows.length, kept + blockRows * 3);
            await expectAfter(path, toEntries(rows.slice(0, end)), (writer) => {
              const edge = writer.rightEdge(BUCKET, {
                dropFrom: cutMain === undefined ? undefined : encodeRevisionKey(cutMain),
              });
              expect(edge.lastKey).toEqual(kept === 0 ? undefined : toEntries([rows[kept - 1]!])[0]!.key);
              for (let row = kept; row < end; row += blockRows) {
                const block = toBlock(rows.slice(row, Math.min(end, row + blockRows)));
                const middle = block.rowCount >>> 1;
                edge.appendRows(block, 0, middle);
                edge.appendRows(block, middle, block.rowCount);
              }
              edge.finish();
            });
            present = end;
          }
        },
      ),
      { numRuns: 60, interruptAfterTimeLimit: PROPERTY_TIME_MS },
    );
  });

  test('every cut of a tree of four levels leaves a sound prefix, on page borders too', async () => {
    const path = scratch.file();
    const rows = Array.from({ length: 1000 }, (_, index) => ({
      main: index + 2,
      sub: 0,
      tombstone: index % 7 === 0,
      value: Buffer.alloc(40, index),
    }));
    {
      using writer = BoltWriter.create(path, { pageSize: 512 });
      const edge = writer.rightEdge(BUCKET);
      edge.appendRows(toBlock(rows), 0, rows.length);
      edge.finish();
      writer.commit({ sync: false });
    }
    const borders: number[] = [];
    {
      using file = BoltFile.open(path);
      expect((await checkBoltFile(file)).branches).toBeGreaterThan(10);
      let first = 0;
      for (const leaf of file.bucket(BUCKET)!.leaves()) borders.push((first += leaf.count));
    }
    const entries = toEntries(rows);
    const nearBorders = borders.flatMap((border) => [border - 1, border, border + 1]);
    for (const kept of [0, 1, 2, ...nearBorders].filter((count) => count <= rows.length)) {
      const copy = scratch.file();
      copyFileSync(path, copy);
      const dropFrom = encodeRevisionKey(rows[kept]?.main ?? rows.at(-1)!.main + 1);
      {
        using writer = BoltWriter.open(copy);
        writer.rightEdge(BUCKET, { dropFrom }).finish();
        writer.commit({ sync: false });
      }
      using file = BoltFile.open(copy);
      await checkBoltFile(file);
      const bucket = file.bucket(BUCKET)!;
      expect(entriesOf(bucket)).toHaveLength(kept);
      if (kept > 0) expect(entriesBackwards(bucket)[0]).toEqual(entries[kept - 1]);
      // Old pages stay where they are: only the path to the cut is written anew.
      expect(statSync(copy).size - statSync(path).size).toBeLessThanOrEqual(12 * 512);
    }
  });

  test('keys of any bytes and lengths', async () => {
    const key = fc.uint8Array({ minLength: 1, maxLength: 900 }).map((bytes) => Buffer.from(bytes));
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(key, { maxLength: 120, selector: (bytes) => bytes.toString('hex') }),
        key,
        async (keys, dropFrom) => {
          const path = scratch.file();
          BoltWriter.create(path, { pageSize: 512 }).close();
          const entries = keys
            .toSorted((left, right) => Buffer.compare(left, right))
            .map((bytes, index) => ({ key: bytes, value: Buffer.alloc(index) }));
          await expectAfter(path, entries, (writer) => {
            const edge = writer.rightEdge(BUCKET);
            for (const entry of entries) edge.append(entry.key, entry.value);
            edge.finish();
          });
          const kept = entries.filter((entry) => Buffer.compare(entry.key, dropFrom) < 0);
          await expectAfter(path, kept, (writer) => writer.rightEdge(BUCKET, { dropFrom }).finish());
        },
      ),
      { numRuns: 40, interruptAfterTimeLimit: PROPERTY_TIME_MS },
    );
  });

  test('values larger than a page and than the write window', async () => {
    const path = scratch.file();
    BoltWriter.create(path).close();
    const sizes = [10, 5000, 20_000, 3, 6_000_000, 1, 4_190_000, 4_194_304, 7, 100_000];
    const rows = sizes.map((bytes, index) => ({
      main: index + 2,
      sub: 0,
      tombstone: false,
      value: Buffer.alloc(bytes, index + 1),
    }));
    for (const [from, to] of [
      [0, 5],
      [5, 7],
      [7, 10],
    ] as const) {
      await expectAfter(path, toEntries(rows.slice(0, to)), (writer) => {
        const edge = writer.rightEdge(BUCKET);
        edge.appendRows(toBlock(rows.slice(from, to)), 0, to - from);
        edge.finish();
      });
    }
  });

  test('refuses keys out of order, also across blocks', () => {
    using writer = BoltWriter.create(scratch.file());
    const edge = writer.rightEdge(BUCKET);
    const row = (main: number): Row => ({ main, sub: 0, tombstone: false, value: Buffer.alloc(1) });
    edge.appendRows(toBlock([row(5), row(9)]), 0, 2);
    expect(() => edge.appendRows(toBlock([row(9), row(10)]), 0, 2)).toThrow(
      expect.objectContaining({ code: 'BOLT_DAMAGED' }),
    );
    expect(() => edge.append(encodeRevisionKey(8), Buffer.alloc(0))).toThrow(
      expect.objectContaining({ code: 'BOLT_DAMAGED' }),
    );
    expect(() => writer.commit()).toThrow('unfinished right edges: key');
    edge.finish();
    expect(() => edge.append(encodeRevisionKey(10), Buffer.alloc(0))).toThrow('finished already');
  });
});

describe('commit', () => {
  function editedGolden(edit: (writer: BoltWriter) => void): string {
    const path = scratch.file();
    copyFileSync(GOLDEN_SNAPSHOT, path);
    using writer = BoltWriter.open(path);
    edit(writer);
    writer.commit();
    return path;
  }

  test('writes both meta pages, each where bbolt looks for it, and cuts the trailing hash', () => {
    const path = editedGolden(() => {});
    using file = BoltFile.open(path);
    expect(file.trailerBytes).toBe(0);
    expect(statSync(path).size).toBe(file.meta.highWaterMark * 4096);
    // Transactions 13 and 14: page 1 and page 0. Both lead to the new root, neither to the old one.
    expect(file.metaPages.map((meta) => meta?.txid)).toEqual([14, 13]);
    for (const meta of file.metaPages) {
      expect(meta).toMatchObject({ rootPage: 12, highWaterMark: 13, freelistPage: undefined });
    }
  });

  test('leaves what was not touched as it was, byte for byte', () => {
    const before = readFileSync(GOLDEN_SNAPSHOT);
    const after = readFileSync(editedGolden(() => {}));
    expect(after.subarray(2 * 4096, 12 * 4096)).toEqual(before.subarray(2 * 4096, 12 * 4096));
    using old = BoltFile.open(GOLDEN_SNAPSHOT);
    using edited = BoltFile.open(editedGolden(() => {}));
    for (const name of old.bucketNames()) expect(entriesOf(edited.bucket(name)!)).toEqual(entriesOf(old.bucket(name)!));
  });

  test('replaces, adds and deletes buckets: inline when small, a tree when large', async () => {
    const numbered = (count: number, bytes: number): Entry[] =>
      Array.from({ length: count }, (_, index) => ({
        key: Buffer.from(String(index).padStart(6, '0')),
        value: Buffer.alloc(bytes, index),
      }));
    const path = editedGolden((writer) => {
      writer.deleteBucket('members_removed');
      writer.replaceBucket('members', numbered(3, 20));
      writer.replaceBucket('lease', numbered(2000, 30));
      writer.replaceBucket('alarm', []);
      writer.replaceBucket('brand new', numbered(1, 5000));
      expect(entriesOf(writer.bucket('lease')!)).toHaveLength(2000);
    });
    using file = BoltFile.open(path);
    await checkBoltFile(file);
    expect(file.bucket('members_removed')).toBeUndefined();
    expect(file.bucket('members')!.rootPage).toBe(0);
    expect(describeEntries(entriesOf(file.bucket('members')!))).toEqual(describeEntries(numbered(3, 20)));
    expect(file.bucket('lease')!.rootPage).toBeGreaterThan(0);
    expect(describeEntries(entriesOf(file.bucket('lease')!))).toEqual(describeEntries(numbered(2000, 30)));
    expect(entriesOf(file.bucket('alarm')!)).toEqual([]);
    expect(entriesOf(file.bucket('brand new')!)).toHaveLength(1);
    expect(entriesOf(file.bucket(BUCKET)!)).toHaveLength(110);
  });

  test('inline exactly up to a quarter of a page, as bbolt decides', () => {
    // 16 bytes page header + 16 bytes element + 1 byte key.
    for (const [valueBytes, inline] of [
      [1024 - 33, true],
      [1024 - 32, false],
    ] as const) {
      using file = BoltFile.open(
        editedGolden((writer) =>
          writer.replaceBucket('x', [{ key: Buffer.from('k'), value: Buffer.alloc(valueBytes) }]),
        ),
      );
      expect(file.bucket('x')!.rootPage === 0).toBe(inline);
      expect(entriesOf(file.bucket('x')!)[0]!.value).toHaveLength(valueBytes);
    }
  });

  test('can be repeated: each adds one transaction', async () => {
    const path = scratch.file();
    using writer = BoltWriter.create(path);
    for (let round = 0; round < 3; round++) {
      const edge = writer.rightEdge(BUCKET);
      edge.append(encodeRevisionKey(round + 2), Buffer.from([round]));
      edge.finish();
      writer.commit({ sync: false });
      using file = BoltFile.open(path);
      await checkBoltFile(file);
      expect(entriesOf(file.bucket(BUCKET)!)).toHaveLength(round + 1);
      expect(file.meta.txid).toBe(round + 2);
    }
  });
});
