import { createHash } from 'node:crypto';
import { existsSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import {
  attemptKey,
  attempts,
  clusterKey,
  clusterSpecs,
  clusterSpecSchema,
  connectBus,
  dispatchTask,
  ensureTopology,
  HISTORY_STREAM,
  lastDone,
  lastDoneKey,
  type Bus,
} from '@etcd-ops/bus';
import {
  clusterRecordKey,
  decodeClusterRecord,
  deltaKey,
  encodeClusterRecord,
  encodeManifest,
  fullKey,
  LocalStore,
  manifestKey,
  markedKeys,
  readInventory,
} from '@etcd-ops/core';
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

async function collect(bus: Bus, options: { dryRun: boolean; id: string }) {
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
  const { id } = options;
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

it('marks, then removes what the spec no longer keeps, tells what it did and why, and deletes nothing in a dry run', async ({
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
  const began = { version: 1, kind: 'cluster', clusterId: '7', createdAt: '2026-11-20T00:00:00.000Z' } as const;
  await store.put(clusterRecordKey('my.prod'), encodeClusterRecord({ ...began, cluster: 'my.prod' }));
  const keptGraceMs = async (): Promise<unknown> => {
    const { spec } = decodeClusterRecord(await store.get(clusterRecordKey('my.prod')));
    return clusterSpecSchema.safeParse(spec).data?.retention.graceMs;
  };
  const abandoned = dir.file('bucket/my=2Eprod/t00000001/full/.etcd-ops-tmp-left-by-a-dead-writer');
  writeFileSync(abandoned, 'half of a full');
  utimesSync(abandoned, new Date(0), new Date(0));
  const withGrace = async (graceMs: number): Promise<void> => {
    const spec = {
      version: 1,
      name: 'my.prod',
      endpoints: ['127.0.0.1:1'],
      store: { provider: 'Local', bucket },
      retention: { maxBackups: 2, graceMs },
    };
    await clusterSpecs(bus).put(clusterKey('my.prod'), clusterSpecSchema.parse(spec));
  };
  await withGrace(3_600_000);

  const dry = await collect(bus, { dryRun: true, id: 'dry' });
  expect(dry.done).toMatchObject({
    ok: true,
    summary: { dryRun: true, kept: { byKind: { full: 2 } }, marked: { byKind: { full: 3 } } },
  });
  expect((await readInventory(store, 'my.prod')).retention!.marks).toEqual([]);
  expect(existsSync(abandoned)).toBe(true);
  expect(await keptGraceMs()).toBeUndefined();

  const first = await collect(bus, { dryRun: false, id: 'marks' });
  expect(first.done).toMatchObject({
    ok: true,
    summary: { marked: { byKind: { full: 3, delta: 3 } }, removed: { count: 0 }, swept: 1 },
  });
  const marked = await readInventory(store, 'my.prod');
  expect(marked.timelines[0]!.fulls).toHaveLength(5);
  expect(marked.retention!.marks.flatMap(markedKeys)).toHaveLength(9);
  expect(first.text).toContain('etcdops_gc_pending{cluster="my.prod",stage="marked"} 6');
  expect(existsSync(abandoned)).toBe(false);
  expect(await keptGraceMs()).toBe(3_600_000);

  await withGrace(0);
  const second = await collect(bus, { dryRun: false, id: 'removes' });
  // Beside the backups lies what is wanted now, whenever the next full comes.
  expect(await keptGraceMs()).toBe(0);
  const after = await readInventory(store, 'my.prod');
  expect(after.timelines[0]!.fulls.map(({ revision }) => revision)).toEqual([400, 500]);
  // The deltas that only the removed fulls needed went along; those of the kept ones are there.
  expect(after.timelines[0]!.deltas.map(({ first: revision }) => revision)).toEqual([401, 501]);
  expect(after.retention!.marks).toEqual([]);
  expect(second.done).toMatchObject({
    ok: true,
    summary: {
      removed: { byKind: { full: 3, delta: 3 }, objects: 9, byReason: { 'no kept full needs it': 3 } },
      lost: [{ timeline: 1, from: 90, to: 389, fromTime: new Date(START + 60_000).toISOString() }],
    },
  });
  expect(second.text).toContain('etcdops_gc_removed_total{cluster="my.prod",kind="full",cause="beyond-policy"} 3');
  expect(second.text).toContain('etcdops_gc_kept{cluster="my.prod",kind="full"} 2');
  expect(second.text).toMatch(/etcdops_tasks_total{kind="gc",result="done",cluster="my.prod"} 1/);
  // A cluster whose name begins alike is somebody else.
  expect((await readInventory(store, 'my')).timelines[0]!.fulls).toHaveLength(3);

  // Nothing is left to do: no line in the history.
  const idle = await collect(bus, { dryRun: false, id: 'idle' });
  expect(idle.done.ok).toBe(true);
  expect((await (await bus.jsm()).streams.info(HISTORY_STREAM)).state.messages).toBe(2);
});

it('copies into each destination by itself and collects there; one that is away holds up no other, and catches up', async ({
  skip,
}) => {
  skip(findBinary('nats-server') === undefined, missingBinary('nats-server'));
  await using dir = tempDir();
  await using nats = await startNats();
  await using bus = await connectBus({ url: nats.url, name: 'test' });
  await ensureTopology(bus);
  const first = new LocalStore(dir.file('first'));
  await fillRepository(first, 'my.prod', 5);
  const destination = (name: string, maxBackups: number) => ({
    ...{ name, store: { provider: 'Local' as const, bucket: dir.file(name) } },
    retention: { maxBackups, graceMs: 0 },
  });
  const spec = clusterSpecSchema.parse({
    ...{
      version: 1,
      name: 'my.prod',
      endpoints: ['127.0.0.1:1'],
      store: { provider: 'Local', bucket: dir.file('first') },
    },
    destinations: [destination('near', 2), destination('far', 4)],
  });
  await clusterSpecs(bus).put(clusterKey(spec.name), spec);
  // A file where a folder should be.
  writeFileSync(dir.file('far'), '');
  const options = {
    bus,
    logger,
    metrics: createMetrics('test'),
    stateDir: dir.file('state'),
    spoolDir: dir.file('spool'),
  };
  await using context = await createServiceContext(options);
  const stop = new AbortController();
  const service = createGarbageCollectorService(context);
  const ended = runServices([service], { logger, signal: stop.signal, drainTimeoutMs: 5_000 });
  ended.catch(() => undefined);
  const ask = async (name: string, tick: string) =>
    await dispatchTask(bus, {
      ...{ version: 1, id: `copy-${name}-${tick}`, kind: 'copy', cluster: 'my.prod', cause: 'schedule', tick },
      ...{ destination: name, createdAt: new Date().toISOString() },
    });
  const last = async (name: string) => (await lastDone(bus).get(lastDoneKey('copy', 'my.prod', name)))?.value;
  const revisions = async (name: string): Promise<number[]> =>
    (await readInventory(new LocalStore(dir.file(name)), 'my.prod')).timelines[0]!.fulls.map(
      ({ revision }) => revision,
    );

  const tick = '2026-11-20T06:00:00.000Z';
  expect(await ask('far', tick)).toBe('accepted');
  const failing = { kind: 'copy', cluster: 'my.prod', id: '', pool: '', destination: 'far' } as const;
  await eventually(async () => (await attempts(bus).get(attemptKey(failing)))?.value.failure !== undefined);
  expect(await ask('near', tick)).toBe('accepted');
  await eventually(async () => (await last('near'))?.ok === true);
  expect(await revisions('near')).toEqual([400, 500]);
  expect(await last('far')).toBeUndefined();
  expect(await ask('far', '2026-11-20T06:05:00.000Z')).toBe('busy');

  rmSync(dir.file('far'));
  await eventually(async () => (await last('far'))?.ok === true, { timeoutMs: 60_000 });
  expect(await revisions('far')).toEqual([200, 300, 400, 500]);
  // Deltas of zeros are none, and stay behind.
  expect(await last('far')).toMatchObject({ tick, summary: { destination: 'far', damaged: { count: 4 } } });

  // A tighter retention takes away what is there, and only there.
  await clusterSpecs(bus).put(clusterKey(spec.name), {
    ...spec,
    destinations: [
      spec.destinations![0]!,
      { ...spec.destinations![1]!, retention: { ...spec.retention, maxBackups: 1, graceMs: 0 } },
    ],
  });
  await eventually(() => context.clusters.get('my.prod')?.destinations?.[1]?.retention.maxBackups === 1);
  expect(await ask('far', '2026-11-20T06:10:00.000Z')).toBe('accepted');
  await eventually(async () => (await last('far'))?.tick === '2026-11-20T06:10:00.000Z');
  expect(await revisions('far')).toEqual([500]);
  expect(await revisions('near')).toEqual([400, 500]);
  expect(await revisions('first')).toHaveLength(5);
  stop.abort();
  await ended;
});
