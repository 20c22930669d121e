import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { collect } from './collect.ts';
import type { ObjectStore } from './object-store.ts';

/** More than two parts of the smallest size, and not a whole number of them. */
const LARGE_BYTES = 12 * 1024 * 1024 + 12_345;

/** The part of the contract that is about streams and about objects of several parts. */
export function testLargeObjects(store: () => ObjectStore, scratch: () => string): void {
  testStreams(store);
  testFiles(store, scratch);
}

function testStreams(store: () => ObjectStore): void {
  test('putStream stores what comes, in chunks of any size', async () => {
    for (const bytes of [0, 1, 100_000, LARGE_BYTES]) {
      const body = randomBytes(bytes);
      const progress: number[] = [];
      const onProgress = (done: number): void => void progress.push(done);
      expect(await store().putStream(`write/stream-${bytes}`, piecesOf(body), { onProgress })).toBe(bytes);
      expect((await store().get(`write/stream-${bytes}`)).equals(body)).toBe(true);
      if (bytes > 0) expect(progress.at(-1)).toBe(bytes);
    }
    await expect(
      store().putStream('write/endless', piecesOf(randomBytes(10_000)), { bytesMax: 9_999 }),
    ).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await store().stat('write/endless')).toBeUndefined();
  });

  test('a stream that fails, or is cancelled while it is silent, leaves nothing', async () => {
    for (const sent of [0, 1000, LARGE_BYTES]) {
      const failing = piecesOf(randomBytes(sent), { failure: new Error('the source broke') });
      await expect(store().putStream('write/broken', failing)).rejects.toThrow(/the source broke|Writing/);
      const stop = new AbortController();
      const silent = piecesOf(randomBytes(sent), { atEnd: () => stop.abort() });
      await expect(store().putStream('write/broken', silent, { signal: stop.signal })).rejects.toMatchObject({
        code: 'CANCELLED',
      });
      expect(await store().stat('write/broken')).toBeUndefined();
    }
    expect((await collect(store().list('write/'))).filter(({ key }) => key.includes('broken'))).toEqual([]);
  });
}

function testFiles(store: () => ObjectStore, scratch: () => string): void {
  test('a cancelled putFile leaves nothing, and what was there before', async () => {
    const path = join(scratch(), 'cancelled');
    await writeFile(path, randomBytes(LARGE_BYTES));
    await store().put('write/before', Buffer.from('before'));
    for (const key of ['write/before', 'write/never']) {
      const stop = new AbortController();
      const onProgress = (): void => stop.abort();
      // A store that tells of its progress only at the end may be done by then.
      const outcome = await store()
        .putFile(key, path, { signal: stop.signal, onProgress })
        .catch((error: unknown) => error);
      if (outcome === undefined) await store().delete([key]);
      else expect(outcome).toMatchObject({ code: 'CANCELLED' });
    }
    expect(await store().stat('write/never')).toBeUndefined();
  });

  test('large objects are read back by ranges across the borders of their parts', async () => {
    const body = randomBytes(LARGE_BYTES);
    const path = join(scratch(), 'large');
    await writeFile(path, body);
    await store().putFile('write/large', path);
    for (const offset of [0, 5 * 1024 * 1024 - 3, 5 * 1024 * 1024, LARGE_BYTES - 5]) {
      const range = { offset, length: 10 };
      expect((await store().get('write/large', range)).equals(body.subarray(offset, offset + 10))).toBe(true);
    }
    expect(Buffer.concat(await collect(store().stream('write/large'))).equals(body)).toBe(true);
    expect((await store().stat('write/large'))!.bytes).toBe(LARGE_BYTES);
  });

  test('a reader may stop half way', async () => {
    await store().put('write/half', randomBytes(4_000_000));
    for (let round = 0; round < 20; round++) {
      for await (const chunk of store().stream('write/half')) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
    }
    expect((await store().get('write/half')).length).toBe(4_000_000);
  });
}

export function testSweeping(store: () => ObjectStore): void {
  test('sweeping leaves objects, and what is young, alone', async () => {
    await store().put('sweep/object', Buffer.from('x'));
    if (store().sweepAbandoned === undefined) return;
    const nowMs = Date.now();
    expect(await store().sweepAbandoned!('sweep/', { olderThanMs: 3_600_000, nowMs })).toBe(0);
    expect(await store().sweepAbandoned!('nobody/', { olderThanMs: 0, nowMs: nowMs + 3_600_000 })).toBe(0);
    expect((await store().get('sweep/object')).toString()).toBe('x');
    await expect(store().sweepAbandoned!('sweep', { olderThanMs: 0, nowMs })).rejects.toMatchObject({
      code: 'STORE_KEY_INVALID',
    });
  });

  test('what protects an object is told, if anything', async () => {
    await store().put('sweep/unlocked', Buffer.from('x'));
    if (store().objectLock !== undefined) expect(await store().objectLock!('sweep/unlocked')).toBeUndefined();
    expect(store().description).not.toBe('');
  });
}

async function* piecesOf(body: Buffer, end: { failure?: Error; atEnd?: () => void } = {}): AsyncGenerator<Uint8Array> {
  for (let at = 0, piece = 1; at < body.length; at += piece, piece = Math.min(piece * 3, 700_000)) {
    yield body.subarray(at, at + piece);
  }
  if (end.failure !== undefined) throw end.failure;
  if (end.atEnd === undefined) return;
  setImmediate(end.atEnd);
  await new Promise(() => {});
}
