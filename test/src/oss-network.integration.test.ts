import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { openStore, type ObjectStore } from '@etcd-ops/core';
import {
  createAuthority,
  faultProxy,
  missingOpenssl,
  OssServer,
  tempDir,
  type Authority,
  type FaultProxy,
  type TempDir,
} from '@etcd-ops/test-kit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const MiB = 1024 * 1024;
const account = { accessKeyId: 'LTAI0123456789', accessKeySecret: 'the-secret-of-this-test' };
/** What a store is told of the size of a stream decides over that of its parts. */
const bytesMax = 64 * MiB;

let scratch: TempDir;
const opened: ObjectStore[] = [];

beforeEach(() => {
  scratch = tempDir();
  writeFileSync(scratch.file('accessKeyID'), account.accessKeyId);
  writeFileSync(scratch.file('accessKeySecret'), account.accessKeySecret);
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close?.();
  await scratch.remove();
});

async function open(spec: Partial<Parameters<typeof openStore>[0] & { provider: 'OSS' }>): Promise<ObjectStore> {
  const credentials = { directory: scratch.path };
  const store = await openStore({ provider: 'OSS', bucket: 'bak-bucket', region: 'cn-hangzhou', credentials, ...spec });
  opened.push(store);
  return store;
}

describe('OSS behind a network that breaks', () => {
  let oss: OssServer;
  let proxy: FaultProxy;
  const body = randomBytes(22 * MiB);

  beforeEach(async () => {
    oss = await OssServer.start({ accounts: [account], buckets: ['bak-bucket'] });
    proxy = await faultProxy(oss.endpoint);
  });
  afterEach(async () => {
    await proxy.close();
    await oss.close();
  });

  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < body.length; at += MiB) yield body.subarray(at, at + MiB);
  }

  test('an upload whose every part is cut once arrives whole', async () => {
    const store = await open({ endpoint: proxy.url });
    const cut = new Set<string>();
    oss.faults.add({
      operation: 'UploadPart',
      times: Infinity,
      matches: ({ query }) => {
        const part = query.get('partNumber') ?? '';
        if (!cut.has(part)) proxy.cut();
        cut.add(part);
        return false;
      },
      effect: { kind: 'lose-answer' },
    });
    expect(await store.putStream('large', pieces(), { bytesMax })).toBe(body.length);
    expect(cut.size).toBe(5);
    const bucket = oss.bucket('bak-bucket');
    expect(bucket.current('large')!.body.equals(body)).toBe(true);
    expect(bucket.uploads.size).toBe(0);
  });

  test('a download that is cut again and again arrives whole', async () => {
    oss.bucket('bak-bucket').write('large', body, { nowMs: Date.now() });
    const store = await open({ endpoint: proxy.url });
    const chunks: Buffer[] = [];
    let [bytes, next] = [0, 4 * MiB];
    for await (const chunk of store.stream('large')) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes < next) continue;
      next += 4 * MiB;
      proxy.cut();
    }
    expect(Buffer.concat(chunks).equals(body)).toBe(true);
    expect(oss.count('GetObject')).toBeGreaterThan(1);
  });

  test('on a slow line everything takes its time, and arrives', async () => {
    proxy.faults.delayMs = 10;
    proxy.faults.bytesPerSecondMax = 16 * MiB;
    const store = await open({ endpoint: proxy.url });
    const some = body.subarray(0, 6 * MiB);
    await store.put('some', some);
    expect((await store.get('some')).equals(some)).toBe(true);
  });

  test('a network that swallows everything is told as unreachable; afterwards the same store goes on', async () => {
    const store = await open({ endpoint: proxy.url, requestTimeoutMs: 1000, retryDeadlineMs: 500 });
    await store.put('a', Buffer.from('a'));
    proxy.faults.blackHole = true;
    await expect(store.put('b', Buffer.from('b'))).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('TimeoutError'),
    });
    proxy.faults.blackHole = false;
    proxy.cut();
    await store.put('b', Buffer.from('b'));
    expect(oss.bucket('bak-bucket').keys()).toEqual(['a', 'b']);
  });

  test('connections that are refused are tried again until the deadline', async () => {
    proxy.faults.refuse = true;
    const store = await open({ endpoint: proxy.url, retryDeadlineMs: 300 });
    await expect(store.get('a')).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    const waiting = (await open({ endpoint: proxy.url })).put('a', Buffer.from('a'));
    proxy.faults.refuse = false;
    expect(await waiting).toBe('created');
  });
});

const noOpenssl = missingOpenssl();

test('there is a tool for certificates', (context) => {
  if (noOpenssl !== undefined) context.skip(noOpenssl);
});

describe.skipIf(noOpenssl !== undefined)('OSS over TLS', () => {
  let authority: Authority;
  let oss: OssServer | undefined;
  beforeEach(() => {
    authority = createAuthority(scratch.path, 'authority');
  });
  afterEach(async () => await oss?.close());

  async function serve(options: Parameters<Authority['issue']>[1] = {}): Promise<string> {
    const { certFile, keyFile } = authority.issue('server', options);
    const tls = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
    oss = await OssServer.start({ accounts: [account], buckets: ['bak-bucket'], tls });
    return oss.endpoint;
  }

  test('a certificate of an authority that is named is trusted; an endpoint without a scheme means TLS', async () => {
    const endpoint = await serve();
    const store = await open({ endpoint: endpoint.replace('https://', ''), caFile: authority.caFile });
    expect(await store.put('a', Buffer.from('a'))).toBe('created');
  });

  test('one of an unknown authority is refused, at once and in words', async () => {
    const store = await open({ endpoint: await serve() });
    await expect(store.put('a', Buffer.from('a'))).rejects.toMatchObject({ code: 'STORE_TLS', exitCode: 9 });
    expect(oss!.seen).toEqual([]);
  });

  test.for([
    ['of another host', { subjectAltName: 'DNS:oss.example.com' }],
    ['that has expired', { expired: true }],
  ] as const)('one %s is refused though its authority is trusted', async ([, options]) => {
    const store = await open({ endpoint: await serve(options), caFile: authority.caFile });
    await expect(store.put('a', Buffer.from('a'))).rejects.toMatchObject({ code: 'STORE_TLS' });
    expect(oss!.seen).toEqual([]);
  });

  test('any is taken only when that is asked for', async () => {
    const store = await open({ endpoint: await serve(), insecureSkipVerify: true });
    expect(await store.put('a', Buffer.from('a'))).toBe('created');
  });
});
