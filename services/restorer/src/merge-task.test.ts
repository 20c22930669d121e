import { clusterSpecSchema } from '@etcd-ops/bus';
import { deltaKey, LocalStore, type ObjectStore } from '@etcd-ops/core';
import { createLogger, createMetrics, ManualClock } from '@etcd-ops/service-kit';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runMergeTask } from './merge-task.ts';
import { createProofMetrics } from './proof-metrics.ts';

test('without keys, encrypted deltas are neither fetched nor told of as a failure each time', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'etcd-ops-merge-task-'));
  try {
    const store = new LocalStore(directory);
    for (const first of [1, 11, 21]) {
      const lastObservedMs = Date.UTC(2026, 0, 1) + first * 1_000;
      const range = { first, last: first + 9, lastObservedMs };
      await store.put(deltaKey({ cluster: 'prod', timeline: 1, ...range, encryption: 'age' }), Buffer.alloc(4096));
    }
    const read: string[] = [];
    const watched: ObjectStore = new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]): unknown => {
          if (name === 'get' || name === 'stream' || name === 'put') read.push(String(given[0]));
          return Reflect.apply(value, target, given) as unknown;
        };
      },
    });
    const logger = createLogger({ level: 'silent', name: 'test' });
    const outcome = await runMergeTask({
      spec: clusterSpecSchema.parse({
        version: 1,
        name: 'prod',
        endpoints: ['localhost:1'],
        store: { provider: 'Local', bucket: directory },
      }),
      store: watched,
      scratchDir: join(directory, 'scratch'),
      logger,
      metrics: createProofMetrics(createMetrics('test')),
      clock: new ManualClock(Date.UTC(2026, 0, 9)),
      context: { signal: new AbortController().signal, progress: () => {} },
    });
    expect(outcome).toEqual({ changed: false, summary: { windows: 0, merged: 0, locked: 1 } });
    expect(read).toEqual([]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
