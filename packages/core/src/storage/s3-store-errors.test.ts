import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EtcdOpsError } from '../base/errors.ts';
import { collect } from './collect.ts';
import type { S3StoreSpec } from './store-spec.ts';
import { ACCOUNT, BUCKET, S3World } from './testing/s3-world.ts';

const HOUR_MS = 3_600_000;
const KEYS = { accessKeyID: ACCOUNT.accessKeyId, secretAccessKey: ACCOUNT.secretAccessKey };
const TOKEN = 'a-session-token-that-nobody-may-see';

let world: S3World;
let serverAheadMs = 0;
beforeAll(async () => {
  world = await S3World.start({ clock: () => Date.now() + serverAheadMs });
});
afterAll(async () => await world[Symbol.asyncDispose]());
beforeEach(async () => {
  serverAheadMs = 0;
  world.server.accounts = [ACCOUNT];
  await world.writeCredentials(KEYS);
});
afterEach(() => world.server.faults.clear());

/** Everything of a failure that could be printed by anybody. */
async function failureOf(spec: Partial<S3StoreSpec>): Promise<EtcdOpsError> {
  const store = await world.open({ retryDeadlineMs: 0, ...spec });
  const error: unknown = await store.put('prod/object', Buffer.from('x')).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(EtcdOpsError);
  const told = inspect(error, { depth: 20, showHidden: true, getters: true }) + JSON.stringify(error);
  for (const secret of [ACCOUNT.secretAccessKey, 'wrong-secret', TOKEN, 'Signature=']) {
    expect(told).not.toContain(secret);
  }
  return error as EtcdOpsError;
}

describe('what is wrong is told in words, without a secret', () => {
  test('no such bucket', async () => {
    expect(await failureOf({ bucket: 'nowhere' })).toMatchObject({
      code: 'STORE_NO_BUCKET',
      message: expect.stringMatching(/^Writing prod\/object failed at S3 nowhere at http/),
    });
  });

  test('another region', async () => {
    expect(await failureOf({ region: 'eu-west-1' })).toMatchObject({
      code: 'STORE_NO_BUCKET',
      remedy: expect.stringContaining('--store-region'),
    });
  });

  test('a wrong secret, an unknown key, an ended or wrong token', async () => {
    await world.writeCredentials({ ...KEYS, secretAccessKey: 'wrong-secret' });
    expect(await failureOf({})).toMatchObject({
      code: 'STORE_CREDENTIALS',
      message: expect.stringMatching(/SignatureDoesNotMatch/),
    });
    await world.writeCredentials({ ...KEYS, accessKeyID: 'AKIDUNKNOWN' });
    expect(await failureOf({})).toMatchObject({
      code: 'STORE_CREDENTIALS',
      message: expect.stringMatching(/InvalidAccessKeyId/),
    });
    await world.writeCredentials({ ...KEYS, sessionToken: TOKEN });
    expect(await failureOf({})).toMatchObject({
      code: 'STORE_CREDENTIALS',
      message: expect.stringMatching(/InvalidToken/),
    });
    world.server.accounts = [{ ...ACCOUNT, sessionToken: TOKEN, expiresAtMs: Date.now() - 1 }];
    expect(await failureOf({})).toMatchObject({
      code: 'STORE_CREDENTIALS',
      remedy: expect.stringMatching(/session token has run out/),
    });
  });

  test('a server that repeats secrets in its words', async () => {
    const message = `You sent ${ACCOUNT.secretAccessKey}, did you not?`;
    world.server.faults.add({ effect: { kind: 'refuse', status: 400, code: 'InvalidArgument', message } });
    expect(await failureOf({})).toMatchObject({ code: 'STORE_REFUSED' });
  });

  test('no right to write', async () => {
    world.server.accounts = [{ ...ACCOUNT, denied: ['PutObject'] }];
    expect(await failureOf({})).toMatchObject({ code: 'STORE_DENIED' });
  });

  test('nobody there, no such name, no TLS', async () => {
    const free = await freePort();
    expect(await failureOf({ endpoint: `http://127.0.0.1:${free}` })).toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringMatching(/ECONNREFUSED/),
    });
    expect(await failureOf({ endpoint: 'http://no-such-host.invalid' })).toMatchObject({ code: 'STORE_UNREACHABLE' });
    const { port } = world.server;
    expect(await failureOf({ endpoint: `https://127.0.0.1:${port}` })).toMatchObject({ code: 'STORE_TLS' });
  });

  test('credentials that are not there', async () => {
    await world.writeCredentials({ accessKeyID: ACCOUNT.accessKeyId });
    expect(await failureOf({})).toMatchObject({
      code: 'STORE_CREDENTIALS',
      message: expect.stringMatching(/secretAccessKey is missing/),
    });
    const missing = { directory: join(world.directory, 'nowhere') };
    expect(await failureOf({ credentials: missing })).toMatchObject({
      code: 'STORE_CREDENTIALS',
      message: expect.stringMatching(/ENOENT/),
    });
    const broken = join(world.directory, 'broken.json');
    await writeFile(broken, `{"secretAccessKey": "${ACCOUNT.secretAccessKey}"`);
    expect(await failureOf({ credentials: { file: broken } })).toMatchObject({ code: 'STORE_CREDENTIALS' });
  });

  test('a lock that forbids a deletion names the object', async () => {
    const bucket = world.server.bucket(BUCKET);
    bucket.defaultLock = { days: 1, mode: 'COMPLIANCE' };
    const store = await world.open({ prefix: 'locked' });
    await store.put('a', Buffer.from('x'));
    bucket.defaultLock = undefined;
    await store.put('b', Buffer.from('x'));
    expect(await store.objectLock!('a')).toMatchObject({ mode: 'compliance', legalHold: false });
    expect((await store.objectLock!('a'))!.retainUntilMs).toBeGreaterThan(Date.now() + 23 * HOUR_MS);
    await expect(store.delete(['a', 'b'])).rejects.toMatchObject({
      code: 'STORE_DENIED',
      message: expect.stringContaining('locked/a (AccessDenied)'),
    });
    expect((await collect(store.list(''))).map(({ key }) => key)).toEqual(['a']);
  });
});

describe('credentials', () => {
  test('newlines around values do no harm', async () => {
    await world.writeCredentials({
      accessKeyID: `${ACCOUNT.accessKeyId}\n`,
      secretAccessKey: ` ${ACCOUNT.secretAccessKey}\r\n`,
    });
    expect(await (await world.open()).put('newline', Buffer.from('x'))).toBe('created');
  });

  test('what else lies in the folder is left alone', async () => {
    await writeFile(join(world.credentials, 'backup'), Buffer.alloc(2_000_000));
    await writeFile(join(world.credentials, 'notes.txt'), 'x');
    await mkdir(join(world.credentials, 'region'));
    expect(await (await world.open()).put('folder', Buffer.from('x'))).toBe('created');
  });

  test('one file of JSON, with endpoint and path style in it', async () => {
    const file = join(world.directory, 'credentials.json');
    const { endpoint } = world.server;
    await writeFile(file, JSON.stringify({ ...KEYS, endpoint, region: 'us-east-1', s3ForcePathStyle: true }));
    const { endpoint: _, ...spec } = world.spec({ credentials: { file } });
    const { openStore } = await import('./open-store.ts');
    expect(await (await openStore(spec)).put('json', Buffer.from('x'))).toBe('created');
  });

  test('the folder that AWS_APPLICATION_CREDENTIALS names', async () => {
    const { S3Bucket } = await import('./s3-bucket.ts');
    const { credentials: _, ...spec } = world.spec();
    const bucket = new S3Bucket(spec, { AWS_APPLICATION_CREDENTIALS: world.credentials });
    expect(await bucket.put('environment', Buffer.from('x'), {})).toBe('created');
  });

  test('keys that were changed are used at the next request, also behind the links of a mounted secret', async () => {
    const mounted = join(world.directory, 'mounted');
    await mkdir(join(mounted, '..first'), { recursive: true });
    await mkdir(join(mounted, '..second'));
    for (const [name, value] of Object.entries(KEYS)) await writeFile(join(mounted, '..first', name), value);
    await writeFile(join(mounted, '..second', 'accessKeyID'), 'AKIDROTATED');
    await writeFile(join(mounted, '..second', 'secretAccessKey'), 'the-new-secret');
    await symlink('..first', join(mounted, '..data'));
    for (const name of Object.keys(KEYS)) await symlink(join('..data', name), join(mounted, name));
    const store = await world.open({ credentials: { directory: mounted } });
    await store.put('before', Buffer.from('x'));
    world.server.accounts = [{ accessKeyId: 'AKIDROTATED', secretAccessKey: 'the-new-secret' }];
    await expect(store.put('between', Buffer.from('x'))).rejects.toMatchObject({ code: 'STORE_CREDENTIALS' });
    await symlink('..second', join(mounted, '..data_tmp'));
    await rename(join(mounted, '..data_tmp'), join(mounted, '..data'));
    expect(await store.put('after', Buffer.from('x'))).toBe('created');
  });
});

describe('clocks', () => {
  test.each([-26 * HOUR_MS, 20 * 60_000, 26 * HOUR_MS])('that are %i ms apart are made up for', async (aheadMs) => {
    serverAheadMs = aheadMs;
    const store = await world.open({ prefix: 'clock' });
    expect(await store.put('a', Buffer.from('x'))).toBe('created');
    const { clockAheadMs } = await store.bucketFacts!();
    expect(Math.abs(clockAheadMs! - aheadMs)).toBeLessThan(60_000);
  });

  test('that cannot be made up for are told', async () => {
    world.server.faults.add({ times: 5, effect: { kind: 'refuse', status: 403, code: 'RequestTimeTooSkewed' } });
    expect(await failureOf({})).toMatchObject({ code: 'STORE_CLOCK_SKEW' });
  });
});

describe('a bucket', () => {
  test('tells how it is set up', async () => {
    const bucket = world.server.bucket(BUCKET);
    const store = await world.open();
    expect(await store.bucketFacts!()).toMatchObject({
      versioning: 'off',
      objectLock: { enabled: false },
      lifecycle: [],
      unreadable: [],
    });
    bucket.versioning = 'Enabled';
    bucket.defaultLock = { days: 3, mode: 'GOVERNANCE' };
    bucket.lifecycle = [{ id: 'eats', prefix: 'prod/', expireAfterDays: 30, abortUploadsAfterDays: 7 }];
    world.server.accounts = [{ ...ACCOUNT, denied: ['GetBucketVersioning'] }];
    const facts = await store.bucketFacts!();
    expect(facts).toMatchObject({
      objectLock: { enabled: true, defaultMode: 'governance', defaultDays: 3 },
      lifecycle: [{ id: 'eats', prefix: 'prod/', expireAfterDays: 30, abortUploadsAfterDays: 7 }],
      unreadable: [expect.stringContaining('versioning')],
    });
    expect(facts.versioning).toBeUndefined();
    bucket.defaultLock = undefined;
  });

  test('encrypts what goes up as it is told', async () => {
    const store = await world.open({ sse: { mode: 'KMS', kmsKeyId: 'key-1' } });
    await store.put('small', Buffer.from('x'));
    await store.putStream('large', oneChunk(Buffer.alloc(8 * 1024 * 1024)));
    for (const key of ['small', 'large']) {
      expect(world.server.bucket(BUCKET).object(key)!.encryption).toBe('aws:kms');
    }
    const asked = world.server.seen.filter(
      ({ headers }) => headers['x-amz-server-side-encryption-aws-kms-key-id'] === 'key-1',
    );
    expect(asked.map(({ operation }) => operation)).toEqual(['PutObject', 'CreateMultipartUpload']);
  });

  test('sends the checksums that it is told to', async () => {
    const last = (): Readonly<Record<string, string | undefined>> => world.server.seen.at(-1)!.headers;
    await (await world.open({ checksums: 'crc32' })).put('a', Buffer.from('x'));
    expect(last()['x-amz-checksum-crc32']).toBeDefined();
    await (await world.open({ checksums: 'none' })).put('a', Buffer.from('x'));
    expect(last()['x-amz-checksum-crc32'] ?? last()['content-md5']).toBeUndefined();
    await (await world.open()).put('a', Buffer.from('x'));
    expect(last()['content-md5']).toBeDefined();
    expect(last()['x-amz-content-sha256']).toMatch(/^[0-9a-f]{64}$/);
    for (const checksums of ['crc32', 'md5', 'none'] as const) {
      const store = await world.open({ checksums });
      await store.putStream('parts', oneChunk(Buffer.alloc(8 * 1024 * 1024, 7)));
      expect(await store.get('parts', { offset: -1 })).toEqual(Buffer.from([7]));
    }
  });
});

test('a list that says that it goes on, and not where, is refused: half a list must not be planned with', async () => {
  const page = `<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>`;
  const server = createHttpServer((_, response) => response.end(page)).listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const store = await world.open({ endpoint: `http://127.0.0.1:${port}` });
    await expect(collect(store.list(''))).rejects.toMatchObject({ code: 'STORE_REFUSED' });
    await store.close?.();
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

async function* oneChunk(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
