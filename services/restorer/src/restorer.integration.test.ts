import {
  callApi,
  clusterKey,
  clusterSpecs,
  clusterSpecSchema,
  connectBus,
  ensureEventStream,
  ensureTopology,
  EventWriter,
  lastDone,
  lastDoneKey,
  listAnswerSchema,
  planAnswerSchema,
  progressSchema,
  restoreAnswerSchema,
  snapshotAnswerSchema,
  statusAnswerSchema,
  type Bus,
  type Progress,
} from '@etcd-ops/bus';
import {
  encodeManifest,
  fullKey,
  LocalStore,
  manifestKey,
  readStoreInfo,
  BoltFile,
  type FullManifest,
} from '@etcd-ops/core';
import { EtcdCluster } from '@etcd-ops/etcd-client';
import { createLogger, createMetrics, createServiceContext } from '@etcd-ops/service-kit';
import {
  eventually,
  findBinary,
  freePorts,
  initialClusterOf,
  missingBinary,
  startEtcd,
  startNats,
  tempDir,
  type TempDir,
  type TestEtcd,
} from '@etcd-ops/test-kit';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { createRestorerService } from './service.ts';
import { restorerSettings } from './settings.ts';

const CLUSTER = 'prod.eu';

interface World extends AsyncDisposable {
  bus: Bus;
  dir: TempDir;
  store: LocalStore;
  root: string;
}

/** A bus, a spec, a restorer with one root. */
async function openWorld(endpoints: string[] = ['127.0.0.1:1']): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(tempDir());
  const nats = stack.use(await startNats());
  const bus = stack.use(await connectBus({ url: nats.url, name: 'restorer' }));
  await ensureTopology(bus);
  await ensureEventStream(bus, CLUSTER, { bytesMax: 16 * 1024 * 1024 });
  const root = dir.file('root');
  mkdirSync(root);
  const spec = clusterSpecSchema.parse({
    version: 1,
    name: CLUSTER,
    endpoints,
    store: { provider: 'Local', bucket: dir.file('store') },
  });
  await clusterSpecs(bus).create(clusterKey(CLUSTER), spec);
  const logger = createLogger({
    level: process.env['ETCD_OPS_TEST_LOG'] === undefined ? 'silent' : 'debug',
    name: 'restorer',
    pretty: true,
  });
  const options = {
    bus,
    logger,
    metrics: createMetrics('restorer'),
    stateDir: dir.file('state'),
    spoolDir: dir.file('spool'),
  };
  const context = stack.use(await createServiceContext(options));
  const service = createRestorerService(context, restorerSettings.parse({ restoreRoots: [root] }));
  const stop = new AbortController();
  const done = service.run(stop.signal);
  stack.defer(async () => {
    stop.abort();
    await done;
  });
  await eventually(() => service.health().ready);
  await eventually(() => callApi(bus, 'status', {}, { answer: statusAnswerSchema }));
  const kept = stack.move();
  return { bus, dir, store: new LocalStore(dir.file('store')), root, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** A full as the uploader stores it. */
async function storeFull(world: World, etcd: TestEtcd): Promise<FullManifest> {
  await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
  const member = await cluster.pickForSnapshot();
  const blobs: Buffer[] = [];
  for await (const blob of member.snapshot()) blobs.push(blob);
  const bytes = Buffer.concat(blobs);
  const { version, memberId, clusterId } = await member.status();
  const path = world.dir.file('taken.db');
  await writeFile(path, bytes);
  using file = BoltFile.open(path);
  const { revision, compactRevision, lastRevisionDigest, lastRevisionRows } = readStoreInfo(file);
  const createdAtMs = Date.now();
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const manifest: FullManifest = {
    version: 1,
    kind: 'full',
    cluster: CLUSTER,
    timeline: 1,
    revision,
    compactRevision,
    lastRevisionDigest,
    lastRevisionRows,
    clusterId: clusterId.toString(16),
    memberId: memberId.toString(16),
    etcdVersion: version,
    createdAt: new Date(createdAtMs).toISOString(),
    finishedAt: new Date(createdAtMs).toISOString(),
    codec: 'none',
    plainBytes: bytes.length,
    plainSha256: sha256,
    storedBytes: bytes.length,
    storedSha256: sha256,
    cause: 'request',
  };
  const key = fullKey({ cluster: CLUSTER, timeline: 1, revision, createdAtMs, codec: 'none' });
  await world.store.put(key, bytes);
  await world.store.put(manifestKey(key), encodeManifest(manifest));
  return manifest;
}

const need = (ctx: { skip: (reason: string) => void }, ...programs: ('etcd' | 'nats-server')[]): void => {
  for (const program of programs) if (findBinary(program) === undefined) ctx.skip(missingBinary(program));
};

describe('restorer', () => {
  it('restores on request below its root, tells how far it is, and an etcd boots from it', async (ctx) => {
    need(ctx, 'etcd', 'nats-server');
    await using source = await startEtcd();
    for (let index = 0; index < 5; index++) await source.etcdctl('put', `k${index}`, `v${index}`);
    await using world = await openWorld(source.endpoints);
    const { bus } = world;
    const manifest = await storeFull(world, source);
    const [clientPort, peerPort] = await freePorts(2);
    const plan = { name: 'm1', clientPort: clientPort!, peerPort: peerPort!, dataDir: `${world.root}/deep/m1` };
    const initialCluster = initialClusterOf([plan]);

    expect(await callApi(bus, 'list', { cluster: CLUSTER }, { answer: listAnswerSchema })).toMatchObject({
      ranges: [{ timeline: 1, from: 1, to: 6 }],
      fulls: [{ revision: 6, compactRevision: -1, bytes: manifest.storedBytes }],
      deltas: { count: 0, bytes: 0 },
    });
    expect(await callApi(bus, 'plan', { cluster: CLUSTER, revision: 4 }, { answer: planAnswerSchema })).toMatchObject({
      revision: 4,
      cutFull: true,
      deltas: [],
    });

    const heard: Progress[] = [];
    const subscription = bus.nc.subscribe('etcdops.progress.restore.>', {
      callback: (_, message) => heard.push(progressSchema.parse(message.json())),
    });
    const request = {
      cluster: CLUSTER,
      revision: 4,
      dataDirs: [{ member: 'm1', dataDir: plan.dataDir }],
      initialCluster,
      token: 'restored',
    };
    const { id, target } = await callApi(bus, 'restore', request, { answer: restoreAnswerSchema });
    expect(target).toEqual({ kind: 'revision', revision: 4 });
    const done = await eventually(
      async () => (await lastDone(bus).get(lastDoneKey('restore', CLUSTER)))?.value ?? false,
    );
    subscription.unsubscribe();
    expect(done).toMatchObject({ taskId: id, ok: true, summary: { revision: 4, deltas: 0, dataDirs: [plan.dataDir] } });
    expect(heard.map(({ taskId, cluster }) => [taskId, cluster])).toEqual(heard.map(() => [id, CLUSTER]));
    expect(heard.map(({ phase }) => phase)).toEqual(expect.arrayContaining(['plan', 'full', 'publish']));

    await using restored = await startEtcd({ members: [plan], token: 'restored', version: source.version });
    expect(await restored.etcdctl('get', '', '--from-key', '--keys-only')).toMatch(/k0\s+k1\s+k2\s*$/);

    // The same directory again: refused by the restore itself, and nothing is touched.
    const again = await callApi(bus, 'restore', request, { answer: restoreAnswerSchema });
    const refused = await eventually(async () => {
      const last = (await lastDone(bus).get(lastDoneKey('restore', CLUSTER)))?.value;
      return last?.taskId === again.id && last;
    });
    expect(refused).toMatchObject({ ok: false, summary: { failure: { code: 'TARGET_OCCUPIED' } } });
  });

  it('refuses at once what it must not or cannot do', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await openWorld();
    const { bus, dir, root } = world;
    mkdirSync(dir.file('outside'));
    symlinkSync(dir.file('outside'), `${root}/link`);
    const restore = (request: object) =>
      callApi(bus, 'restore', { cluster: CLUSTER, ...request }, { answer: restoreAnswerSchema });
    for (const dataDir of [dir.file('outside', 'x'), `${root}/link/x`, `${root}/../outside/x`, root]) {
      await expect(restore({ dataDir })).rejects.toMatchObject({ code: 'TARGET_REFUSED' });
    }
    const walDir = dir.file('outside', 'wal');
    await expect(restore({ dataDirs: [{ member: 'default', dataDir: `${root}/x`, walDir }] })).rejects.toMatchObject({
      code: 'TARGET_REFUSED',
    });
    await expect(restore({ dataDir: `${root}/x`, revison: 5 })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(restore({ dataDir: `${root}/x`, revision: 5, time: new Date(0).toISOString() })).rejects.toMatchObject(
      { code: 'USAGE' },
    );
    await expect(restore({ cluster: 'nobody', dataDir: `${root}/x` })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(callApi(bus, 'plan', { cluster: CLUSTER }, { answer: planAnswerSchema })).rejects.toMatchObject({
      code: 'NO_BACKUP',
    });
    const queue = await (await bus.jsm()).streams.info('ETCDOPS_TASKS');
    expect(queue.state.messages).toBe(0);
    expect(existsSync(dir.file('outside', 'x'))).toBe(false);
  });

  it('refuses a task that came into the queue by another way', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await openWorld();
    const { bus, dir } = world;
    const id = randomUUID();
    const dataDirs = [{ member: 'm1', dataDir: dir.file('outside') }];
    const task = {
      version: 1,
      id,
      kind: 'restore',
      cluster: CLUSTER,
      pool: 'any',
      requestId: id,
      createdAt: new Date().toISOString(),
      to: { kind: 'latest' },
      dataDirs,
      initialCluster: 'm1=http://a:1',
      token: 't',
    };
    await bus.js.publish(`etcdops.task.restore.any.prod=2Eeu.${id}`, JSON.stringify(task));
    const done = await eventually(
      async () => (await lastDone(bus).get(lastDoneKey('restore', CLUSTER)))?.value ?? false,
    );
    expect(done).toMatchObject({ taskId: id, ok: false, summary: { failure: { code: 'TARGET_REFUSED' } } });
    expect(existsSync(dir.file('outside'))).toBe(false);
  });

  it('queues snapshots under their own ids, and tells the status', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await openWorld();
    const { bus } = world;
    const snapshot = (kind: string) =>
      callApi(bus, 'snapshot', { cluster: CLUSTER, kind }, { answer: snapshotAnswerSchema });
    await expect(snapshot('delta')).rejects.toMatchObject({ code: 'NOTHING_TO_DO' });
    const { writer } = await EventWriter.open(bus, CLUSTER);
    await writer.publish({
      kind: 'start',
      timeline: 1,
      clusterId: 7n,
      revision: 3,
      digest: null,
      cause: 'first',
      observedMs: 1,
    });
    const first = await snapshot('full');
    const second = await snapshot('full');
    expect([first.outcome, second.outcome]).toEqual(['accepted', 'busy']);
    expect(first.id).not.toBe(second.id);
    expect((await snapshot('delta')).outcome).toBe('accepted');
    const status = await callApi(bus, 'status', { cluster: CLUSTER }, { answer: statusAnswerSchema });
    expect(status).toEqual({
      clusters: [
        {
          cluster: CLUSTER,
          events: { messages: 1, bytes: expect.any(Number), lastSequence: 1 },
          last: {},
          schedules: { timezone: 'UTC', full: '*/20 * * * *', deltaPeriodMs: 10_000, gcPeriodMs: 60_000 },
          failures: [],
        },
      ],
    });
    expect(await callApi(bus, 'status', {}, { answer: statusAnswerSchema })).toEqual(status);
  });
});
