import { randomBytes } from 'node:crypto';
import { OssServer, type OssAccount, type OssFault } from '@etcd-ops/local-servers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock, type Clock } from '../base/clock.ts';
import { describeError } from '../base/errors.ts';
import { describeObjectStore } from './object-store-conformance.ts';
import { collect } from './collect.ts';
import { OssCredentialChain } from './oss-credentials.ts';
import { openOssBucket } from './oss-open.ts';
import { RemoteStore } from './remote-store.ts';
import { retryingBucket } from './retrying-bucket.ts';

const account: OssAccount = { accessKeyId: 'LTAI0123456789', accessKeySecret: 'the-secret-of-this-test' };
const partBytes = 1024 * 1024;
/** What is announced of a stream decides over the size of its parts. */
const bytesMax = 64 * partBytes;

async function storeOf(server: OssServer, { clock = systemClock, deadlineMs = 60_000 } = {}): Promise<RemoteStore> {
  const source = { name: 'the test', read: async () => ({ ...account, endpoint: server.endpoint }) };
  const bucket = await openOssBucket(
    { provider: 'OSS', bucket: 'bak-bucket', region: 'cn-hangzhou' },
    { chain: new OssCredentialChain([source]) },
  );
  const policy = { deadlineMs, delayMs: 1, delayMsMax: 20, clock, random: Math.random };
  return new RemoteStore(retryingBucket(bucket, policy), { prefix: '', partBytes, partsInFlightMax: 3 });
}

/** Each seventh request or so goes wrong, in another way each time; the longer one waits, the more. */
const storm: OssFault[] = [
  { every: 7, times: Infinity, effect: { kind: 'lose-answer' } },
  { every: 11, times: Infinity, effect: { kind: 'half-answer' } },
  { every: 13, times: Infinity, effect: { kind: 'refuse', status: 503, code: 'ServiceUnavailable' } },
  { every: 17, times: Infinity, effect: { kind: 'cut-request', afterBytes: 1 } },
  { every: 19, times: Infinity, effect: { kind: 'trickle', chunkBytes: 200_000, pauseMs: 1 } },
  { every: 23, times: Infinity, effect: { kind: 'refuse', status: 500, code: 'InternalError' } },
];

describe('in a storm of faults', () => {
  let server: OssServer | undefined;
  describeObjectStore('OSS', async () => {
    server = await OssServer.start({ accounts: [account], buckets: ['bak-bucket'] });
    for (const fault of storm) server.faults.add(fault);
    return await storeOf(server);
  });
  it('was a storm indeed', () => {
    expect(server!.seen.filter(({ status }) => status >= 500).length).toBeGreaterThan(10);
  });
});

describe('what goes wrong', () => {
  let server: OssServer;
  let store: RemoteStore;
  beforeEach(async () => {
    server = await OssServer.start({ accounts: [account], buckets: ['bak-bucket'] });
    store = await storeOf(server);
  });
  afterEach(async () => {
    await store.close();
    await server.close();
  });
  const bucket = () => server.bucket('bak-bucket');
  const body = randomBytes(4 * partBytes + 12_345);
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < body.length; at += 300_000) yield body.subarray(at, at + 300_000);
  }

  it.for(['cut-request', 'lose-answer', 'half-answer'] as const)(
    '%s at every part of an upload: it arrives whole',
    async (kind) => {
      const effect = kind === 'cut-request' ? { kind, afterBytes: 50_000 } : { kind };
      server.faults.add({ operation: 'InitiateMultipartUpload', effect });
      server.faults.add({ operation: 'CompleteMultipartUpload', effect });
      for (let part = 1; part <= 5; part++) {
        server.faults.add({
          operation: 'UploadPart',
          effect,
          matches: ({ query }) => query.get('partNumber') === String(part),
        });
      }
      expect(await store.putStream('large', pieces(), { bytesMax })).toBe(body.length);
      expect(server.faults.left).toBe(0);
      expect(bucket().current('large')!.body.equals(body)).toBe(true);
    },
  );

  it.for([1, 2, 3, 4, 5])('an upload that is refused at part %i rejects, and leaves nothing', async (part) => {
    const refused = { kind: 'refuse', status: 403, code: 'AccessDenied' } as const;
    server.faults.add({
      operation: 'UploadPart',
      effect: refused,
      matches: ({ query }) => query.get('partNumber') === String(part),
    });
    await expect(store.putStream('large', pieces(), { bytesMax })).rejects.toMatchObject({ code: 'STORE_DENIED' });
    expect(bucket().keys()).toEqual([]);
    expect(bucket().uploads.size).toBe(0);
  });

  it('an upload whose completion is refused rejects, though its abort succeeds', async () => {
    server.faults.add({
      operation: 'CompleteMultipartUpload',
      effect: { kind: 'refuse', status: 400, code: 'InvalidPart' },
    });
    await expect(store.putStream('large', pieces(), { bytesMax })).rejects.toMatchObject({ code: 'STORE_REFUSED' });
    expect(server.count('AbortMultipartUpload')).toBe(1);
    expect(bucket().keys()).toEqual([]);
    expect(bucket().uploads.size).toBe(0);
  });

  it('an aborted upload is CANCELLED and leaves nothing', async () => {
    const abort = new AbortController();
    const held = Promise.withResolvers<void>();
    server.faults.add({
      operation: 'UploadPart',
      times: 3,
      effect: { kind: 'hold', until: held.promise },
      matches: () => {
        abort.abort();
        return true;
      },
    });
    await expect(store.putStream('large', pieces(), { bytesMax, signal: abort.signal })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    held.resolve();
    expect(bucket().keys()).toEqual([]);
    expect(bucket().uploads.size).toBe(0);
  });

  it('a source that fails is a failed upload', async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield body.subarray(0, 2 * partBytes);
      throw new Error('the disk is gone');
    }
    await expect(store.putStream('large', broken(), { bytesMax })).rejects.toThrow('the disk is gone');
    expect(bucket().keys()).toEqual([]);
    expect(bucket().uploads.size).toBe(0);
  });

  it('parts go side by side, but not more than asked for', async () => {
    const held = Promise.withResolvers<void>();
    server.faults.add({ operation: 'UploadPart', times: 3, effect: { kind: 'hold', until: held.promise } });
    const done = store.putStream('large', pieces(), { bytesMax });
    while (server.count('UploadPart') < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    held.resolve();
    await done;
    expect(server.inFlightMax).toBe(3);
  });

  it('what a dead writer left is swept, page by page, and nothing else', async () => {
    const [old, young] = [Date.now() - 3_600_000, Date.now()];
    const leave = (key: string, uploadId: string, startedAtMs: number) =>
      bucket().uploads.set(uploadId, { key, uploadId, startedAtMs, parts: new Map() });
    for (let index = 0; index < 1005; index++) leave(`prod/x${index % 7}`, `U${index}`, old);
    leave('prod/young', 'YOUNG', young);
    leave('prod-2/x', 'OTHER', old);
    expect(await store.sweepAbandoned('prod/', { olderThanMs: 60_000, nowMs: Date.now() })).toBe(1005);
    expect([...bucket().uploads.keys()]).toEqual(['YOUNG', 'OTHER']);
    expect(server.count('ListMultipartUploads')).toBe(2);
  });

  it('an upload whose parts still arrive lives, however long ago it began', async () => {
    const now = Date.now();
    const part = (hours: number) => ({
      body: Buffer.alloc(1),
      etag: 'X',
      crc64: '0',
      modifiedAtMs: now - hours * 3_600_000,
    });
    const leave = (uploadId: string, partHours: number[]) => {
      const parts = new Map(partHours.map((hours, index) => [index + 1, part(hours)]));
      bucket().uploads.set(uploadId, { key: 'prod/x', uploadId, startedAtMs: now - 30 * 3_600_000, parts });
    };
    leave('SLOW', [...Array.from({ length: 1000 }, () => 29), 2]);
    leave('DEAD', [29, 25]);
    leave('ONE', [29]);
    leave('NONE', []);
    expect(await store.sweepAbandoned('prod/', { olderThanMs: 24 * 3_600_000, nowMs: now })).toBe(3);
    expect([...bucket().uploads.keys()]).toEqual(['SLOW']);
  });

  it('a download that breaks off goes on where it broke', async () => {
    bucket().write('large', body, { nowMs: Date.now() });
    for (let time = 0; time < 3; time++) server.faults.add({ operation: 'GetObject', effect: { kind: 'half-answer' } });
    expect(Buffer.concat(await collect(store.stream('large'))).equals(body)).toBe(true);
    expect(server.count('GetObject')).toBe(4);
  });

  it('an answer with a wrong bit is noticed, and never handed out as whole', async () => {
    bucket().write('large', body, { nowMs: Date.now() });
    server.faults.add({ operation: 'GetObject', effect: { kind: 'damage-answer' } });
    await expect(collect(store.stream('large'))).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
    server.faults.add({ operation: 'GetObject', effect: { kind: 'damage-answer' } });
    await expect(store.get('large')).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
    expect((await store.get('large')).equals(body)).toBe(true);
  });

  it('every body goes with its MD5, and what the server stored otherwise is written again', async () => {
    server.faults.add({ operation: 'PutObject', effect: { kind: 'damage-stored' } });
    await store.put('small', body.subarray(0, 1000));
    server.faults.add({ operation: 'UploadPart', effect: { kind: 'damage-stored' } });
    await store.putStream('large', pieces(), { bytesMax });
    expect(bucket().current('small')!.body.equals(body.subarray(0, 1000))).toBe(true);
    expect(bucket().current('large')!.body.equals(body)).toBe(true);
    const bodies = server.seen.filter(({ operation }) => ['PutObject', 'UploadPart'].includes(operation));
    expect(bodies.length).toBe(2 + 5 + 1);
    expect(bodies.filter(({ headers }) => !/^[A-Za-z0-9+/]{22}==$/.test(headers['content-md5'] ?? ''))).toEqual([]);
  });

  it('a damaged object that must be new is no success', async () => {
    server.faults.add({ operation: 'PutObject', effect: { kind: 'damage-stored' } });
    await expect(store.put('once', Buffer.from('abc'), { ifAbsent: true })).rejects.toMatchObject({
      code: 'OBJECT_DAMAGED',
    });
  });

  it('a large object that was put together wrongly is no success', async () => {
    server.faults.add({ operation: 'CompleteMultipartUpload', effect: { kind: 'wrong-checksum' } });
    await expect(store.putStream('large', pieces(), { bytesMax })).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
    expect(server.count('CompleteMultipartUpload')).toBe(1);
  });

  it('waits as long as the server asks', async () => {
    const waits: number[] = [];
    const clock: Clock = { now: () => Date.now(), sleep: async (ms) => void waits.push(ms) };
    const patient = await storeOf(server, { clock });
    server.faults.add({ effect: { kind: 'refuse', status: 503, code: 'ServiceUnavailable', retryAfterSeconds: 7 } });
    await patient.put('a', Buffer.from('a'));
    expect(waits).toEqual([7000]);
  });

  it('an error that stays is told after the deadline, without the secret', async () => {
    const hasty = await storeOf(server, { deadlineMs: 50 });
    server.faults.add({
      times: Infinity,
      effect: { kind: 'refuse', status: 500, code: 'InternalError', message: account.accessKeySecret },
    });
    const failure = await hasty.put('a', Buffer.from('a')).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'STORE_BUSY' });
    expect(describeError(failure)).not.toContain(account.accessKeySecret);
  });
});
