import { closeSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { compactStore } from '../compact/compact-store.ts';
import { hashKV } from '../mvcc/hash-kv.ts';
import { encodeRevisionKey } from '../mvcc/revision.ts';
import { readStoreInfo } from '../mvcc/store-info.ts';
import { rowsOfHistory, writeModelStore, type ModelRow } from '../mvcc/testing/model-store.ts';
import { BoltFile } from './bolt-file.ts';
import { BoltWriter } from './bolt-writer.ts';
import { checkBoltFile } from './check.ts';
import { FREELIST_PAGE, writeUint64 } from './format.ts';
import { encodeMetaPage, type BoltMeta } from './meta.ts';
import { describeEntries, entriesBackwards, entriesOf, scannedEntries, Scratch } from './testing/scratch.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

function someRows(count: number, valueBytes: number): ModelRow[] {
  return rowsOfHistory(
    Array.from({ length: count }, (_, index) => [{ key: `k${index % 40}`, valueBytes: (index * 37) % valueBytes }]),
  );
}

/** Gives a file both meta pages anew, and bytes up to its high water mark: holes where nothing was written. */
function rewriteMeta(path: string, change: (meta: BoltMeta) => Partial<BoltMeta>): BoltMeta {
  const meta = ((): BoltMeta => {
    using file = BoltFile.open(path);
    return { ...file.meta, ...change(file.meta) };
  })();
  const descriptor = openSync(path, 'r+');
  ftruncateSync(descriptor, meta.highWaterMark * meta.pageSize);
  for (const [page, txid] of [meta.txid + 2, meta.txid + 1].entries()) {
    writeSync(descriptor, encodeMetaPage(page as 0 | 1, { ...meta, txid }), 0, meta.pageSize, page * meta.pageSize);
  }
  closeSync(descriptor);
  return meta;
}

describe('pages of other sizes, as other hosts make them', () => {
  test.each([4096, 8192, 16_384, 32_768, 65_536])(
    '%i bytes: read, checked, hashed, cut, appended, compacted',
    async (pageSize) => {
      const rows = someRows(1500, 600);
      const [path, target] = [scratch.file(), scratch.file()];
      writeModelStore(path, rows.slice(0, 1000), { pageSize });
      {
        using writer = BoltWriter.open(path);
        const edge = writer.rightEdge('key', { dropFrom: encodeRevisionKey(rows[700]!.main) });
        for (const { key, value } of rows.slice(700)) edge.append(key, value);
        edge.finish();
        writer.commit({ sync: false });
      }
      using file = BoltFile.open(path);
      expect(file.pageSize).toBe(pageSize);
      await checkBoltFile(file);
      const bucket = file.bucket('key')!;
      const wanted = describeEntries(rows);
      expect(describeEntries(scannedEntries(bucket))).toEqual(wanted);
      expect(describeEntries(entriesBackwards(bucket)).toReversed()).toEqual(wanted);
      const revision = rows[1200]!.main;
      await compactStore(path, target, { revision });
      using compacted = BoltFile.open(target);
      expect(compacted.pageSize).toBe(pageSize);
      await checkBoltFile(compacted);
      expect(await hashKV(compacted)).toEqual(await hashKV(file, { compactRevision: revision }));
    },
  );
});

describe('a stored free list', () => {
  /** A file whose upper pages are all free, with the list of them behind. */
  function withFreelist(freePages: number, edit: (ids: number[]) => void = () => {}): { path: string; count: number } {
    const path = scratch.file();
    writeModelStore(path, someRows(20, 100), { pageSize: 512 });
    const { highWaterMark: used, pageSize } = rewriteMeta(path, () => ({}));
    const ids = reachableHoles(path, used).concat(Array.from({ length: freePages }, (_, index) => used + index));
    edit(ids);
    const isLarge = ids.length >= 0xffff;
    const bytes = 16 + (isLarge ? 8 : 0) + ids.length * 8;
    const pageCount = Math.ceil(bytes / pageSize);
    const freelistPage = used + freePages;
    const list = Buffer.alloc(pageCount * pageSize);
    const view = new DataView(list.buffer, list.byteOffset, list.length);
    writeUint64(view, 0, freelistPage);
    view.setUint16(8, FREELIST_PAGE, true);
    view.setUint16(10, isLarge ? 0xffff : ids.length, true);
    view.setUint32(12, pageCount - 1, true);
    if (isLarge) writeUint64(view, 16, ids.length);
    ids.forEach((id, index) => writeUint64(view, 16 + (isLarge ? 8 : 0) + index * 8, id));
    rewriteMeta(path, () => ({ freelistPage, highWaterMark: freelistPage + pageCount }));
    const descriptor = openSync(path, 'r+');
    writeSync(descriptor, list, 0, list.length, freelistPage * pageSize);
    closeSync(descriptor);
    return { path, count: ids.length };
  }

  /** Pages below the mark that nothing refers to. */
  function reachableHoles(path: string, used: number): number[] {
    using file = BoltFile.open(path);
    const holes = new Set(Array.from({ length: used - 2 }, (_, index) => index + 2));
    holes.delete(file.meta.rootPage);
    for (const name of file.bucketNames()) {
      const { rootPage } = file.bucket(name)!;
      holes.delete(rootPage);
      for (const leaf of file.bucket(name)!.leaves()) {
        for (let page = leaf.id; page < leaf.id + leaf.byteLength / file.pageSize; page++) {
          if (rootPage !== 0) holes.delete(page);
        }
      }
    }
    return [...holes];
  }

  test.each([5, 0xfffe, 0xffff, 70_000])(
    'of %i pages and more is read, checked, and dropped by a writer',
    async (freePages) => {
      const { path, count } = withFreelist(freePages);
      {
        using file = BoltFile.open(path);
        expect(file.meta.freelistPage).toBeDefined();
        expect(await checkBoltFile(file)).toMatchObject({ freePages: count });
      }
      {
        using writer = BoltWriter.open(path);
        writer.commit({ sync: false });
      }
      using file = BoltFile.open(path);
      expect(file.meta.freelistPage).toBeUndefined();
      await checkBoltFile(file);
    },
  );

  test.each([10, 70_000])('of %i pages: one that is missing, twice there, or in use is damage', async (freePages) => {
    const edits: ((ids: number[]) => void)[] = [
      (ids) => ids.splice(3, 1),
      (ids) => void (ids[4] = ids[5]!),
      (ids) => ids.push(ids.at(-1)! + 1_000_000),
    ];
    for (const edit of edits) {
      using file = BoltFile.open(withFreelist(freePages, edit).path);
      await expect(checkBoltFile(file)).rejects.toMatchObject({ code: 'BOLT_DAMAGED' });
    }
  });
});

describe('a file of more than 4 GiB', { timeout: 60_000 }, () => {
  test('is read, checked, hashed, appended, cut and compacted', async () => {
    const [path, target] = [scratch.file(), scratch.file()];
    const rows = someRows(3000, 900);
    writeModelStore(path, rows.slice(0, 1000), { pageSize: 4096 });
    // Free pages between here and there: holes of a sparse file.
    const gapPages = 4.5 * 2 ** 18;
    for (const [round, end] of [2000, 3000].entries()) {
      rewriteMeta(path, ({ highWaterMark }) => ({ highWaterMark: highWaterMark + gapPages }));
      using writer = BoltWriter.open(path, { writeBehind: round === 1 });
      const edge = writer.rightEdge('key', { dropFrom: encodeRevisionKey(rows[end - 1100]!.main) });
      for (const { key, value } of rows.slice(end - 1100, end)) edge.append(key, value);
      edge.finish();
      await writer.commitAsync({ sync: false });
    }
    expect(statSync(path).size).toBeGreaterThan(9 * 2 ** 30);
    using file = BoltFile.open(path, { cacheBytes: 256 * 1024 });
    expect(await checkBoltFile(file)).toMatchObject({ entries: rows.length + 2 + 1 });
    const wanted = describeEntries(rows);
    expect(describeEntries(entriesOf(file.bucket('key')!))).toEqual(wanted);
    expect(describeEntries(scannedEntries(file.bucket('key')!, rows[2500]!.key))).toEqual(wanted.slice(2500));
    const report = await compactStore(path, target, { keepHistory: true });
    expect(report.targetBytes).toBeLessThan(8 * 2 ** 20);
    using compacted = BoltFile.open(target);
    expect(await hashKV(compacted)).toEqual(await hashKV(file));
    expect(readStoreInfo(compacted)).toEqual(readStoreInfo(file));
  });
});
