import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CODECS } from '../codec/codec.ts';
import { decodeManifest, encodeManifest, type FullManifest } from './full-manifest.ts';
import { clusterRecordKey, deltaKey, fullKey, manifestKey, timelineRecordKey } from './object-key.ts';
import {
  decodeClusterRecord,
  decodeTimelineRecord,
  encodeClusterRecord,
  encodeTimelineRecord,
} from './repository-records.ts';
import { sampleManifest } from './repository-samples.ts';

/** Documents and names as version 1 wrote them, for ever readable. (ETCD_OPS_WRITE_GOLDEN=1 writes files that do not exist yet.) */
async function golden(name: string, bytes: Buffer): Promise<Buffer> {
  const path = join(import.meta.dirname, 'fixtures', name);
  if (process.env['ETCD_OPS_WRITE_GOLDEN'] === '1') await writeFile(path, bytes, { flag: 'wx' });
  const found = await readFile(path);
  expect(bytes.toString()).toBe(found.toString());
  return found;
}

test('a manifest of version 1', async () => {
  const manifest: FullManifest = {
    ...sampleManifest({ revision: 123_456, compact: 1000, codec: 'zstd' }),
    authRevision: 5,
    proof: { kind: 'edge', rows: 12 },
  };
  expect(decodeManifest(await golden('manifest-v1.json', encodeManifest(manifest)))).toEqual(manifest);
});

test('a manifest of version 1 that names its task', async () => {
  const manifest: FullManifest = {
    ...sampleManifest({ revision: 123_456, compact: 1000, codec: 'zstd' }),
    taskId: 'full-2026-11-20T06:00:00.000Z',
    tick: '2026-11-20T06:00:00.000Z',
  };
  expect(decodeManifest(await golden('manifest-v1-task.json', encodeManifest(manifest)))).toEqual(manifest);
});

test('a manifest of version 1 of a full that was made of others', async () => {
  const manifest: FullManifest = {
    ...sampleManifest({ revision: 123_456, compact: 123_456, codec: 'zstd' }),
    seenAt: '2026-11-20T06:00:00.000Z',
    cause: 'compact',
    proof: { kind: 'hashkv', hash: 176_618_314, base: 'prod/t00000001/full/x.db.zst', deltas: 3 },
  };
  expect(decodeManifest(await golden('manifest-v1-compact.json', encodeManifest(manifest)))).toEqual(manifest);
});

test('timeline.json and cluster.json of version 1', async () => {
  const first = {
    version: 1,
    kind: 'timeline',
    timeline: 1,
    clusterId: 'cdf818194e3a8c32',
    startedAtRevision: 0,
    cause: 'first',
    startedAt: '2026-11-20T06:00:00.000Z',
  } as const;
  const fork = {
    ...first,
    timeline: 2,
    startedAtRevision: 500,
    cause: 'fork',
    previousTimeline: 1,
    previousRevision: 900,
  } as const;
  const cluster = {
    version: 1,
    kind: 'cluster',
    cluster: 'prod/eu.1',
    clusterId: 'cdf818194e3a8c32',
    createdAt: '2026-11-20T06:00:00.000Z',
  } as const;
  expect(decodeTimelineRecord(await golden('timeline-v1-first.json', encodeTimelineRecord(first)))).toEqual(first);
  expect(decodeTimelineRecord(await golden('timeline-v1-fork.json', encodeTimelineRecord(fork)))).toEqual(fork);
  expect(decodeClusterRecord(await golden('cluster-v1.json', encodeClusterRecord(cluster)))).toEqual(cluster);
});

test('names of version 1', async () => {
  const cluster = 'prod/eu.1';
  const full = CODECS.map((codec) =>
    fullKey({ cluster, timeline: 1, revision: 123_456, createdAtMs: 1_795_154_400_000, codec }),
  );
  const keys = [
    clusterRecordKey(cluster),
    timelineRecordKey(cluster, 12_345_678),
    ...full,
    manifestKey(full[3]!),
    deltaKey({ cluster, timeline: 2, first: 1, last: Number.MAX_SAFE_INTEGER, lastObservedMs: 0 }),
    deltaKey({ cluster, timeline: 2, first: 123_457, last: 123_999, lastObservedMs: 1_795_154_410_123 }),
  ];
  await golden('keys-v1.txt', Buffer.from(`${keys.join('\n')}\n`));
});
