import {
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { BoltFile } from './bolt-file.ts';
import { BoltWriter } from './bolt-writer.ts';
import { checkBoltFile } from './check.ts';
import { encodeMetaPage } from './meta.ts';
import { entriesBackwards, entriesOf, GOLDEN_SNAPSHOT, scannedEntries, Scratch } from './testing/scratch.ts';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

describe('a real snapshot', () => {
  test('has the pages and buckets that bbolt wrote', async () => {
    using file = BoltFile.open(GOLDEN_SNAPSHOT);
    expect(file).toMatchObject({ pageSize: 4096, trailerBytes: 32, fileBytes: 49_152 });
    expect(file.meta).toEqual({
      pageSize: 4096,
      rootPage: 11,
      rootSequence: 0n,
      freelistPage: undefined,
      highWaterMark: 12,
      txid: 13,
    });
    // A snapshot's metas do not follow the parity of the transaction: 13 is in page 0.
    expect(file.metaPages.map((meta) => meta?.txid)).toEqual([13, 12]);
    const names = [
      'alarm',
      'auth',
      'authRoles',
      'authUsers',
      'cluster',
      'key',
      'lease',
      'members',
      'members_removed',
      'meta',
    ];
    expect(file.bucketNames()).toEqual(names);
    expect(await checkBoltFile(file)).toEqual({
      pages: 12,
      reachablePages: 9,
      freePages: 3,
      branches: 1,
      leaves: 5,
      entries: 128,
      buckets: 10,
      validMetaPages: 2,
    });
  });

  test.each([4096, 65_536, 8 * 1024 * 1024])(
    'reads the same forwards, backwards and by leaf with %i bytes of cache',
    (cacheBytes) => {
      using file = BoltFile.open(GOLDEN_SNAPSHOT, { cacheBytes });
      const bucket = file.bucket('key')!;
      const entries = entriesOf(bucket);
      expect(entries).toHaveLength(110);
      expect(entriesBackwards(bucket).toReversed()).toEqual(entries);
      expect(scannedEntries(bucket)).toEqual(entries);
      expect(Math.max(...entries.map(({ value }) => value.length))).toBeGreaterThan(6000);
      entries.forEach(({ key, value }, index) => {
        const cursor = bucket.cursor();
        expect(cursor.seek(key)).toBe(true);
        expect(cursor.value).toEqual(value);
        expect(cursor.previous()).toBe(index > 0);
        expect(bucket.get(key)).toEqual(value);
        expect(scannedEntries(bucket, key)).toEqual(entries.slice(index));
      });
      const cursor = bucket.cursor();
      expect(cursor.seek(Buffer.alloc(1))).toBe(true);
      expect(cursor.key).toEqual(entries[0]!.key);
      expect(cursor.seek(Buffer.alloc(40, 0xff))).toBe(false);
      expect(() => cursor.key).toThrow('not at an entry');
    },
  );

  test('inline buckets, absent buckets and absent keys', () => {
    using file = BoltFile.open(GOLDEN_SNAPSHOT);
    expect(file.bucket('cluster')).toMatchObject({ rootPage: 0 });
    expect(file.bucket('cluster')!.get('clusterVersion')!.toString()).toBe('3.4.0');
    expect(scannedEntries(file.bucket('lease')!)).toEqual(entriesOf(file.bucket('lease')!));
    expect(file.bucket('nothing')).toBeUndefined();
    expect(file.bucket('cluster')!.get('nothing')).toBeUndefined();
    expect(entriesOf(file.bucket('auth')!)).toHaveLength(1);
  });
});

describe('opening', () => {
  test.each([0, 31, 80, 4095, 40_000, 49_151])('a file cut to %i bytes is damaged', (bytes) => {
    const path = scratch.file();
    copyFileSync(GOLDEN_SNAPSHOT, path);
    truncateSync(path, bytes);
    expect(() => BoltFile.open(path)).toThrow(expect.objectContaining({ code: 'BOLT_DAMAGED' }));
  });

  test('a missing file and a directory say so', () => {
    expect(() => BoltFile.open('/nowhere/at/all')).toThrow(expect.objectContaining({ code: 'DISK_FAILED' }));
    expect(() => BoltFile.open('/')).toThrow(expect.objectContaining({ code: 'BOLT_DAMAGED' }));
  });

  test.each([0, 1])('one valid meta page is enough: page %i destroyed', async (page) => {
    const path = scratch.file();
    const bytes = readFileSync(GOLDEN_SNAPSHOT);
    bytes.fill(0xaa, page * 4096, page * 4096 + 100);
    writeFileSync(path, bytes);
    using file = BoltFile.open(path);
    expect(file.meta.txid).toBe(page === 0 ? 12 : 13);
    expect((await checkBoltFile(file)).validMetaPages).toBe(1);
  });

  test.each([512, 1024, 4096, 16_384, 65_536])('pages of %i bytes', async (pageSize) => {
    const path = scratch.file();
    {
      using writer = BoltWriter.create(path, { pageSize });
      const edge = writer.rightEdge('key');
      for (let index = 0; index < 3000; index++) {
        edge.append(Buffer.from(String(index).padStart(8, '0')), Buffer.alloc(index % 1500, index));
      }
      edge.finish();
      writer.commit({ sync: false });
    }
    using file = BoltFile.open(path);
    expect(file.pageSize).toBe(pageSize);
    expect(await checkBoltFile(file)).toMatchObject({ entries: 3001, validMetaPages: 2 });
    expect(entriesOf(file.bucket('key')!).map(({ value }) => value.length)).toEqual(
      Array.from({ length: 3000 }, (_, index) => index % 1500),
    );
  });
});

describe('a stored free list', () => {
  /** The golden file with a free list page behind its pages. */
  function withFreelist(ids: readonly number[], count = ids.length): string {
    const path = scratch.file();
    const bytes = readFileSync(GOLDEN_SNAPSHOT).subarray(0, 12 * 4096);
    const page = Buffer.alloc(4096);
    page.writeUInt32LE(12, 0);
    page.writeUInt16LE(0x10, 8);
    page.writeUInt16LE(count, 10);
    ids.forEach((id, index) => page.writeUInt32LE(id, 16 + index * 8));
    using golden = BoltFile.open(GOLDEN_SNAPSHOT);
    const meta = { ...golden.meta, freelistPage: 12, highWaterMark: 13 };
    writeFileSync(path, Buffer.concat([bytes, page]));
    const descriptor = openSync(path, 'r+');
    writeSync(descriptor, encodeMetaPage(0, meta), 0, 4096, 0);
    writeSync(descriptor, encodeMetaPage(1, { ...meta, txid: 12 }), 0, 4096, 4096);
    closeSync(descriptor);
    return path;
  }

  function unreachable(): number[] {
    const bytes = readFileSync(GOLDEN_SNAPSHOT);
    return [2, 3, 4, 5, 6, 7, 8, 9, 10].filter((id) => {
      bytes.writeUInt16LE(0xff, id * 4096 + 8);
      const path = scratch.file();
      writeFileSync(path, bytes);
      bytes.set(readFileSync(GOLDEN_SNAPSHOT).subarray(id * 4096, id * 4096 + 4096), id * 4096);
      using file = BoltFile.open(path);
      try {
        entriesOf(file.bucket('key')!);
        for (const name of file.bucketNames()) entriesOf(file.bucket(name)!);
        return true;
      } catch {
        return false;
      }
    });
  }

  test('must name exactly the pages that cannot be reached', async () => {
    // One of the pages found is the overflow of the large value: it is reachable although nobody reads its header.
    const candidates = unreachable();
    const overflow = candidates.filter((id) => readFileSync(GOLDEN_SNAPSHOT).readUInt32LE(id * 4096) !== id);
    const free = candidates.filter((id) => !overflow.includes(id));
    expect(free).toHaveLength(3);
    using sound = BoltFile.open(withFreelist(free));
    expect(await checkBoltFile(sound)).toMatchObject({ freePages: 3, reachablePages: 10 });
    const damaged: [readonly number[], string, number?][] = [
      [free.slice(1), 'neither referenced nor free'],
      [[...free, free[0]!], 'free twice'],
      [[...free, 11], 'in the free list'],
      [[...free, 999], 'outside the file'],
      [free, 'do not fit', 600],
    ];
    for (const [ids, rule, count] of damaged) {
      using file = BoltFile.open(withFreelist(ids, count));
      await expect(checkBoltFile(file)).rejects.toThrow(rule);
    }
  });

  test('is dropped by a writer', async () => {
    const path = withFreelist([]);
    {
      using writer = BoltWriter.open(path);
      writer.commit({ sync: false });
    }
    using file = BoltFile.open(path);
    expect(file.meta.freelistPage).toBeUndefined();
    await checkBoltFile(file);
    expect(statSync(path).size).toBe(file.meta.highWaterMark * 4096);
  });
});
