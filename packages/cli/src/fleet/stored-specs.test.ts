import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterSpecSchema } from '@etcd-ops/bus';
import { clusterRecordKey, encodeClusterRecord, encodeClusterName, LocalStore } from '@etcd-ops/core';
import { expect, test } from 'vitest';
import { isSamePlace, readStoredSpecs } from './stored-specs.ts';

const AT = '2026-11-20T06:00:00.000Z';

test('the configurations of a store are read, whatever else lies in it', async () => {
  const bucket = await mkdtemp(join(tmpdir(), 'etcd-ops-stored-specs-'));
  await using scratch = new AsyncDisposableStack();
  scratch.defer(() => rm(bucket, { recursive: true, force: true }));
  const store = new LocalStore(bucket);
  const specOf = (name: string) =>
    clusterSpecSchema.parse({ version: 1, name, endpoints: ['a:2379'], store: { provider: 'Local', bucket } });
  const put = (cluster: string, more: object, key = clusterRecordKey(cluster)) =>
    store.put(
      key,
      encodeClusterRecord({ version: 1, kind: 'cluster', cluster, clusterId: 'c', createdAt: AT, ...more }),
    );
  const odd = 'prod/eu west';
  await put('prod', { spec: specOf('prod'), specAt: AT });
  await store.put('prod/t00000001/timeline.json', Buffer.from('x'));
  await put('prod-a', { spec: specOf('prod-a'), specAt: AT });
  await put('prod0', { spec: specOf('prod0'), specAt: AT });
  await put(odd, { spec: specOf(odd), specAt: AT });
  await put('old', {});
  await put('newer', { spec: { ...specOf('newer'), colour: 'blue' } });
  await put('later', { spec: { ...specOf('later'), version: 2 } });
  await put('wrong', { spec: { ...specOf('wrong'), endpoints: 'a:1' } });
  await put('other', { spec: specOf('prod') });
  await store.put('torn/cluster.json', Buffer.from('{'));
  await store.put('photos/cat.jpg', Buffer.from('x'));
  await store.put('file', Buffer.from('x'));

  const found = await readStoredSpecs(store);
  expect(found.find(({ cluster }) => cluster === 'newer')).toEqual({
    cluster: 'newer',
    spec: specOf('newer'),
    unknown: ['colour'],
  });
  expect(found.filter(({ spec, unknown }) => spec !== undefined && unknown === undefined)).toEqual(
    ['prod', 'prod-a', odd, 'prod0'].toSorted().map((name) => ({ cluster: name, spec: specOf(name), specAt: AT })),
  );
  expect(encodeClusterName(odd)).not.toBe(odd);
  const problems = Object.fromEntries(found.flatMap(({ cluster, problem }) => (problem ? [[cluster, problem]] : [])));
  expect(problems).toEqual({
    old: 'its record holds no configuration',
    later: expect.stringMatching(/its configuration has version 2, and this etcd-ops reads version 1/),
    wrong: expect.stringMatching(/does not understand its configuration: endpoints: /),
    other: 'its record is of prod',
    torn: expect.stringMatching(/not JSON/),
  });
});

test('a place is the same however it is reached', () => {
  const place = { provider: 'S3', bucket: 'backups', prefix: 'etcd/' } as const;
  expect(isSamePlace(place, { provider: 'S3', bucket: 'backups', prefix: 'etcd', region: 'eu' })).toBe(true);
  expect(isSamePlace(place, { provider: 'S3', bucket: 'backups' })).toBe(false);
  expect(isSamePlace(place, { provider: 'Local', bucket: 'backups' })).toBe(false);
});
