import { createHash } from 'node:crypto';
import {
  clusterKey,
  clusterSpecs,
  clusterSpecSchema,
  connectBus,
  dispatchTask,
  ensureTopology,
  lastDone,
  lastDoneKey,
  type Bus,
} from '@etcd-ops/bus';
import { deltaKey, encodeManifest, fullKey, LocalStore, manifestKey, readInventory } from '@etcd-ops/core';
import { createLogger, createMetrics, createServiceContext, runServices } from '@etcd-ops/service-kit';
import { eventually, findBinary, missingBinary, startNats, tempDir } from '@etcd-ops/test-kit';
import { expect, it } from 'vitest';
import { createGarbageCollectorService } from './service.ts';
import { garbageCollectorSettings } from './settings.ts';

const logger = createLogger({ level: 'silent', name: 'test' });
const START = Date.parse('2026-11-20T00:00:00Z');
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A repository of small objects: retention looks at names, sizes and manifests only. */
async function fillRepository(store: LocalStore, cluster: string, fulls: number): Promise<void> {
  for (let index = 1; index <= fulls; index++) {
    const createdAtMs = START + index * 60_000;
    const revision = index * 100;
    const body = `full ${index}`;
    const key = fullKey({ cluster, timeline: 1, revision, createdAtMs, codec: 'none' });
    await store.put(key, Buffer.from(body));
    const manifest = encodeManifest({
      version: 1,
      kind: 'full',
      cluster,
      timeline: 1,
      revision,
      compactRevision: revision - 10,
      lastRevisionDigest: sha256('rows'),
      lastRevisionRows: 1,
      clusterId: 'cdf818194e3a8c32',
      memberId: '8e9e05c52164694d',
      etcdVersion: '3.5.16',
      createdAt: new Date(createdAtMs).toISOString(),
      finishedAt: new Date(createdAtMs + 1_000).toISOString(),
      codec: 'none',
      plainBytes: body.length,
      plainSha256: sha256(body),
      storedBytes: body.length,
      storedSha256: sha256(body),
      cause: 'schedule',
    });
    await store.put(manifestKey(key), manifest);
    const delta = deltaKey({
      cluster,
      timeline: 1,
      first: revision + 1,
      last: revision + 100,
      lastObservedMs: createdAtMs,
    });
    await store.put(delta, Buffer.alloc(1_000));
  }
}

async function collect(bus: Bus, options: { dryRun: boolean; bucket: string }) {
  await using dir = tempDir();
  const metrics = createMetrics('test');
  const context = await createServiceContext({
    bus,
    logger,
    metrics,
    stateDir: dir.file('state'),
    spoolDir: dir.file('spool'),
  });
  const stop = new AbortController();
  const settings = { ...garbageCollectorSettings.parse({}), garbageCollectorDryRun: options.dryRun };
  const ended = runServices([createGarbageCollectorService(context, settings)], {
    logger,
    signal: stop.signal,
    drainTimeoutMs: 5_000,
  });
  ended.catch(() => undefined);
  const id = `gc-${options.dryRun ? 'dry' : 'real'}`;
  await dispatchTask(bus, {
    version: 1,
    id,
    kind: 'gc',
    cluster: 'my.prod',
    cause: 'request',
    createdAt: new Date().toISOString(),
  });
  const done = await eventually(async () => {
    const last = await lastDone(bus).get(lastDoneKey('gc', 'my.prod'));
    return last?.value.taskId === id ? last.value : false;
  });
  stop.abort();
  await ended;
  // The task is counted when it is acknowledged, which comes behind its record.
  const text = await metrics.exposition();
  await context[Symbol.asyncDispose]();
  return { done, text };
}

it('applies the retention of the spec, tells what it did and why, and deletes nothing in a dry run', async ({
  skip,
}) => {
  skip(findBinary('nats-server') === undefined, missingBinary('nats-server'));
  await using dir = tempDir();
  await using nats = await startNats();
  await using bus = await connectBus({ url: nats.url, name: 'test' });
  await ensureTopology(bus);
  const bucket = dir.file('bucket');
  const store = new LocalStore(bucket);
  await fillRepository(store, 'my.prod', 5);
  await fillRepository(store, 'my', 3);
  await clusterSpecs(bus).put(
    clusterKey('my.prod'),
    clusterSpecSchema.parse({
      version: 1,
      name: 'my.prod',
      endpoints: ['127.0.0.1:1'],
      store: { provider: 'Local', bucket },
      retention: { maxBackups: 2 },
    }),
  );

  const dry = await collect(bus, { dryRun: true, bucket });
  expect(dry.done).toMatchObject({
    ok: true,
    summary: { dryRun: true, kept: { byKind: { full: 2 } }, removed: { byKind: { full: 3 } } },
  });
  expect((await readInventory(store, 'my.prod')).timelines[0]!.fulls).toHaveLength(5);
  expect(dry.text).toContain('etcdops_gc_removed_total{cluster="my.prod",kind="full"} 0');

  const real = await collect(bus, { dryRun: false, bucket });
  const after = (await readInventory(store, 'my.prod')).timelines[0]!;
  expect(after.fulls.map(({ revision }) => revision)).toEqual([400, 500]);
  // The deltas that only the removed fulls needed went along; those of the kept ones are there.
  expect(after.deltas.map(({ first }) => first)).toEqual([401, 501]);
  expect(real.done).toMatchObject({
    ok: true,
    summary: { dryRun: false, removed: { byKind: { full: 3, delta: 3 }, objects: 9 } },
  });
  expect(Object.keys((real.done.summary['removed'] as { byReason: object }).byReason)).toContainEqual(
    expect.stringContaining('beyond the newest 2 fulls'),
  );
  expect(real.text).toContain('etcdops_gc_removed_total{cluster="my.prod",kind="full"} 3');
  expect(real.text).toContain('etcdops_gc_kept{cluster="my.prod",kind="full"} 2');
  expect(real.text).toMatch(/etcdops_tasks_total{kind="gc",result="done",cluster="my.prod"} 1/);
  // A cluster whose name begins alike is somebody else.
  expect((await readInventory(store, 'my')).timelines[0]!.fulls).toHaveLength(3);
});
