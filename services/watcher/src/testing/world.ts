import {
  clusterKey,
  clusterSpecs,
  clusterSpecSchema,
  connectBus,
  ensureEventStream,
  ensureTopology,
  readEvents,
  streamFacts,
  type Bus,
  type ClusterSpec,
  type ClusterSpecInput,
  type EventRead,
  type Skipped,
  type StartEvent,
} from '@etcd-ops/bus';
import { BoltFile, LocalStore, readStoreInfo, rowsAbove } from '@etcd-ops/core';
import { EtcdCluster, openEtcd3 } from '@etcd-ops/etcd-client';
import { createLogger, createMetrics, createServiceContext, type ServiceContext } from '@etcd-ops/service-kit';
import {
  eventually,
  spawnGuarded,
  startNats,
  tempDir,
  type GuardedProcess,
  type TestEtcd,
  type TestNats,
} from '@etcd-ops/test-kit';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect } from 'vitest';
import { createWatcherService } from '../service.ts';
import { watcherSettings } from '../settings.ts';

export const CLUSTER = 'prod.eu';
const FAST = {
  reconnectDelayMs: 20,
  reconnectDelayMsMax: 200,
  anchorWaitMs: 300,
  fullRequestDelayMs: 100,
  ownerContendMs: 50,
  ownerRenewMs: 300,
};

/** NATS, a spec and a store; the etcd is the test's own. */
export class World implements AsyncDisposable {
  readonly nats: TestNats;
  readonly bus: Bus;
  readonly spec: ClusterSpec;
  readonly #dir: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    { nats, bus, spec, dir }: { nats: TestNats; bus: Bus; spec: ClusterSpec; dir: string },
    stack: AsyncDisposableStack,
  ) {
    this.nats = nats;
    this.bus = bus;
    this.spec = spec;
    this.#dir = dir;
    this.#stack = stack;
  }

  static async open(
    etcd: Pick<TestEtcd, 'endpoints'>,
    options: {
      eventBytesMax?: number;
      natsVersion?: string;
      snapshots?: ClusterSpecInput['snapshots'];
      /** Credentials, TLS. */
      access?: Pick<ClusterSpecInput, 'auth' | 'maintenanceAuth' | 'tls'>;
    } = {},
  ): Promise<World> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(tempDir());
    const nats = stack.use(await startNats(options.natsVersion === undefined ? {} : { version: options.natsVersion }));
    const bus = stack.use(await connectBus({ url: nats.url, name: 'test', requestTimeoutMs: 1_000 }));
    await ensureTopology(bus);
    await ensureEventStream(bus, CLUSTER, { bytesMax: options.eventBytesMax ?? 256 * 1024 * 1024 });
    const spec = clusterSpecSchema.parse({
      version: 1,
      name: CLUSTER,
      endpoints: etcd.endpoints,
      store: { provider: 'Local', bucket: dir.file('store') },
      ...options.access,
      ...(options.snapshots === undefined ? {} : { snapshots: options.snapshots }),
    });
    await clusterSpecs(bus).create(clusterKey(CLUSTER), spec);
    return new World({ nats, bus, spec, dir: dir.path }, stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  /** A watcher in this process, over a connection of its own. */
  async startWatcher(settings: Readonly<Record<string, number>> = {}): Promise<Watcher> {
    return Watcher.start(this.nats.url, settings);
  }

  /** The uploader is another service: it runs as its own process, as in the image. */
  async spawnUploader(): Promise<GuardedProcess & AsyncDisposable> {
    const child = await spawnService('uploader', this.nats.url, this.#dir);
    return Object.assign(child, { [Symbol.asyncDispose]: () => child.stop() });
  }

  get store(): LocalStore {
    return new LocalStore(this.spec.store.bucket);
  }

  /** All that counts in the stream, and what did not. */
  async events(): Promise<{ events: EventRead[]; skipped: Skipped[] }> {
    const events: EventRead[] = [];
    const skipped: Skipped[] = [];
    const { firstSequence, lastSequence } = await streamFacts(this.bus, CLUSTER);
    const range = { from: firstSequence, to: lastSequence, onSkipped: (one: Skipped) => skipped.push(one) };
    for await (const event of readEvents(this.bus, CLUSTER, range)) events.push(event);
    return { events, skipped };
  }

  async starts(): Promise<StartEvent[]> {
    return (await this.events()).events.filter((event) => event.kind === 'start');
  }

  async capturedRevision(): Promise<number> {
    const last = (await this.events()).events.at(-1);
    return last === undefined ? 0 : last.kind === 'start' ? last.revision : last.last;
  }

  /** The causes of the fulls that were asked for. */
  async fullCauses(): Promise<unknown[]> {
    const jsm = await this.bus.jsm();
    const subject = `etcdops.task.full.any.prod=2Eeu`;
    const stored = await jsm.streams.getMessage('ETCDOPS_TASKS', { last_by_subj: subject }).catch(() => undefined);
    return stored === undefined ? [] : [stored.json<{ cause: string }>().cause];
  }
}

export class Watcher implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    context: ServiceContext,
    settings: Readonly<Record<string, number>>,
    stack: AsyncDisposableStack,
  ) {
    this.#stack = stack;
    this.context = context;
    this.service = createWatcherService(this.context, watcherSettings.parse({ ...FAST, ...settings }));
    this.#done = this.service.run(this.#stop.signal);
  }

  readonly context: ServiceContext;
  readonly service;

  static async start(url: string, settings: Readonly<Record<string, number>> = {}): Promise<Watcher> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(tempDir());
    const bus = stack.use(await connectBus({ url, name: 'watcher', requestTimeoutMs: 1_000 }));
    const level = process.env['ETCD_OPS_TEST_LOG'] === undefined ? 'silent' : 'debug';
    const logger = createLogger({ level, name: 'watcher', pretty: true });
    const options = {
      bus,
      logger,
      metrics: createMetrics('watcher'),
      stateDir: dir.file('state'),
      spoolDir: dir.file('spool'),
    };
    const context = stack.use(await createServiceContext(options));
    const watcher = new Watcher(context, settings, stack.move());
    return watcher;
  }

  async watching(): Promise<void> {
    await eventually(() => this.service.health().detail === 'watching 1 clusters', { timeoutMs: 60_000 }).catch(
      (error: unknown) => {
        throw new Error(this.service.health().detail, { cause: error });
      },
    );
  }

  /** A metric's value, the sum over its series whose labels contain `labels`. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const { values } = (await this.context.metrics.registry.getSingleMetric(`etcdops_${name}`)?.get()) ?? {
      values: [],
    };
    return values
      .filter((series) => Object.entries(labels).every(([label, value]) => series.labels[label] === value))
      .reduce((sum, { value }) => sum + value, 0);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    await this.#stack.disposeAsync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** A service that can be killed: its own process, started as in the image. */
async function spawnService(name: 'watcher' | 'uploader', url: string, dir: string, settings = {}) {
  const env = {
    ...process.env,
    ETCD_OPS_NATS_URL: url,
    ETCD_OPS_STATE_DIR: join(dir, `${name}-state`),
    ETCD_OPS_SPOOL_DIR: join(dir, `${name}-spool`),
    ETCD_OPS_HTTP_HOST: '127.0.0.1',
    ...settings,
  };
  const main = join(import.meta.dirname, '..', '..', '..', name, 'src', 'main.ts');
  return spawnGuarded(process.execPath, [main], { env });
}

/** A watcher of its own process; `settings` are environment variables. */
export function spawnWatcher(url: string, dir: string, settings: Readonly<Record<string, string>> = {}) {
  return spawnService('watcher', url, dir, settings);
}

/** Rows of the stream by their keys: the newest history of each timeline. */
export function rowsOf(events: readonly EventRead[], timeline: number): Map<string, string> {
  const rows = new Map<string, string>();
  for (const event of events) {
    if (event.kind !== 'rows' || event.timeline !== timeline) continue;
    for (let row = 0; row < event.rows!.rowCount; row++) {
      rows.set(event.rows!.key(row).toString('hex'), event.rows!.value(row).toString('base64'));
    }
  }
  return rows;
}

export async function takeSnapshot(endpoint: string, path: string): Promise<void> {
  await using cluster = await EtcdCluster.connect({ endpoints: [endpoint] });
  const [member] = cluster.members();
  await member!.linearizableRead();
  await pipeline(Readable.from(member!.snapshot()), createWriteStream(path));
}

/** Every row of the database above `after` is captured byte for byte, and what is captured beyond was compacted since. */
export async function expectSameRows(
  world: World,
  endpoint: string,
  options: { after: number; timeline: number; dir: string },
): Promise<number> {
  const path = join(options.dir, `check-${Date.now()}.db`);
  await takeSnapshot(endpoint, path);
  using file = BoltFile.open(path);
  const { compactRevision, revision } = readStoreInfo(file);
  await eventually(async () => (await world.capturedRevision()) >= revision, { timeoutMs: 30_000 });
  const { events, skipped } = await world.events();
  expect(skipped.filter(({ reason }) => reason !== 'overlap' && reason !== 'incomplete')).toEqual([]);
  const captured = rowsOf(events, options.timeline);
  let compared = 0;
  const onlyInFile: string[] = [];
  for (const block of rowsAbove(file, options.after)) {
    for (let row = 0; row < block.rowCount; row++) {
      const key = block.key(row).toString('hex');
      if (captured.get(key) !== block.value(row).toString('base64')) onlyInFile.push(key);
      captured.delete(key);
      compared++;
    }
  }
  expect(onlyInFile).toEqual([]);
  // Leases run out after the snapshot, too: what is newer than the file proves nothing.
  const mains = [...captured.keys()].map((key) => Number.parseInt(key.slice(0, 16), 16));
  expect(mains.filter((main) => main > Math.max(options.after, compactRevision) && main <= revision)).toEqual([]);
  return compared;
}

export const compact = async (etcd: TestEtcd, revision: number): Promise<void> => {
  await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
  await cluster.members()[0]!.compact(revision, { physical: true });
};

export const headOf = async (etcd: Pick<TestEtcd, 'endpoints'>): Promise<number> => {
  await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
  return (await (await cluster.pickForWatch()).linearizableRead()).revision;
};

export const put = async (etcd: TestEtcd, count: number, prefix = 'k'): Promise<void> => {
  for (let index = 0; index < count; index++) {
    await etcd.etcdctl('put', `${prefix}${index}`, `value ${index} ${prefix}`);
  }
};

/** So many revisions, as fast as 64 writers get. */
export const burst = async (
  etcd: Pick<TestEtcd, 'endpoints'>,
  revisions: number,
  { valueBytes = 100, prefix = 'burst' }: { valueBytes?: number; prefix?: string } = {},
): Promise<void> => {
  const client = await openEtcd3({ endpoints: etcd.endpoints });
  const value = Buffer.alloc(valueBytes, 'v');
  let started = 0;
  const writer = async (): Promise<void> => {
    while (started < revisions) await client.put(`${prefix}/${started++ % 500}`).value(value);
  };
  await Promise.all(Array.from({ length: 64 }, writer));
  client.close();
};
