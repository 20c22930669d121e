import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, type ServerFaultEffect } from '@etcd-ops/local-servers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { collect } from './collect.ts';
import type { ObjectStore } from './object-store.ts';
import type { RequestName } from './each-request.ts';
import { BUCKET, S3World } from './testing/s3-world.ts';

const MEBIBYTE = 1024 * 1024;
const LARGE = randomBytes(16 * MEBIBYTE + 777);

let world: S3World;
let store: ObjectStore;
let retried: RequestName[];
/** Pauses between attempts take no time, but are noted. */
let waitsMs: number[];

beforeEach(async () => {
  world = await S3World.start();
  retried = [];
  waitsMs = [];
  let nowMs = 0;
  const clock = {
    now: () => nowMs,
    sleep: (ms: number): Promise<void> => {
      waitsMs.push(ms);
      nowMs += ms;
      return Promise.resolve();
    },
  };
  const meter = { operated: () => {}, retried: (request: RequestName) => void retried.push(request) };
  store = await world.open({ requestTimeoutMs: 1000 }, { clock, meter });
  await writeFile(join(world.directory, 'large'), LARGE);
});
afterEach(async () => await world[Symbol.asyncDispose]());

const BUSY: ServerFaultEffect = { kind: 'refuse', status: 503, code: 'SlowDown' };
const uploadLarge = async (): Promise<void> => await store.putFile('large', join(world.directory, 'large'));

describe('what may succeed later is tried again', () => {
  test('every request of an upload, whatever breaks it', async () => {
    const steps = ['HeadObject', 'CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload'];
    for (const operation of steps) {
      for (const effect of [
        BUSY,
        { kind: 'lose-answer' },
        { kind: 'refuse', status: 500, code: 'InternalError' },
      ] as const) {
        world.server.faults.add({ operation, effect });
      }
    }
    for (const afterBytes of [0, 1, MEBIBYTE, 5 * MEBIBYTE]) {
      world.server.faults.add({ operation: 'UploadPart', effect: { kind: 'cut-request', afterBytes } });
    }
    await uploadLarge();
    expect((await store.get('large')).equals(LARGE)).toBe(true);
    expect(world.server.faults.left).toBe(0);
    expect(retried.length).toBeGreaterThanOrEqual(14);
  });

  test('the wait that the store asks for is kept', async () => {
    world.server.faults.add({ operation: 'PutObject', effect: { ...BUSY, retryAfterSeconds: 7 } });
    await store.put('a', Buffer.from('x'));
    expect(waitsMs).toEqual([7000]);
  });

  test('not for ever, and then the last reason is told', async () => {
    world.server.faults.add({ operation: 'PutObject', times: 1000, effect: BUSY });
    await expect(store.put('a', Buffer.from('x'))).rejects.toMatchObject({
      code: 'STORE_BUSY',
      message: expect.stringMatching(/^Writing a failed at S3 backups at http:\/\/127\.0\.0\.1:\d+: .*SlowDown/),
    });
    const waitedMs = waitsMs.reduce((sum, ms) => sum + ms, 0);
    expect(waitedMs).toBeLessThanOrEqual(30_000);
    expect(waitedMs).toBeGreaterThan(15_000);
  });

  test('what will not get better is not', async () => {
    world.server.faults.add({
      operation: 'PutObject',
      effect: { kind: 'refuse', status: 400, code: 'InvalidArgument' },
    });
    await expect(store.put('a', Buffer.from('x'))).rejects.toMatchObject({ code: 'STORE_REFUSED' });
    expect(waitsMs).toEqual([]);
  });
});

describe('reading goes on where it broke', () => {
  test('half an answer, again and again', async () => {
    await store.put('a', LARGE.subarray(0, 4 * MEBIBYTE));
    world.server.faults.add({ operation: 'GetObject', times: 6, effect: { kind: 'half-answer' } });
    expect((await store.get('a')).equals(LARGE.subarray(0, 4 * MEBIBYTE))).toBe(true);
    expect(world.server.count('GetObject')).toBe(7);
    const [first, second] = world.server.seen.filter(({ operation }) => operation === 'GetObject');
    expect(second!.headers['if-match']).toBe(world.server.bucket(BUCKET).object('a')!.etag);
    expect(first!.headers['range']).toBe('bytes=0-');
    expect(Number(/^bytes=(\d+)-/.exec(second!.headers['range']!)![1])).toBeGreaterThan(0);
  });

  test('never from another version of the object', async () => {
    await store.put('a', LARGE.subarray(0, MEBIBYTE));
    world.server.faults.add({ operation: 'GetObject', effect: { kind: 'half-answer' } });
    const reading = store.stream('a')[Symbol.asyncIterator]();
    await reading.next();
    await store.put('a', LARGE.subarray(1, MEBIBYTE + 1));
    await expect(
      (async () => {
        while ((await reading.next()).done !== true);
      })(),
    ).rejects.toMatchObject({ code: 'STORE_REFUSED', message: expect.stringContaining('replaced') });
  });

  test('a store that says nothing any more is given up', async () => {
    const until = new Promise<void>(() => {});
    await store.put('a', Buffer.from('x'));
    world.server.faults.add({ operation: 'GetObject', effect: { kind: 'hold', until } });
    expect((await store.get('a')).toString()).toBe('x');
    expect(retried).toEqual(['read']);
  });

  test('a page that breaks is asked for again, without doubles', async () => {
    const keys = Array.from({ length: 2500 }, (_, index) => `list/${String(index).padStart(5, '0')}`);
    for (const key of keys) world.server.bucket(BUCKET).write(key, { body: Buffer.from('x'), modifiedAtMs: 0 });
    for (let page = 0; page < 3; page++) {
      world.server.faults.add({ operation: 'ListObjectsV2', effect: { kind: 'half-answer' } });
      world.server.faults.add({ operation: 'ListObjectsV2', effect: BUSY });
    }
    expect((await collect(store.list('list/'))).map(({ key }) => key)).toEqual(keys);
  });
});

describe('a conditional put', () => {
  test('whose answer was lost is known as our own', async () => {
    await store.put('first', Buffer.from('x'), { ifAbsent: true });
    world.server.faults.add({ operation: 'PutObject', effect: { kind: 'lose-answer' } });
    expect(await store.put('a', Buffer.from('mine'), { ifAbsent: true })).toBe('created');
    expect(await store.put('a', Buffer.from('theirs'), { ifAbsent: true })).toBe('exists');
    expect((await store.get('a')).toString()).toBe('mine');
  });

  test('whose answer was lost on top of somebody else’s object does not pass for it', async () => {
    await store.put('first', Buffer.from('x'), { ifAbsent: true });
    await store.put('a', Buffer.from('theirs'));
    world.server.faults.add({ operation: 'PutObject', effect: BUSY });
    expect(await store.put('a', Buffer.from('mine'), { ifAbsent: true })).toBe('exists');
  });

  test.each(['ignored', 'refused'] as const)(
    'on a server by which it is %s is found out, and looked for first',
    async (conditions) => {
      await using other = await S3World.start({ conditions });
      const opened = await other.open();
      expect(opened.capabilities.conditionalPut).toBe(true);
      expect(await opened.put('a', Buffer.from('one'), { ifAbsent: true })).toBe('created');
      expect(opened.capabilities.conditionalPut).toBe(false);
      expect(await opened.put('a', Buffer.from('two'), { ifAbsent: true })).toBe('exists');
      expect(await opened.put('b', Buffer.from('two'), { ifAbsent: true })).toBe('created');
      expect((await opened.get('a')).toString()).toBe('one');
    },
  );

  test.each([BUSY, { kind: 'lose-answer' } as const])(
    'whose trial meets a fault is tried again, and believed',
    async (effect) => {
      // The first put is served; the trial behind it is not, at once.
      world.server.faults.add({ operation: 'PutObject', every: 2, effect });
      expect(await store.put('a', Buffer.from('mine'), { ifAbsent: true })).toBe('created');
      expect(world.server.faults.left).toBe(0);
      expect(store.capabilities.conditionalPut).toBe(true);
      await store.put('b', Buffer.from('mine'), { ifAbsent: true });
      expect(store.capabilities.conditionalPut).toBe(true);
    },
  );

  test('whose trial is refused has succeeded all the same', async () => {
    const refuse: ServerFaultEffect = { kind: 'refuse', status: 403, code: 'AccessDenied' };
    world.server.faults.add({ operation: 'PutObject', every: 2, effect: refuse });
    expect(await store.put('a', Buffer.from('mine'), { ifAbsent: true })).toBe('created');
    expect(await store.put('a', Buffer.from('theirs'), { ifAbsent: true })).toBe('exists');
  });

  test('is tried once for a store, not for each object', async () => {
    for (let index = 0; index < 5; index++) await store.put(`k${index}`, Buffer.from('x'), { ifAbsent: true });
    expect(world.server.count('PutObject')).toBe(6);
    expect(store.capabilities.conditionalPut).toBe(true);
  });
});

describe('an upload that cannot be finished', () => {
  test.each([1, 2, 3, 4])('at part %i rejects, shows nothing and leaves no parts', async (partNumber) => {
    world.server.faults.add({
      operation: 'UploadPart',
      matches: ({ query }) => query.get('partNumber') === String(partNumber),
      effect: { kind: 'refuse', status: 403, code: 'AccessDenied' },
    });
    await expect(uploadLarge()).rejects.toMatchObject({ code: 'STORE_DENIED' });
    expect(await store.stat('large')).toBeUndefined();
    expect(world.server.bucket(BUCKET).uploads.size).toBe(0);
  });

  test('because completing it fails is no success, nor when dropping it fails, too; the sweep takes the parts', async () => {
    const refuse: ServerFaultEffect = { kind: 'refuse', status: 403, code: 'AccessDenied' };
    world.server.faults.add({ operation: 'CompleteMultipartUpload', effect: refuse });
    world.server.faults.add({ operation: 'AbortMultipartUpload', effect: refuse });
    await expect(uploadLarge()).rejects.toMatchObject({ code: 'STORE_DENIED' });
    expect(await collect(store.list(''))).toEqual([]);
    expect(world.server.bucket(BUCKET).uploads.size).toBe(1);
    const nowMs = Date.now();
    expect(await store.sweepAbandoned!('', { olderThanMs: 60_000, nowMs })).toBe(0);
    expect(await store.sweepAbandoned!('', { olderThanMs: 60_000, nowMs: nowMs + 120_000 })).toBe(1);
    expect(world.server.bucket(BUCKET).uploads.size).toBe(0);
  });

  test('answers 200 with an error inside, as S3 does, and is no success', async () => {
    world.server.faults.add({
      operation: 'CompleteMultipartUpload',
      times: 50,
      effect: { kind: 'refuse', status: 200, code: 'InternalError' },
    });
    await expect(uploadLarge()).rejects.toMatchObject({ code: 'STORE_BUSY' });
    expect(await store.stat('large')).toBeUndefined();
    expect(world.server.bucket(BUCKET).uploads.size).toBe(0);
  });
});

test('many abandoned uploads are swept page by page, those of other clusters left alone', async () => {
  const bucket = world.server.bucket(BUCKET);
  for (let index = 0; index < 2100; index++) {
    const key = index % 3 === 0 ? `prod-2/${index}` : `prod/${index % 50}`;
    const uploadId = String(index).padStart(6, '0');
    bucket.uploads.set(uploadId, { uploadId, key, startedAtMs: 0, parts: new Map() });
  }
  expect(await store.sweepAbandoned!('prod/', { olderThanMs: 1000, nowMs: Date.now() })).toBe(1400);
  expect([...bucket.uploads.values()].every(({ key }) => key.startsWith('prod-2/'))).toBe(true);
});

test('an upload whose parts still arrive lives, however long ago it began', async () => {
  const bucket = world.server.bucket(BUCKET);
  const [now, hour] = [Date.now(), 3_600_000];
  const leave = (uploadId: string, startedHours: number, partHours: number[]): void => {
    const parts = partHours.map((hours, index) => {
      const part = { body: Buffer.alloc(1), etag: '"x"', checksums: {}, modifiedAtMs: now - hours * hour };
      return [index + 1, part] as const;
    });
    bucket.uploads.set(uploadId, {
      uploadId,
      key: 'prod/x',
      startedAtMs: now - startedHours * hour,
      parts: new Map(parts),
    });
  };
  // The newest part is on the second page.
  leave('slow', 30, [...Array.from({ length: 1000 }, () => 29), 2, 29]);
  leave('dead', 30, [29, 25]);
  leave('empty', 30, []);
  leave('young', 3, []);
  leave('endless', 24 * 8, [1]);
  const sweep = async (): Promise<number> => await store.sweepAbandoned!('', { olderThanMs: 24 * hour, nowMs: now });
  world.server.faults.add({
    operation: 'ListParts',
    times: 3,
    effect: { kind: 'refuse', status: 403, code: 'AccessDenied' },
  });
  expect(await sweep()).toBe(1);
  expect([...bucket.uploads.keys()]).toEqual(['slow', 'dead', 'empty', 'young']);
  expect(await sweep()).toBe(2);
  expect([...bucket.uploads.keys()]).toEqual(['slow', 'young']);
});

test('parts go up side by side, as many as are allowed', async () => {
  const { server } = world;
  const limited = await world.open({ partsInFlightMax: 2 });
  // The first part is answered when the second is under way.
  const until = eventually(() => expect(server.inFlightMax).toBe(2));
  server.faults.add({ operation: 'UploadPart', effect: { kind: 'hold', until } });
  await limited.putFile('large', join(world.directory, 'large'));
  await until;
  expect(server.inFlightMax).toBe(2);
});

test('bandwidth is shared by all uploads of a store', async () => {
  waitsMs = [];
  const clock = { now: () => 0, sleep: (ms: number): Promise<void> => Promise.resolve(void waitsMs.push(ms)) };
  const slow = await world.open({ bytesPerSecondMax: MEBIBYTE }, { clock });
  for (let index = 0; index < 3; index++) await slow.put(`slow/${index}`, LARGE.subarray(0, MEBIBYTE));
  expect(waitsMs).toEqual([1000, 2000]);
});
