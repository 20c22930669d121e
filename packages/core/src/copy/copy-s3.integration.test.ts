import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { eventually } from '@etcd-ops/local-servers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeManifest } from '../repository/full-manifest.ts';
import { readInventory } from '../repository/inventory.ts';
import { manifestKey } from '../repository/object-key.ts';
import { fullEntry, SAMPLE_CLUSTER, sampleManifest } from '../repository/repository-samples.ts';
import { S3World } from '../storage/testing/s3-world.ts';
import { copyRepository } from './copy-repository.ts';
import { contentOf, CopyWorld } from './testing/copy-world.ts';

const CLUSTER = SAMPLE_CLUSTER;
const LARGE_BYTES = 11_000_000;

describe('from a directory to S3', () => {
  let world: CopyWorld;
  let s3: S3World;
  beforeEach(async () => {
    s3 = await S3World.start();
    world = await CopyWorld.make(
      [{ revision: 10 }],
      [
        { first: 11, last: 20 },
        { first: 21, last: 30 },
      ],
    );
    const full = { revision: 30 };
    const bytes = randomBytes(LARGE_BYTES);
    await world.source.put(fullEntry(full).key, bytes);
    await world.source.put(manifestKey(fullEntry(full).key), encodeManifest(sampleManifest(full, bytes)));
  });
  afterEach(async () => {
    await s3[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test('broken off at every write, it goes on where it was; in the end all is there, once', async () => {
    const expected = await contentOf(world.source);
    // A store that is away for good, not for a moment.
    const target = await s3.open({ retryDeadlineMs: 0, partsInFlightMax: 1 });
    let done = 0;
    for (let writes = 1; writes < 100 && done === 0; writes++) {
      s3.server.faults.clear();
      s3.server.faults.add({
        matches: ({ operation }) => ['PutObject', 'UploadPart', 'CompleteMultipartUpload'].includes(operation),
        every: writes,
        times: 1_000,
        effect: { kind: 'refuse', status: 403, code: 'AccessDenied' },
      });
      const copying = copyRepository({ source: world.source, target, cluster: CLUSTER, parallel: 1 });
      const failure: unknown = await copying.then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure === undefined) done = writes;
      else expect(failure).toMatchObject({ code: 'STORE_DENIED' });
      const { incomplete, damaged } = await readInventory(target, CLUSTER);
      expect(damaged).toEqual([]);
      expect(incomplete.filter(({ missing }) => missing === 'data')).toEqual([]);
    }
    expect(done).toBeGreaterThan(3);
    expect(await contentOf(target)).toEqual(expected);
    s3.server.faults.clear();
    const { copied, present } = await copyRepository({ source: world.source, target, cluster: CLUSTER });
    expect([copied.objects, present.objects]).toEqual([0, expected.size]);
    expect(s3.server.bucket('backups').uploads.size).toBe(0);
  });

  test.each(['UploadPart', 'CompleteMultipartUpload', 'PutObject'])(
    'killed at %s: nothing half is visible, and the next run ends it',
    async (operation) => {
      const held = Promise.withResolvers<void>();
      let arrived = false;
      s3.server.faults.add({
        operation,
        matches: () => (arrived = true),
        effect: { kind: 'hold', until: held.promise },
      });
      const specs = [{ provider: 'Local', bucket: world.source.root }, s3.spec()].map((spec) => JSON.stringify(spec));
      const child = spawn(process.execPath, [join(import.meta.dirname, 'testing', 'copier.ts'), CLUSTER, ...specs], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let told = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (told += text));
      await eventually(() => arrived, { timeoutMs: 60_000 });
      child.kill('SIGKILL');
      await once(child, 'close');
      held.resolve();
      expect(told).toBe('');

      const target = await s3.open();
      const { incomplete, damaged } = await readInventory(target, CLUSTER);
      expect(damaged).toEqual([]);
      expect(incomplete.filter(({ missing }) => missing === 'data')).toEqual([]);
      await copyRepository({ source: world.source, target, cluster: CLUSTER });
      const copied = await contentOf(target);
      const isHold = ([key]: [string, string]): boolean => key.includes('/hold/');
      expect(copied).toEqual(new Map([...(await contentOf(world.source))].filter((one) => !isHold(one))));
    },
  );

  test('and back again', async () => {
    const target = await s3.open();
    await copyRepository({ source: world.source, target, cluster: CLUSTER });
    await copyRepository({ source: target, target: world.target, cluster: CLUSTER });
    expect(await contentOf(world.target)).toEqual(await contentOf(world.source));
  });
});
