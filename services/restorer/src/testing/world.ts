import {
  callApi,
  clusterKey,
  clusterSpecs,
  clusterSpecSchema,
  connectBus,
  ensureEventStream,
  ensureTopology,
  statusAnswerSchema,
  type Bus,
} from '@etcd-ops/bus';
import {
  BoltFile,
  encodeManifest,
  fullKey,
  LocalStore,
  manifestKey,
  readStoreInfo,
  type FullManifest,
} from '@etcd-ops/core';
import { EtcdCluster } from '@etcd-ops/etcd-client';
import { createLogger, createMetrics, createServiceContext } from '@etcd-ops/service-kit';
import {
  eventually,
  findBinary,
  missingBinary,
  startNats,
  tempDir,
  type TempDir,
  type TestEtcd,
} from '@etcd-ops/test-kit';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createRestorerService } from '../service.ts';
import { restorerSettings } from '../settings.ts';

export const CLUSTER = 'prod.eu';

export interface World extends AsyncDisposable {
  bus: Bus;
  dir: TempDir;
  store: LocalStore;
  root: string;
}

/** A bus, a spec, a restorer with one root. */
export async function openWorld(endpoints: string[] = ['127.0.0.1:1']): Promise<World> {
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
export async function storeFull(world: World, etcd: TestEtcd): Promise<FullManifest> {
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

export const need = (ctx: { skip: (reason: string) => void }, ...programs: ('etcd' | 'nats-server')[]): void => {
  for (const program of programs) if (findBinary(program) === undefined) ctx.skip(missingBinary(program));
};
