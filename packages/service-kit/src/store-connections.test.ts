import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from './clock.ts';
import { createMetrics } from './metrics.ts';
import { StoreConnections } from './store-connections.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stores-'));
});
afterEach(async () => await rm(root, { recursive: true, force: true }));

test('a store is opened once, and what is done with it is counted by operation', async () => {
  const metrics = createMetrics('test');
  const stores = new StoreConnections({ metrics, clock: systemClock });
  const spec = { provider: 'Local', bucket: root } as const;
  const store = await stores.open(spec);
  expect(await stores.open({ ...spec })).toBe(store);
  expect(await stores.open({ provider: 'Local', bucket: join(root, 'other') })).not.toBe(store);
  await store.put('a/b', Buffer.alloc(100));
  await store.put('a/c', Buffer.alloc(50), { ifAbsent: true });
  await store.put('a/c', Buffer.alloc(50), { ifAbsent: true });
  await expect(store.get('a/nothing')).rejects.toMatchObject({ code: 'STORE_NOT_FOUND' });
  for await (const chunk of store.stream('a/b')) expect(chunk).toHaveLength(100);
  const text = await metrics.exposition();
  expect(text).toContain('etcdops_store_bytes_total{provider="Local",operation="put"} 150');
  expect(text).toContain('etcdops_store_bytes_total{provider="Local",operation="stream"} 100');
  expect(text).toContain('etcdops_store_failures_total{provider="Local",operation="get"} 1');
  expect(text).toContain('etcdops_store_operation_seconds_count{provider="Local",operation="put"} 3');
  expect(text).toContain('etcdops_store_retries_total{provider="S3"} 0');
  await stores.close();
});

test('a store that could not be opened is tried anew', async () => {
  const stores = new StoreConnections({ metrics: createMetrics('test'), clock: systemClock });
  const spec = { provider: 'GCS', bucket: 'b' } as unknown as Parameters<StoreConnections['open']>[0];
  for (let attempt = 0; attempt < 2; attempt++) {
    await expect(stores.open(spec)).rejects.toThrow('not supported');
  }
});
