import { clusterSpecSchema, type LastDone } from '@etcd-ops/bus';
import {
  clusterRecordKey,
  decodeClusterRecord,
  encodeClusterRecord,
  EtcdOpsError,
  LocalStore,
  type ObjectStore,
} from '@etcd-ops/core';
import { tempDir } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { keepSpec, type KeptSpec } from './kept-spec.ts';
import { createLogger } from './logger.ts';
import { ManualClock } from './manual-clock.ts';

const logger = createLogger({ level: 'silent', name: 'test' });
const { signal } = new AbortController();
const KEY = clusterRecordKey('prod');
const spec = (schedule: string) =>
  clusterSpecSchema.parse({
    version: 1,
    name: 'prod',
    endpoints: ['a:2379'],
    store: { provider: 'Local', bucket: '/b' },
    snapshots: { schedule },
  });
const done = (summary: KeptSpec): LastDone => ({
  version: 1,
  taskId: 't',
  finishedAt: '2026-11-20T06:00:00.000Z',
  ok: true,
  summary: { ...summary },
});

/** A store that counts what it is asked. */
function counting(store: LocalStore, refuse?: EtcdOpsError): { store: ObjectStore; asked: string[] } {
  const asked: string[] = [];
  const counted = new Proxy<ObjectStore>(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        asked.push(String(name));
        if (name === 'put' && refuse !== undefined) return Promise.reject(refuse);
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  return { store: counted, asked };
}

test('the configuration is kept when it has changed, and the store is not asked while it has not', async () => {
  await using dir = tempDir();
  const { store, asked } = counting(new LocalStore(dir.path));
  const options = { store, clock: new ManualClock(1_000), logger, signal };
  // Nothing was stored of the cluster yet: there is nothing to keep it beside.
  expect(await keepSpec(spec('@daily'), options)).toEqual({});
  const began = {
    version: 1,
    kind: 'cluster',
    cluster: 'prod',
    clusterId: 'c0ffee',
    createdAt: '2026-11-20T06:00:00.000Z',
  } as const;
  await new LocalStore(dir.path).put(KEY, encodeClusterRecord(began));
  const record = async () => decodeClusterRecord(await new LocalStore(dir.path).get(KEY));

  const first = await keepSpec(spec('@daily'), options);
  expect(first.spec).toMatch(/^[0-9a-f]{16}$/);
  expect(await record()).toEqual({ ...began, spec: spec('@daily'), specAt: new Date(1_000).toISOString() });

  asked.length = 0;
  expect(await keepSpec(spec('@daily'), { ...options, lastDone: done(first) })).toEqual(first);
  expect(asked).toEqual([]);

  const changed = await keepSpec(spec('@weekly'), { ...options, lastDone: done(first) });
  expect(changed.spec).not.toBe(first.spec);
  expect((await record()).spec).toEqual(spec('@weekly'));
  expect(asked).toEqual(['get', 'put']);
  // Another kind of task may have kept it: then it is only looked at.
  expect(await keepSpec(spec('@weekly'), options)).toEqual(changed);
  expect(asked).toEqual(['get', 'put', 'get']);
});

test('a store that refuses is asked once, one that is away is asked again', async () => {
  await using dir = tempDir();
  const local = new LocalStore(dir.path);
  await local.put(
    KEY,
    encodeClusterRecord({
      version: 1,
      kind: 'cluster',
      cluster: 'prod',
      clusterId: '1',
      createdAt: '2026-11-20T06:00:00.000Z',
    }),
  );
  const keep = async (refuse: EtcdOpsError): Promise<KeptSpec> => {
    const { store } = counting(local, refuse);
    return await keepSpec(spec('@daily'), { store, clock: new ManualClock(1_000), logger, signal });
  };
  expect(await keep(new EtcdOpsError('STORE_DENIED', { message: 'locked' }))).toHaveProperty('spec');
  expect(await keep(new EtcdOpsError('STORE_FAILED', { message: 'away' }))).toEqual({});
});
