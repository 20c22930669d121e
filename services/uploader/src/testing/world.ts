import {
  clusterKey,
  clusterSpecs,
  clusterSpecSchema,
  connectBus,
  dispatchTask,
  ensureEventStream,
  ensureTopology,
  EventWriter,
  lastEvent,
  positionKey,
  positions,
  streamFacts,
  type Bus,
  type ClusterSpec,
  type ClusterSpecInput,
  type DeltaTask,
  type FullTask,
} from '@etcd-ops/bus';
import {
  BoltFile,
  hashKV,
  LocalStore,
  parseInitialCluster,
  parseObjectKey,
  planRestore,
  readInventory,
  restore,
  RowBlockBuilder,
  STORED_PLAIN,
  type Identities,
  type ObjectStore,
} from '@etcd-ops/core';
import { EtcdCluster } from '@etcd-ops/etcd-client';
import {
  createLogger,
  createMetrics,
  createServiceContext,
  systemClock,
  type ServiceContext,
} from '@etcd-ops/service-kit';
import {
  etcdVersions,
  eventually,
  findBinary,
  missingBinary,
  spawnGuarded,
  startNats,
  tempDir,
  type GuardedProcess,
  type TestEtcd,
  type TestNats,
} from '@etcd-ops/test-kit';
import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DeltaTaskOptions } from '../delta-task.ts';
import { runFullTask } from '../full-task.ts';
import { createUploaderMetrics } from '../metrics.ts';
import { packingOf } from '../packing-of.ts';
import { createUploaderService } from '../service.ts';
import { uploaderSettings } from '../settings.ts';
import { Spool } from '../spool.ts';

export const CLUSTER = 'prod';
export const EVENT_BYTES = 256 * 1024 * 1024;
export const logger = createLogger({
  level: process.env['ETCD_OPS_TEST_LOG'] === undefined ? 'silent' : 'debug',
  name: 'uploader',
  pretty: true,
});
export const versions = etcdVersions();

export interface Skippable {
  skip: (reason: string) => void;
}

export function need(ctx: Skippable, program: 'etcd' | 'nats-server'): void {
  if (findBinary(program) === undefined) ctx.skip(missingBinary(program));
}

export class World implements AsyncDisposable {
  readonly nats: TestNats;
  readonly bus: Bus;
  readonly spec: ClusterSpec;
  readonly store: LocalStore;
  readonly context: ServiceContext;
  readonly dir: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: { nats: TestNats; bus: Bus; spec: ClusterSpec; context: ServiceContext; dir: string },
    stack: AsyncDisposableStack,
  ) {
    this.nats = parts.nats;
    this.bus = parts.bus;
    this.spec = parts.spec;
    this.context = parts.context;
    this.dir = parts.dir;
    this.store = new LocalStore(parts.spec.store.bucket);
    this.#stack = stack;
  }

  static async open(endpoints: string[], overrides: Partial<ClusterSpecInput> = {}): Promise<World> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(tempDir());
    const nats = stack.use(await startNats());
    const bus = stack.use(await connectBus({ url: nats.url, name: 'uploader' }));
    await ensureTopology(bus);
    await ensureEventStream(bus, CLUSTER, { bytesMax: EVENT_BYTES });
    const spec = clusterSpecSchema.parse({
      version: 1,
      name: CLUSTER,
      endpoints,
      store: { provider: 'Local', bucket: dir.file('store') },
      ...overrides,
    });
    await clusterSpecs(bus).create(clusterKey(CLUSTER), spec);
    const options = {
      bus,
      logger,
      metrics: createMetrics('uploader'),
      stateDir: dir.file('state'),
      spoolDir: dir.file('spool'),
    };
    const context = stack.use(await createServiceContext(options));
    return new World({ nats, bus, spec, context, dir: dir.path }, stack.move());
  }

  /** As an operator changes it; resolves when the services of this context know. */
  async changeSpec(change: Partial<ClusterSpec>): Promise<void> {
    await clusterSpecs(this.bus).put(clusterKey(CLUSTER), { ...this.spec, ...change });
    const wanted = JSON.stringify(change);
    await eventually(() => {
      const known = this.context.clusters.get(CLUSTER);
      return (
        JSON.stringify(
          Object.fromEntries(Object.keys(change).map((name) => [name, known?.[name as keyof ClusterSpec]])),
        ) === wanted
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async startUploader(settings: object = {}, overrides: Partial<ServiceContext> = {}): Promise<AsyncDisposable> {
    const stop = new AbortController();
    const service = createUploaderService(
      { ...this.context, ...overrides },
      uploaderSettings.parse({ taskBackoffMs: 50, ...settings }),
    );
    const done = service.run(stop.signal);
    await eventually(() => service.health().ready);
    return {
      [Symbol.asyncDispose]: async () => {
        stop.abort();
        await done;
      },
    };
  }

  /** The watcher is another service: it runs as its own process, as in the image. */
  spawnWatcher(): Promise<GuardedProcess> {
    return this.#spawn('watcher', { ETCD_OPS_RECONNECT_DELAY_MS: '50', ETCD_OPS_FULL_REQUEST_DELAY_MS: '200' });
  }

  /** An uploader that can be killed: its own process. */
  spawnUploader(env: Readonly<Record<string, string>> = {}): Promise<GuardedProcess> {
    return this.#spawn('uploader', { ETCD_OPS_TASK_ACK_WAIT_MS: '1000', ...env });
  }

  #spawn(service: string, settings: Readonly<Record<string, string>>): Promise<GuardedProcess> {
    const env = {
      ...process.env,
      ETCD_OPS_NATS_URL: this.nats.url,
      ETCD_OPS_STATE_DIR: join(this.dir, `${service}-state`),
      ETCD_OPS_SPOOL_DIR: join(this.dir, `${service}-spool`),
      ETCD_OPS_HTTP_HOST: '127.0.0.1',
      ...settings,
    };
    return spawnGuarded(process.execPath, [join(import.meta.dirname, '..', '..', '..', service, 'src', 'main.ts')], {
      env,
    });
  }

  taskOptions(overrides: Partial<DeltaTaskOptions> = {}): DeltaTaskOptions {
    const { bus, store } = this;
    const metrics = createUploaderMetrics(this.context.metrics);
    return {
      bus,
      store,
      deltaObjectBytesMax: 3_000,
      packing: STORED_PLAIN,
      logger,
      metrics,
      clock: systemClock,
      signal: new AbortController().signal,
      ...overrides,
    };
  }

  /** Stores all that waits; resolves when the position has reached the revision. */
  async flush(revision: number): Promise<void> {
    await eventually(
      async () => {
        const { lastSequence } = await streamFacts(this.bus, CLUSTER);
        await dispatchTask(this.bus, deltaTask(lastSequence));
        const position = await positions(this.bus).get(positionKey(CLUSTER));
        return (position?.value.revision ?? 0) >= revision;
      },
      { timeoutMs: 30_000, intervalMs: 100 },
    );
  }

  async capturedRevision(): Promise<number> {
    return (await lastEvent(this.bus, CLUSTER))?.last ?? 0;
  }

  async deltas(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for await (const { key } of this.store.list(`${CLUSTER}/`)) {
      if (parseObjectKey(key)?.kind === 'delta') found.set(key, (await this.store.get(key)).toString('base64'));
    }
    return found;
  }

  async keys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.store.list('')) keys.push(key);
    return keys;
  }
}

export function deltaTask(cutSequence: number): DeltaTask {
  return {
    version: 1,
    id: randomUUID(),
    kind: 'delta',
    cluster: CLUSTER,
    pool: 'any',
    cutSequence,
    cause: 'flush',
    createdAt: new Date().toISOString(),
  };
}

export function fullTask(): FullTask {
  return {
    version: 1,
    id: randomUUID(),
    kind: 'full',
    cluster: CLUSTER,
    pool: 'any',
    cause: 'request',
    createdAt: new Date().toISOString(),
  };
}

/** A stream as a watcher writes it, without an etcd: `count` revisions behind revision 10. */
export async function writeEvents(bus: Bus, count: number, first = 11): Promise<void> {
  const { writer, last } = await EventWriter.open(bus, CLUSTER);
  const base = { timeline: 1, clusterId: 7n, observedMs: 1_000 } as const;
  if (last === undefined) {
    await writer.publish({ ...base, kind: 'start', revision: first - 1, digest: null, cause: 'first' });
  } else if (first !== last.last + 1) {
    // A repetition, or a hole: as if nobody had looked at what is there.
    writer.writeFor({ timeline: 1, clusterId: 7n, revision: first });
  }
  for (let revision = first; revision < first + count; revision++) {
    const builder = new RowBlockBuilder();
    builder.append(revision, 0, false, Buffer.alloc(900, revision));
    const leases =
      revision % 3 === 0
        ? [{ id: BigInt(revision), grantedTtlSeconds: 60, askedAtRevision: revision, source: 'ttl' as const }]
        : [];
    const rows = { first: revision, last: revision, rowBlock: builder.take(), leases, digest: null, digestRows: 1 };
    await writer.publish({ ...base, kind: 'rows', ...rows, observedMs: 1_000 + revision });
  }
  writer.close();
}

/** What a watcher learns of a lease after the rows that name it are gone. */
export async function writeLease(bus: Bus, id: bigint): Promise<void> {
  const { writer, last } = await EventWriter.open(bus, CLUSTER);
  const leases = [{ id, grantedTtlSeconds: 60, askedAtRevision: last!.last, source: 'ttl' as const }];
  const facts = { timeline: 1, clusterId: 7n, observedMs: 2_000, first: last!.last + 1, last: last!.last };
  await writer.publish({
    ...facts,
    kind: 'rows',
    rowBlock: new RowBlockBuilder().take(),
    leases,
    digest: null,
    digestRows: 0,
  });
  writer.close();
}

/** The same object, with some of its methods replaced. */
export function proxy<T extends object>(target: T, replaced: Partial<T>): T {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.get(Object.hasOwn(replaced, name) ? replaced : object, name);
      return typeof value === 'function' ? value.bind(object) : value;
    },
  });
}

export async function liveHash(etcd: TestEtcd): Promise<{ hash: number; revision: number; compactRevision: number }> {
  await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
  const member = cluster.members()[0]!;
  await member.linearizableRead();
  return await member.hashKV(0);
}

/** Restores a revision out of the repository alone, and hashes it as the witness was hashed. */
export async function restoredHash(
  world: Pick<World, 'store' | 'dir'>,
  witness: { revision: number; compactRevision: number },
  identities?: Identities,
): Promise<number> {
  const plan = planRestore(await readInventory(world.store, CLUSTER), { kind: 'revision', revision: witness.revision });
  const dataDir = join(world.dir, `restored-${randomUUID()}`);
  await restore({
    store: world.store,
    plan,
    identities,
    dataDirs: [{ member: 'm1', dataDir }],
    initialCluster: parseInitialCluster('m1=http://127.0.0.1:1'),
    token: 't',
  });
  using file = BoltFile.open(join(dataDir, 'member', 'snap', 'db'));
  return (await hashKV(file, witness)).hash;
}

export type FullParts = Pick<World, 'spec' | 'bus' | 'context'> & { store: ObjectStore };

export function worldParts({ spec, bus, context, store }: World): FullParts {
  return { spec, bus, context, store };
}

export async function runFull(
  world: FullParts,
  etcd: EtcdCluster,
  signal = new AbortController().signal,
): Promise<void> {
  await using spool = await Spool.open(world.context.spoolDir);
  const { spec, bus, store } = world;
  const metrics = createUploaderMetrics(world.context.metrics);
  const context = { signal, progress: () => undefined };
  await runFullTask(fullTask(), {
    spec,
    bus,
    store,
    etcd,
    packing: await packingOf(spec),
    spool,
    spoolBytesMax: 2 ** 30,
    deltaObjectBytesMax: 2 ** 25,
    logger,
    metrics,
    clock: systemClock,
    context,
  });
}

export async function spooledFiles(world: World): Promise<string[]> {
  const root = world.context.spoolDir;
  return readdirSync(root).flatMap((name) => readdirSync(join(root, name)));
}
