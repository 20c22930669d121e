import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { collect } from './collect.ts';
import { testLargeObjects, testSweeping } from './object-store-conformance-large.ts';
import type { ObjectInfo, ObjectStore } from './object-store.ts';

/**
 * What every adapter MUST do, as a suite that its test calls. For tests only: import this file, it is not in the package's
 * index. `open` gives a store with an empty space of its own (a new directory, bucket or prefix).
 */
export function describeObjectStore(name: string, open: () => Promise<ObjectStore>): void {
  describe(`${name}: object store contract`, () => {
    let store: ObjectStore;
    let scratch: string;
    beforeAll(async () => {
      store = await open();
      scratch = await mkdtemp(join(tmpdir(), 'object-store-'));
    });
    afterAll(async () => await rm(scratch, { recursive: true, force: true }));
    testReading(() => store);
    testWriting(
      () => store,
      () => scratch,
    );
    testLargeObjects(
      () => store,
      () => scratch,
    );
    testListing(() => store);
    testSweeping(() => store);
    testKeys(() => store);
  });
}

function testReading(store: () => ObjectStore): void {
  test('an object is read back whole, by range and as a stream', async () => {
    const body = randomBytes(3_000_000);
    expect(await store().put('read/whole.bin', body)).toBe('created');
    expect((await store().get('read/whole.bin')).equals(body)).toBe(true);
    const ranges: [{ offset?: number; length?: number }, Buffer][] = [
      [{ offset: 10, length: 20 }, body.subarray(10, 30)],
      [{ length: 5 }, body.subarray(0, 5)],
      [{ offset: 2_999_990 }, body.subarray(-10)],
      [{ offset: -224 }, body.subarray(-224)],
      [{ offset: -224, length: 4 }, body.subarray(-224, -220)],
      [{ offset: -4_000_000 }, body],
      [{ offset: 2_999_999, length: 50 }, body.subarray(-1)],
    ];
    for (const [range, expected] of ranges) {
      expect((await store().get('read/whole.bin', range)).equals(expected)).toBe(true);
      expect(Buffer.concat(await collect(store().stream('read/whole.bin', range))).equals(expected)).toBe(true);
    }
  });

  test('an empty object is an object', async () => {
    await store().put('read/empty', Buffer.alloc(0));
    expect(await store().get('read/empty')).toHaveLength(0);
    expect(await collect(store().stream('read/empty'))).toEqual([]);
    expect(await store().stat('read/empty')).toMatchObject({ key: 'read/empty', bytes: 0 });
  });

  test('what is not there is STORE_NOT_FOUND, for stat undefined, for delete nothing', async () => {
    await store().put('read/there', Buffer.from('x'));
    for (const key of ['read/nothing', 'nowhere/at/all', 'read/there/below', 'read']) {
      await expect(store().get(key)).rejects.toMatchObject({ code: 'STORE_NOT_FOUND' });
      await expect(collect(store().stream(key))).rejects.toMatchObject({ code: 'STORE_NOT_FOUND' });
      expect(await store().stat(key)).toBeUndefined();
    }
    await store().delete(['read/nothing', 'nowhere/at/all', 'read/there/below']);
    await store().delete([]);
  });

  test('get refuses what is larger than its bound, unless the range is small', async () => {
    await store().put('read/large', Buffer.alloc(10_000));
    await expect(store().get('read/large', { bytesMax: 9_999 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await store().get('read/large', { bytesMax: 100, offset: 9_900 })).toHaveLength(100);
  });

  test('stat and list agree on size and time', async () => {
    const before = Date.now();
    await store().put('read/stat', Buffer.alloc(77));
    const found = await store().stat('read/stat');
    expect(found).toMatchObject({ key: 'read/stat', bytes: 77 });
    expect(found!.modifiedAtMs).toBeGreaterThan(before - 60_000);
    expect(found!.modifiedAtMs).toBeLessThan(Date.now() + 60_000);
    expect((await collect(store().list('read/'))).find(({ key }) => key === 'read/stat')).toEqual(found);
  });

  test('a cancelled call is CANCELLED and writes nothing', async () => {
    const signal = AbortSignal.abort();
    await store().put('read/cancel', Buffer.from('x'));
    await expect(store().get('read/cancel', { signal })).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(collect(store().stream('read/cancel', { signal }))).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(collect(store().list('read/', { signal }))).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(store().put('read/cancelled', Buffer.from('x'), { signal })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    expect(await store().stat('read/cancelled')).toBeUndefined();
  });
}

function testWriting(store: () => ObjectStore, scratch: () => string): void {
  test('put replaces, ifAbsent does not', async () => {
    expect(await store().put('write/a', Buffer.from('one'))).toBe('created');
    expect(await store().put('write/a', Buffer.from('two'))).toBe('created');
    expect(await store().put('write/a', Buffer.from('three'), { ifAbsent: true })).toBe('exists');
    expect((await store().get('write/a')).toString()).toBe('two');
    expect(await store().put('write/b', Buffer.from('new'), { ifAbsent: true })).toBe('created');
    expect((await store().get('write/b')).toString()).toBe('new');
  });

  test('of many writers with ifAbsent exactly one creates', async () => {
    if (!store().capabilities.conditionalPut) return;
    for (let round = 0; round < 5; round++) {
      const key = `write/race-${round}`;
      const bodies = Array.from({ length: 16 }, (_, writer) => Buffer.alloc(10_000, `writer ${writer} `));
      const outcomes = await Promise.all(bodies.map(async (body) => await store().put(key, body, { ifAbsent: true })));
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
      expect((await store().get(key)).equals(bodies[outcomes.indexOf('created')]!)).toBe(true);
    }
  });

  test('writers of one key leave one whole body', async () => {
    const bodies = Array.from({ length: 8 }, (_, writer) => Buffer.alloc(200_000 + writer, `${writer}`));
    await Promise.all(bodies.map(async (body) => await store().put('write/same', body)));
    const found = await store().get('write/same');
    expect(bodies.some((body) => body.equals(found))).toBe(true);
  });

  test('putFile stores a file; with move it may be taken', async () => {
    const body = randomBytes(5_000_000);
    const path = join(scratch(), 'spool');
    await writeFile(path, body);
    const progress: number[] = [];
    await store().putFile('write/file', path, { onProgress: (bytes) => progress.push(bytes) });
    expect((await readFile(path)).equals(body)).toBe(true);
    expect((await store().get('write/file')).equals(body)).toBe(true);
    expect(progress.at(-1)).toBe(body.length);
    await store().putFile('write/moved', path, { move: true });
    expect((await store().get('write/moved')).equals(body)).toBe(true);
    await expect(store().putFile('write/none', join(scratch(), 'missing'))).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
    expect(await store().stat('write/none')).toBeUndefined();
  });

  test('delete takes what it is told and nothing else', async () => {
    for (const key of ['delete/a', 'delete/b', 'delete/c/d']) await store().put(key, Buffer.from(key));
    await store().delete(['delete/a', 'delete/c/d', 'delete/zzz']);
    expect((await collect(store().list('delete/'))).map(({ key }) => key)).toEqual(['delete/b']);
    expect(await store().put('delete/a', Buffer.from('again'), { ifAbsent: true })).toBe('created');
  });
}

function testListing(store: () => ObjectStore): void {
  const keys = [
    'list/a',
    'list/a-b',
    'list/a.b/c',
    'list/a/b',
    'list/a/b-c/d',
    'list/a/b/c',
    'list/a0',
    'list/A',
    'list/=2E',
    'list/_',
    'list/b/0/1/2/3/4/5/6',
  ];

  test('keys come in byte order, from folders of any depth', async () => {
    // `a/b` is a file here and a folder there on stores without folders; a file system cannot hold both.
    const possible = keys.filter((key) => !['list/a', 'list/a/b'].includes(key));
    for (const key of possible) await store().put(key, Buffer.from(key));
    const found = await collect(store().list('list/'));
    expect(found.map(({ key }) => key)).toEqual([...possible].sort((a, b) => Buffer.from(a).compare(Buffer.from(b))));
    expect(found.map(({ bytes }) => bytes)).toEqual(found.map(({ key }) => key.length));
    for (const [index, after] of found.entries()) {
      expect(await keysAfter(store(), 'list/', after.key)).toEqual(found.slice(index + 1).map(({ key }) => key));
    }
    expect(await keysAfter(store(), 'list/', 'list/a/b-c')).toEqual(
      found.map(({ key }) => key).filter((key) => key > 'list/a/b-c'),
    );
    expect(await keysAfter(store(), 'list/', 'list/zzz')).toEqual([]);
  });

  test('a prefix is a folder: prod is not prod-2', async () => {
    await store().put('prod/x', Buffer.from('1'));
    await store().put('prod-2/x', Buffer.from('2'));
    expect((await collect(store().list('prod/'))).map(({ key }) => key)).toEqual(['prod/x']);
    for (const prefix of ['prod', '/', 'prod//', '../', 'prod/../', '/prod/']) {
      await expect(collect(store().list(prefix))).rejects.toMatchObject({ code: 'STORE_KEY_INVALID' });
    }
    expect(await collect(store().list('nobody/'))).toEqual([]);
    const all = await collect(store().list(''));
    expect(all.filter(({ key }) => key.startsWith('prod')).map(({ key }) => key)).toEqual(['prod-2/x', 'prod/x']);
  });

  test('a long list comes whole, without doubles', async () => {
    const expected = Array.from({ length: 1100 }, (_, index) => `many/${String(index).padStart(6, '0')}`);
    for (let index = 0; index < expected.length; index += 50) {
      await Promise.all(expected.slice(index, index + 50).map(async (key) => await store().put(key, Buffer.from('x'))));
    }
    expect((await collect(store().list('many/'))).map(({ key }) => key)).toEqual(expected);
    expect(await keysAfter(store(), 'many/', expected[1050]!)).toEqual(expected.slice(1051));
    for await (const { key } of store().list('many/')) {
      expect(key).toBe(expected[0]);
      break;
    }
    await store().delete(expected.slice(1).toReversed());
    expect((await collect(store().list('many/'))).map(({ key }) => key)).toEqual(expected.slice(0, 1));
  });
}

function testKeys(store: () => ObjectStore): void {
  const illegal = [
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    '../a',
    'a/../b',
    'a/./b',
    '.hidden',
    'a/.b',
    'a b',
    'a\0b',
    'ä',
    'Ａ',
    'a\u202eb',
    'a%2Fb',
    'a?b',
    'a#b',
    'a+b',
    'a\n',
    'a\\b',
    'a:b',
    'a'.repeat(241),
    'a/'.repeat(600) + 'a',
  ];

  test('keys that travel or hide are refused everywhere', async () => {
    for (const key of illegal) {
      const refused = expect.objectContaining({ code: 'STORE_KEY_INVALID' });
      await expect(store().put(key, Buffer.from('x'))).rejects.toEqual(refused);
      await expect(store().putFile(key, '/dev/null')).rejects.toEqual(refused);
      await expect(store().get(key)).rejects.toEqual(refused);
      await expect(collect(store().stream(key))).rejects.toEqual(refused);
      await expect(store().stat(key)).rejects.toEqual(refused);
      await expect(store().delete([key])).rejects.toEqual(refused);
    }
  });
}

async function keysAfter(store: ObjectStore, prefix: string, after: string): Promise<string[]> {
  return (await collect<ObjectInfo>(store.list(prefix, { after }))).map(({ key }) => key);
}
