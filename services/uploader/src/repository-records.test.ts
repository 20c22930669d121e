import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterSpecSchema } from '@etcd-ops/bus';
import { clusterRecordKey, decodeClusterRecord, LocalStore } from '@etcd-ops/core';
import { recordSpec } from '@etcd-ops/service-kit';
import { expect, test } from 'vitest';
import { recordCluster } from './repository-records.ts';

test('the record of a cluster keeps its configuration as it is now, and all else as it was', async () => {
  const bucket = await mkdtemp(join(tmpdir(), 'etcd-ops-records-'));
  await using scratch = new AsyncDisposableStack();
  scratch.defer(() => rm(bucket, { recursive: true, force: true }));
  const store = new LocalStore(bucket);
  const spec = clusterSpecSchema.parse({
    version: 1,
    name: 'prod',
    endpoints: ['a:2379'],
    auth: { username: 'root', passwordFile: '/run/secrets/prod' },
    store: { provider: 'Local', bucket },
  });
  const record = async () => decodeClusterRecord(await store.get(clusterRecordKey('prod')));
  const { signal } = new AbortController();
  await recordCluster(store, { cluster: 'prod', clusterId: 0xc0ffeen, atMs: 1_000 });
  const began = await record();
  await recordSpec(store, spec, { atMs: 2_000, signal });
  expect(await record()).toEqual({ ...began, spec, specAt: '1970-01-01T00:00:02.000Z' });

  // Nothing has changed: nothing is written.
  await recordSpec(store, structuredClone(spec), { atMs: 3_000, signal });
  expect((await record()).specAt).toBe('1970-01-01T00:00:02.000Z');

  const changed = { ...spec, snapshots: { ...spec.snapshots, schedule: '@weekly' } };
  await recordSpec(store, changed, { atMs: 4_000, signal });
  expect(await record()).toEqual({ ...began, spec: changed, specAt: '1970-01-01T00:00:04.000Z' });
  // The first one to say how a repository began is believed, also now.
  await recordCluster(store, { cluster: 'prod', clusterId: 1n, atMs: 5_000 });
  expect(await record()).toMatchObject({ clusterId: 'c0ffee', spec: changed });
});
