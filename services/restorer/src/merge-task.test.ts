import { clusterSpecSchema, type TaskOutcome } from '@etcd-ops/bus';
import { deltaKey, LocalStore, type ObjectStore } from '@etcd-ops/core';
import { createLogger, createMetrics, ManualClock } from '@etcd-ops/service-kit';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FailedMerges } from './failed-merges.ts';
import { runMergeTask } from './merge-task.ts';
import { createProofMetrics } from './proof-metrics.ts';

interface World {
  store: LocalStore;
  clock: ManualClock;
  /** Keys that were read or written since the last run began. */
  run: () => Promise<{ outcome: TaskOutcome; read: string[] }>;
}

async function inWorld(work: (world: World) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'etcd-ops-merge-task-'));
  try {
    const store = new LocalStore(directory);
    const read: string[] = [];
    const watched: ObjectStore = new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]): unknown => {
          if (READS.has(name)) read.push(String(given[0]));
          return Reflect.apply(value, target, given) as unknown;
        };
      },
    });
    const clock = new ManualClock(Date.UTC(2026, 0, 9));
    const options = {
      spec: clusterSpecSchema.parse({
        version: 1,
        name: 'prod',
        endpoints: ['localhost:1'],
        store: { provider: 'Local', bucket: directory },
      }),
      store: watched,
      scratchDir: join(directory, 'scratch'),
      logger: createLogger({ level: 'silent', name: 'test' }),
      metrics: createProofMetrics(createMetrics('test')),
      failed: new FailedMerges(clock),
      clock,
      context: { signal: new AbortController().signal, progress: () => {} },
    };
    const run = async () => {
      read.length = 0;
      const outcome = await runMergeTask(options);
      return { outcome, read: read.filter((key) => key.includes('/delta')) };
    };
    await work({ store, clock, run });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const READS: ReadonlySet<string | symbol> = new Set(['get', 'getRange', 'stream', 'localPath', 'put']);

async function putNonsense(store: ObjectStore, isEncrypted: boolean): Promise<void> {
  for (const first of [1, 11, 21]) {
    const lastObservedMs = Date.UTC(2026, 0, 1) + first * 1_000;
    const range = { first, last: first + 9, lastObservedMs, ...(isEncrypted ? { encryption: 'age' as const } : {}) };
    await store.put(deltaKey({ cluster: 'prod', timeline: 1, ...range }), Buffer.alloc(4096));
  }
}

test('without keys, encrypted deltas are neither fetched nor told of as a failure each time', async () => {
  await inWorld(async ({ store, run }) => {
    await putNonsense(store, true);
    const { outcome, read } = await run();
    expect(outcome).toEqual({ changed: false, summary: { windows: 0, merged: 0, locked: 1 } });
    expect(read).toEqual([]);
  });
});

test('what cannot be merged is not fetched again each time, but now and then', async () => {
  await inWorld(async ({ store, clock, run }) => {
    await putNonsense(store, false);
    const first = await run();
    expect(first.outcome).toMatchObject({ changed: true, summary: { skipped: 1 } });
    expect(first.read).not.toEqual([]);
    // Without the first that is damaged, the second is found out.
    expect((await run()).outcome).toMatchObject({ summary: { skipped: 1 } });
    expect(await run()).toEqual({ outcome: { changed: false, summary: { windows: 0, merged: 0 } }, read: [] });
    await clock.advance(3_600_000);
    expect((await run()).outcome).toMatchObject({ summary: { skipped: 1 } });
    await run();
    // Each further failure is followed by a longer pause.
    await clock.advance(3_600_000);
    expect((await run()).read).toEqual([]);
    await clock.advance(3_600_000);
    expect((await run()).read).not.toEqual([]);
  });
});
