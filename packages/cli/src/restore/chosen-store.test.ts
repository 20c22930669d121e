import { clusterSpecSchema } from '@etcd-ops/bus';
import { clusterRecordKey, encodeClusterRecord, LocalStore, type ClusterRecord } from '@etcd-ops/core';
import { tempDir } from '@etcd-ops/local-servers';
import { expect, test } from 'vitest';
import { retentionZone } from '../retention/retention-zone.ts';
import { chosenStoreSpec, type ChosenStoreOptions } from './chosen-store.ts';

async function world() {
  const scratch = tempDir();
  const bucket = scratch.file('first');
  const store = new LocalStore(bucket);
  const far = { provider: 'S3', bucket: 'off-site', endpoint: 'https://s3.example.com' } as const;
  const spec = clusterSpecSchema.parse({
    version: 1,
    name: 'prod',
    endpoints: ['http://127.0.0.1:2379'],
    store: { provider: 'Local', bucket },
    destinations: [
      { name: 'near', store: { provider: 'Local', bucket: scratch.file('near') } },
      { name: 'far', store: far },
    ],
    timezone: 'Asia/Shanghai',
  });
  const record = { version: 1, kind: 'cluster', clusterId: 'cdf8', createdAt: '2026-11-20T06:00:00.000Z' } as const;
  const write = async (cluster: string, more: Partial<ClusterRecord>): Promise<void> => {
    await store.put(clusterRecordKey(cluster), encodeClusterRecord({ ...record, cluster, ...more }));
  };
  await write('prod', { spec });
  await write('old', {});
  const options = (clusterName: string, destination?: string): ChosenStoreOptions =>
    ({
      ...{ storageProvider: 'Local', bucket, clusterName },
      ...(destination === undefined ? {} : { destination }),
    }) as ChosenStoreOptions;
  return { store, options, far, bucket, near: scratch.file('near'), [Symbol.asyncDispose]: () => scratch.remove() };
}

test('a destination is where the configuration beside the backups says', async () => {
  await using at = await world();
  expect(await chosenStoreSpec(at.options('prod'))).toEqual({ provider: 'Local', bucket: at.bucket });
  expect(await chosenStoreSpec(at.options('prod', 'near'))).toEqual({ provider: 'Local', bucket: at.near });
  expect(await chosenStoreSpec(at.options('prod', 'far'))).toEqual(at.far);
});

test('what is not told is said, with the way out', async () => {
  await using at = await world();
  await expect(chosenStoreSpec(at.options('prod', 'moon'))).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: 'The cluster prod has no destination moon; it has near, far',
  });
  for (const [cluster, why] of [
    ['old', /its record holds no configuration/],
    ['nobody', /it holds no repository of nobody/],
  ] as const) {
    await expect(chosenStoreSpec(at.options(cluster, 'far'))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(why),
      remedy: expect.stringContaining('--bucket'),
    });
  }
});

test('hours to years are counted in the zone of the flag, else of the configuration, else in UTC', async () => {
  await using at = await world();
  const zone = async (clusterName: string, timezone?: string): Promise<string> =>
    await retentionZone(at.store, { clusterName, ...(timezone === undefined ? {} : { timezone }) });
  expect(await zone('prod', 'Europe/Berlin')).toBe('Europe/Berlin');
  expect(await zone('prod')).toBe('Asia/Shanghai');
  expect([await zone('old'), await zone('nobody')]).toEqual(['UTC', 'UTC']);
});
