import { createServer } from 'node:http';
import { freePorts, OssServer, type OssAccount } from '@etcd-ops/local-servers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeError, EtcdOpsError } from '../base/errors.ts';
import { collect } from './collect.ts';
import type { ObjectStore } from './object-store.ts';
import { OssCredentialChain, type OssCredentials } from './oss-credentials.ts';
import { openOssBucket } from './oss-open.ts';
import { RemoteStore } from './remote-store.ts';
import type { OssStoreSpec } from './store-spec.ts';

const account: OssAccount = { accessKeyId: 'LTAI0123456789', accessKeySecret: 'the-secret-of-this-test' };
const securityToken = 'the-token-of-this-test';
const opened: ObjectStore[] = [];
let server: OssServer;
let clockMs = 0;

beforeEach(async () => {
  clockMs = 0;
  server = await OssServer.start({ accounts: [account], buckets: ['bak-bucket'], clock: () => Date.now() + clockMs });
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close?.();
  await server.close();
});

async function open(spec: Partial<OssStoreSpec> = {}, credentials: Partial<OssCredentials> = {}): Promise<RemoteStore> {
  const { accessKeyId, accessKeySecret } = account;
  const key = { accessKeyId, accessKeySecret, endpoint: server.endpoint, ...credentials };
  const chain = new OssCredentialChain([{ name: 'the test', read: async () => key }]);
  const bucket = await openOssBucket({ provider: 'OSS', bucket: 'bak-bucket', ...spec }, { chain });
  const store = new RemoteStore(bucket, { prefix: '', partBytes: 5 * 1024 * 1024, partsInFlightMax: 3 });
  opened.push(store);
  return store;
}

/** What each kind of request says: writing, reading, looking (whose answer has no body), listing, deleting. */
async function failuresOf(store: ObjectStore): Promise<EtcdOpsError[]> {
  const requests = [
    store.put('a/b', Buffer.from('x')),
    store.get('a/b'),
    store.stat('a/b'),
    collect(store.list('a/')),
    store.delete(['a/b']),
  ];
  const outcomes = await Promise.allSettled(requests);
  return outcomes.map((outcome) => {
    const reason: unknown = outcome.status === 'rejected' ? outcome.reason : 'it succeeded';
    expect(reason).toBeInstanceOf(EtcdOpsError);
    const text = `${describeError(reason)} ${(reason as EtcdOpsError).remedy}`;
    for (const secret of [account.accessKeySecret, securityToken, 'not-the-secret']) expect(text).not.toContain(secret);
    return reason as EtcdOpsError;
  });
}

async function expectAll(store: ObjectStore, code: string, message: RegExp): Promise<EtcdOpsError[]> {
  const failures = await failuresOf(store);
  expect(failures.map((failure) => failure.code)).toEqual(failures.map(() => code));
  for (const failure of failures) expect(`${failure.message} ${failure.remedy}`).toMatch(message);
  return failures;
}

it('no such bucket', async () => {
  await expectAll(await open({ bucket: 'no-such-bucket' }), 'STORE_NO_BUCKET', /no-such-bucket.*no such bucket/);
});

it('access denied', async () => {
  server.accounts = [{ ...account, denied: ['*'] }];
  await expectAll(await open(), 'STORE_DENIED', /bak-bucket.*access denied/);
});

it('wrong key', async () => {
  await expectAll(await open({}, { accessKeyId: 'LTAInobody' }), 'STORE_CREDENTIALS', /InvalidAccessKeyId/);
});

it.for([{}, { region: 'cn-hangzhou' }])('wrong secret, %j', async (spec) => {
  const store = await open(spec, { accessKeySecret: 'not-the-secret' });
  await expectAll(store, 'STORE_CREDENTIALS', /SignatureDoesNotMatch.*secret does not fit the access key/);
});

it('a token that has run out', async () => {
  server.accounts = [{ ...account, securityToken, expiresAtMs: Date.now() - 1000 }];
  await expectAll(await open({}, { securityToken }), 'STORE_CREDENTIALS', /SecurityTokenExpired.*has run out/);
});

it('a token of somebody else, which the refusal repeats', async () => {
  server.accounts = [{ ...account, securityToken: 'another' }];
  await expectAll(await open({}, { securityToken }), 'STORE_CREDENTIALS', /InvalidSecurityToken/);
  server.accounts = [{ ...account, accessKeySecret: 'another', securityToken }];
  await expectAll(await open({}, { securityToken }), 'STORE_CREDENTIALS', /SignatureDoesNotMatch/);
});

it('a clock that is wrong', async () => {
  clockMs = 3_600_000;
  await expectAll(await open(), 'STORE_CLOCK_SKEW', /clock/);
});

it('a bucket of another region: names the endpoint to use', async () => {
  server.bucket('bak-bucket').region = 'cn-shenzhen';
  await expectAll(await open(), 'STORE_NO_BUCKET', /oss-cn-shenzhen\.aliyuncs\.com/);
});

it('a signature for another region', async () => {
  await expectAll(await open({ region: 'cn-beijing' }), 'STORE_NO_BUCKET', /cn-beijing.*--store-region/);
});

it('a server that cannot be reached', async () => {
  const [port] = await freePorts(1);
  const failures = await expectAll(
    await open({ endpoint: `http://127.0.0.1:${port}` }),
    'STORE_UNREACHABLE',
    /ECONNREFUSED/,
  );
  expect(failures.every(({ retriable }) => retriable)).toBe(true);
});

it('a name that nobody has', async () => {
  const store = await open({ endpoint: 'http://oss.invalid' });
  await expectAll(store, 'STORE_UNREACHABLE', /oss\.invalid/);
});

it('a server that does not speak TLS where TLS is meant', async () => {
  await expectAll(await open({ endpoint: server.endpoint.replace('http:', '').slice(2) }), 'STORE_TLS', /EPROTO/);
});

it('a server that takes the request and stays silent', async () => {
  server.faults.add({ times: Infinity, effect: { kind: 'hold', until: new Promise(() => {}) } });
  await expectAll(await open({ requestTimeoutMs: 1000 }), 'STORE_UNREACHABLE', /TimeoutError/);
});

it('a server that is no OSS', async () => {
  const other = createServer((_, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html><p>Hello'),
  );
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  const store = await open({ endpoint: `http://127.0.0.1:${port}` });
  await expect(collect(store.list('a/'))).rejects.toMatchObject({ code: 'STORE_FAILED' });
  await store.close();
  await new Promise((resolve) => other.close(resolve));
});

it('a bucket that cannot be one', async () => {
  await expect(open({ bucket: 'Bak_Bucket!' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});

it('a file of certificates that is not there', async () => {
  await expect(open({ caFile: '/nowhere/ca.pem' })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('/nowhere/ca.pem'),
  });
});

it('what the bucket protects cannot be deleted, and says so', async () => {
  const store = await open();
  await store.put('kept', Buffer.from('x'));
  server.bucket('bak-bucket').worm = { days: 7, state: 'Locked' };
  await expect(store.delete(['kept', 'absent'])).rejects.toMatchObject({
    code: 'STORE_DENIED',
    message: expect.stringMatching(/kept .*retention/),
  });
  const modifiedAtMs = (await store.stat('kept'))!.modifiedAtMs;
  const lock = { retainUntilMs: modifiedAtMs + 7 * 86_400_000, mode: 'compliance', legalHold: false };
  expect(await store.objectLock('kept')).toEqual(lock);
  expect(await store.objectLock('absent')).toBeUndefined();
});

it('tells what the bucket is set to, and what it may not ask for', async () => {
  const store = await open();
  const bucket = server.bucket('bak-bucket');
  expect(await store.bucketFacts()).toEqual({
    versioning: 'off',
    objectLock: { enabled: false },
    lifecycle: [],
    clockAheadMs: expect.any(Number),
    unreadable: [],
  });
  bucket.versioning = 'Enabled';
  bucket.worm = { days: 30, state: 'Locked' };
  bucket.lifecycle = [
    { id: 'old', prefix: 'prod/', expireAfterDays: 90, abortUploadsAfterDays: 3 },
    { id: 'cold', prefix: '', moveAfterDays: 30 },
  ];
  server.accounts = [{ ...account, denied: ['GetBucketWorm'] }];
  clockMs = 120_000;
  const facts = await store.bucketFacts();
  expect(facts).toMatchObject({
    versioning: 'on',
    lifecycle: [
      { id: 'old', prefix: 'prod/', expireAfterDays: 90, abortUploadsAfterDays: 3 },
      { id: 'cold', prefix: '', moveAfterDays: 30, storageClass: 'Archive' },
    ],
    unreadable: [expect.stringContaining('retention policy')],
  });
  expect(facts.objectLock).toBeUndefined();
  expect(Math.round(facts.clockAheadMs! / 60_000)).toBe(2);
});

it('where versions are kept, OSS ignores the condition of a put: that is found out', async () => {
  server.bucket('bak-bucket').versioning = 'Enabled';
  const store = await open();
  expect(store.capabilities.conditionalPut).toBe(true);
  expect(await store.put('once', Buffer.from('one'), { ifAbsent: true })).toBe('created');
  expect(store.capabilities.conditionalPut).toBe(false);
  expect(await store.put('once', Buffer.from('two'), { ifAbsent: true })).toBe('exists');
  expect((await store.get('once')).toString()).toBe('one');
});

it('addresses a bucket by its name before the host, and goes through a proxy', async () => {
  const chain = new OssCredentialChain([{ name: 'the test', read: async () => ({ ...account }) }]);
  const proxyEnv = { HTTP_PROXY: server.endpoint };
  const spec = { provider: 'OSS', bucket: 'bak-bucket', endpoint: 'http://oss-cn-hangzhou.aliyuncs.com' } as const;
  const bucket = await openOssBucket(spec, { chain, proxyEnv });
  const store = new RemoteStore(bucket, { prefix: '', partBytes: 5 * 1024 * 1024, partsInFlightMax: 3 });
  opened.push(store);
  await store.put('a/b', Buffer.from('x'));
  expect((await collect(store.list('a/'))).map(({ key }) => key)).toEqual(['a/b']);
  expect(server.seen.map(({ headers }) => headers['host'])).toEqual(
    server.seen.map(() => 'bak-bucket.oss-cn-hangzhou.aliyuncs.com'),
  );
  expect(server.seen[0]!.headers['authorization']).toMatch(/^OSS4-HMAC-SHA256 .*\/cn-hangzhou\/oss\//);
});

it("addresses a bucket by a domain of the user's own", async () => {
  await server.close();
  const cnames = { 'backups.example.com': 'bak-bucket' };
  server = await OssServer.start({ accounts: [account], buckets: ['bak-bucket'], cnames });
  const chain = new OssCredentialChain([{ name: 'the test', read: async () => ({ ...account }) }]);
  const endpoint = 'http://backups.example.com';
  const spec = { provider: 'OSS', bucket: 'bak-bucket', endpoint, region: 'cn-hangzhou', addressing: 'cname' } as const;
  const bucket = await openOssBucket(spec, { chain, proxyEnv: { HTTP_PROXY: server.endpoint } });
  const store = new RemoteStore(bucket, { prefix: '', partBytes: 5 * 1024 * 1024, partsInFlightMax: 3 });
  opened.push(store);
  await store.put('a/b', Buffer.from('x'));
  expect((await store.get('a/b')).toString()).toBe('x');
  expect(server.bucket('bak-bucket').keys()).toEqual(['a/b']);
});
