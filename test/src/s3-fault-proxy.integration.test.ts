import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { openStore, type ObjectStore, type RequestName } from '@etcd-ops/core';
import { eventually, faultProxy, S3Server, tempDir, type FaultProxy, type TempDir } from '@etcd-ops/test-kit';
import { afterEach, beforeEach, expect, test } from 'vitest';

const LARGE = randomBytes(38 * 1024 * 1024 + 5);
const PARTS = 8;

let scratch: TempDir;
let server: S3Server;
let proxy: FaultProxy;
let store: ObjectStore;
let retried: RequestName[];

beforeEach(async () => {
  scratch = tempDir();
  server = await S3Server.start({
    accounts: [{ accessKeyId: 'AKIDBEHINDTHEPROXY', secretAccessKey: 'a/secret+behind=it' }],
    buckets: ['backups'],
  });
  proxy = await faultProxy(server.endpoint);
  mkdirSync(scratch.file('credentials'));
  writeFileSync(scratch.file('credentials', 'accessKeyID'), 'AKIDBEHINDTHEPROXY');
  writeFileSync(scratch.file('credentials', 'secretAccessKey'), 'a/secret+behind=it');
  writeFileSync(scratch.file('large'), LARGE);
  retried = [];
  store = await openStore(
    {
      provider: 'S3',
      bucket: 'backups',
      endpoint: proxy.url,
      credentials: { directory: scratch.file('credentials') },
      partsInFlightMax: 2,
      requestTimeoutMs: 2000,
      retryDeadlineMs: 120_000,
    },
    { meter: { operated: () => {}, retried: (request) => void retried.push(request) } },
  );
});
afterEach(async () => {
  await store.close?.();
  await proxy.close();
  await server.close();
  await scratch.remove();
});

test('connections that are cut at every part: the upload goes on, and is whole', async () => {
  const uploading = store.putFile('large', scratch.file('large'));
  for (let part = 1; part <= PARTS; part++) {
    await eventually(() => server.count('UploadPart') >= part, { timeoutMs: 60_000, intervalMs: 1 });
    proxy.cut();
  }
  await uploading;
  expect(server.bucket('backups').object('large')!.body.equals(LARGE)).toBe(true);
  expect(server.bucket('backups').uploads.size).toBe(0);
  expect(retried).toContain('uploadPart');
});

test('reading goes on where the connection was cut or its way down ended', async () => {
  server.bucket('backups').write('large', { body: LARGE, modifiedAtMs: 0 });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of store.stream('large')) {
    chunks.push(chunk);
    if (Math.floor(bytes / 8_000_000) < Math.floor((bytes + chunk.length) / 8_000_000)) {
      if (chunks.length % 2 === 0) proxy.cut();
      else proxy.halfClose();
    }
    bytes += chunk.length;
  }
  expect(Buffer.concat(chunks).equals(LARGE)).toBe(true);
  expect(server.count('GetObject')).toBeGreaterThan(1);
});

test('a store that is away, or whose network swallows everything, is waited for', async () => {
  for (const fault of ['refuse', 'blackHole'] as const) {
    retried = [];
    proxy.cut();
    proxy.faults[fault] = true;
    const putting = store.put(`after-${fault}`, Buffer.from('x'));
    await eventually(() => retried.length > 0, { timeoutMs: 60_000 });
    proxy.faults[fault] = false;
    expect(await putting).toBe('created');
  }
});

test('slow is not broken', async () => {
  proxy.faults.bytesPerSecondMax = 20_000_000;
  await store.putFile('large', scratch.file('large'));
  expect(server.bucket('backups').object('large')!.body.equals(LARGE)).toBe(true);
});
