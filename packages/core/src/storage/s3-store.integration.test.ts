import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, findVersitygw, missingBinary, startVersitygw, type LocalS3Gateway } from '@etcd-ops/local-servers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { collect } from './collect.ts';
import { describeObjectStore } from './object-store-conformance.ts';
import { openStore } from './open-store.ts';
import type { S3StoreSpec } from './store-spec.ts';
import { BUCKET, S3World } from './testing/s3-world.ts';

const reason = findVersitygw() === undefined ? missingBinary('versitygw', '1') : undefined;

test('a real S3 server is there', (context) => {
  if (reason !== undefined) context.skip(reason);
});

describe.skipIf(reason !== undefined)('a real S3 server', () => {
  let gateway: LocalS3Gateway;
  let directory: string;
  beforeAll(async () => {
    gateway = await startVersitygw([BUCKET]);
    directory = await mkdtemp(join(tmpdir(), 's3-real-'));
    await writeFile(join(directory, 'accessKeyID'), gateway.accessKeyId);
    await writeFile(join(directory, 'secretAccessKey'), gateway.secretAccessKey);
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  const spec = (more: Partial<S3StoreSpec> = {}): S3StoreSpec => ({
    provider: 'S3',
    bucket: BUCKET,
    endpoint: gateway.endpoint,
    credentials: { directory },
    ...more,
  });

  describeObjectStore('versitygw', async () => await openStore(spec({ prefix: 'plain' })));

  test.each(['crc32', 'md5', 'none'] as const)('uploads with the checksums %s', async (checksums) => {
    const store = await openStore(spec({ prefix: checksums, checksums }));
    const body = randomBytes(12_000_000);
    await writeFile(join(directory, 'body'), body);
    await store.put('small', body.subarray(0, 1000));
    await store.putFile('large', join(directory, 'body'));
    expect((await store.get('large')).equals(body)).toBe(true);
    await store.delete(['small', 'large']);
    expect(await collect(store.list(''))).toEqual([]);
  });

  test('says what is wrong: bucket, secret', async () => {
    const nowhere = await openStore(spec({ bucket: 'nowhere' }));
    await expect(nowhere.put('a', Buffer.from('x'))).rejects.toMatchObject({ code: 'STORE_NO_BUCKET' });
    const other = join(directory, 'other');
    await mkdir(other);
    await writeFile(join(other, 'accessKeyID'), gateway.accessKeyId);
    await writeFile(join(other, 'secretAccessKey'), 'wrong');
    const wrong = await openStore(spec({ credentials: { directory: other } }));
    await expect(wrong.put('a', Buffer.from('x'))).rejects.toMatchObject({ code: 'STORE_CREDENTIALS' });
  });
});

describe('an uploader that is killed in the middle of a large object', () => {
  let world: S3World;
  beforeEach(async () => {
    world = await S3World.start();
    await writeFile(join(world.directory, 'large'), randomBytes(40_000_000));
  });
  afterEach(async () => await world[Symbol.asyncDispose]());

  test.each([1, 4, 8])(
    'when part %i arrives: nothing is visible, and the sweep takes its parts',
    async (partNumber) => {
      const { server, directory } = world;
      const held = Promise.withResolvers<void>();
      let arrived = false;
      server.faults.add({
        operation: 'UploadPart',
        matches: ({ query }) => query.get('partNumber') === String(partNumber) && (arrived = true),
        effect: { kind: 'hold', until: held.promise },
      });
      const child = spawn(
        process.execPath,
        [
          join(import.meta.dirname, 'testing', 's3-uploader.ts'),
          JSON.stringify(world.spec({ partsInFlightMax: 2 })),
          join(directory, 'large'),
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let told = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (told += text));
      await eventually(() => arrived, { timeoutMs: 60_000 });
      child.kill('SIGKILL');
      await once(child, 'close');
      held.resolve();
      expect(told).toBe('');
      const store = await world.open();
      expect(await collect(store.list(''))).toEqual([]);
      const nowMs = Date.now();
      expect(await store.sweepAbandoned!('prod/', { olderThanMs: 3_600_000, nowMs })).toBe(0);
      expect(await store.sweepAbandoned!('other/', { olderThanMs: 0, nowMs: nowMs + 60_000 })).toBe(0);
      expect(await store.sweepAbandoned!('prod/', { olderThanMs: 0, nowMs: nowMs + 60_000 })).toBe(1);
      expect(server.bucket(BUCKET).uploads.size).toBe(0);
    },
  );
});
