import {
  clusterKey,
  clusterSpecs,
  clusterSpecSchema,
  connectBus,
  ensureEventStream,
  ensureTopology,
  eventsStream,
  readEvents,
  streamFacts,
  type Bus,
  type ClusterSpec,
  type EventRead,
  type Skipped,
  type StartEvent,
} from '@etcd-ops/bus';
import { BoltFile, readStoreInfo, rowsAbove } from '@etcd-ops/core';
import { EtcdCluster } from '@etcd-ops/etcd-client';
import { createLogger, createMetrics, createServiceContext, type ServiceContext } from '@etcd-ops/service-kit';
import {
  etcdVersions,
  eventually,
  findBinary,
  HARD_LOAD_FLAGS,
  hardLoad,
  missingBinary,
  planMembers,
  runEtcdutl,
  spawnGuarded,
  startEtcd,
  startNats,
  tempDir,
  type TestEtcd,
  type TestNats,
} from '@etcd-ops/test-kit';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { createWatcherService } from './service.ts';
import { watcherSettings } from './settings.ts';

const CLUSTER = 'prod.eu';
const FAST = {
  reconnectDelayMs: 20,
  reconnectDelayMsMax: 200,
  anchorWaitMs: 300,
  fullRequestDelayMs: 100,
  ownerContendMs: 50,
  ownerRenewMs: 300,
};

/** NATS, a spec and a store; the etcd is the test's own. */
class World implements AsyncDisposable {
  readonly nats: TestNats;
  readonly bus: Bus;
  readonly spec: ClusterSpec;
  readonly #stack: AsyncDisposableStack;

  private constructor(nats: TestNats, bus: Bus, spec: ClusterSpec, stack: AsyncDisposableStack) {
    this.nats = nats;
    this.bus = bus;
    this.spec = spec;
    this.#stack = stack;
  }

  static async open(etcd: TestEtcd, options: { eventBytesMax?: number; natsVersion?: string } = {}): Promise<World> {
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
    });
    await clusterSpecs(bus).create(clusterKey(CLUSTER), spec);
    return new World(nats, bus, spec, stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  /** A watcher in this process, over a connection of its own. */
  async startWatcher(): Promise<Watcher> {
    return Watcher.start(this.nats.url);
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

class Watcher implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  readonly #stack: AsyncDisposableStack;

  private constructor(context: ServiceContext, stack: AsyncDisposableStack) {
    this.#stack = stack;
    this.service = createWatcherService(context, watcherSettings.parse(FAST));
    this.#done = this.service.run(this.#stop.signal);
  }

  readonly service;

  static async start(url: string): Promise<Watcher> {
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
    const watcher = new Watcher(context, stack.move());
    return watcher;
  }

  async watching(): Promise<void> {
    await eventually(() => this.service.health().detail === 'watching 1 clusters', { timeoutMs: 20_000 }).catch(
      (error: unknown) => {
        throw new Error(this.service.health().detail, { cause: error });
      },
    );
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

/** A watcher that can be killed: its own process, started as in the image. */
async function spawnWatcher(url: string, dir: string) {
  const env = {
    ...process.env,
    ETCD_OPS_NATS_URL: url,
    ETCD_OPS_STATE_DIR: join(dir, 'state'),
    ETCD_OPS_SPOOL_DIR: join(dir, 'spool'),
    ETCD_OPS_HTTP_HOST: '127.0.0.1',
  };
  return spawnGuarded(process.execPath, [join(import.meta.dirname, 'main.ts')], { env });
}

/** Rows of the stream by their keys: the newest history of each timeline. */
function rowsOf(events: readonly EventRead[], timeline: number): Map<string, string> {
  const rows = new Map<string, string>();
  for (const event of events) {
    if (event.kind !== 'rows' || event.timeline !== timeline) continue;
    for (let row = 0; row < event.rows!.rowCount; row++) {
      rows.set(event.rows!.key(row).toString('hex'), event.rows!.value(row).toString('base64'));
    }
  }
  return rows;
}

async function takeSnapshot(endpoint: string, path: string): Promise<void> {
  await using cluster = await EtcdCluster.connect({ endpoints: [endpoint] });
  const [member] = cluster.members();
  await member!.linearizableRead();
  await pipeline(Readable.from(member!.snapshot()), createWriteStream(path));
}

/** Every row of the database above `after` is captured byte for byte, and what is captured beyond was compacted since. */
async function expectSameRows(
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

const compact = async (etcd: TestEtcd, revision: number): Promise<void> => {
  await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
  await cluster.members()[0]!.compact(revision, { physical: true });
};

const headOf = async (etcd: TestEtcd): Promise<number> => {
  await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
  return (await cluster.members()[0]!.linearizableRead()).revision;
};

const put = async (etcd: TestEtcd, count: number, prefix = 'k'): Promise<void> => {
  for (let index = 0; index < count; index++) {
    await etcd.etcdctl('put', `${prefix}${index}`, `value ${index} ${prefix}`);
  }
};

const versions = etcdVersions();

describe.each(versions.length === 0 ? ['none'] : versions)('watcher on etcd %s', (version) => {
  const need = (ctx: { skip: (reason: string) => void }): void => {
    if (version === 'none') ctx.skip(missingBinary('etcd'));
    if (findBinary('nats-server') === undefined) ctx.skip(missingBinary('nats-server'));
  };

  it('captures every row of a hard load through stops and kills of everything', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd({ version, extraFlags: HARD_LOAD_FLAGS });
    await put(etcd, 3);
    await using world = await World.open(etcd, version.startsWith('3.4') ? { natsVersion: '2.9' } : {});
    const load = (seed: number, without: Parameters<typeof hardLoad>[0]['without'] = []) =>
      hardLoad({ endpoints: etcd.endpoints, seed, operations: 250, valueBytesMax: 300_000, txnOpsMax: 3_000, without });
    {
      await using watcher = await world.startWatcher();
      await watcher.watching();
      await load(1);
    }
    const [start] = await world.starts();
    expect(start).toMatchObject({ cause: 'first', timeline: 1, revision: 4 });
    expect(start!.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(await world.fullCauses()).toEqual(['first']);
    // Nobody watches; no compaction either, which would be a gap.
    await load(2, ['compact']);
    {
      const child = await spawnWatcher(world.nats.url, dir.path);
      const loading = load(3, ['compact']);
      const before = await world.capturedRevision();
      await eventually(async () => (await world.capturedRevision()) > before, { timeoutMs: 20_000 });
      await child.kill();
      await loading;
    }
    await using watcher = await world.startWatcher();
    await watcher.watching();
    const loading = load(4, ['compact']).catch(() => undefined);
    await eventually(async () => (await world.capturedRevision()) > start!.revision + 50);
    await etcd.kill();
    await loading;
    await etcd.restart();
    await watcher.watching();
    const more = load(5, ['compact']);
    await world.nats.kill();
    await world.nats.start();
    await more;
    const compared = await expectSameRows(world, etcd.endpoint, { after: start!.revision, timeline: 1, dir: dir.path });
    expect(compared).toBeGreaterThan(1_000);
    expect((await world.starts()).map(({ cause }) => cause)).toEqual(['first']);
    const leases = (await world.events()).events.flatMap((event) => (event.kind === 'rows' ? event.leases : []));
    expect(leases.some(({ source, grantedTtlSeconds }) => source === 'ttl' && grantedTtlSeconds > 0)).toBe(true);
  });

  it('begins a new timeline when the cluster was restored behind its back', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    const plans = await planMembers(1, dir.path);
    const token = 'same-token';
    await using world = await (async () => {
      await using etcd = await startEtcd({ version, members: plans, token });
      await put(etcd, 5);
      const opened = await World.open(etcd);
      await using watcher = await opened.startWatcher();
      await watcher.watching();
      await put(etcd, 5, 'a');
      await takeSnapshot(etcd.endpoint, dir.file('old.db'));
      await put(etcd, 10, 'b');
      await eventually(async () => (await opened.capturedRevision()) === 21);
      return opened;
    })();
    // The same cluster id, member id and ports; its head has passed L by the time that it is watched.
    const restored = [{ ...plans[0]!, dataDir: dir.file('restored') }];
    await runEtcdutl(
      { version },
      'snapshot',
      'restore',
      dir.file('old.db'),
      '--name',
      'm1',
      '--initial-cluster',
      `m1=http://127.0.0.1:${plans[0]!.peerPort}`,
      '--initial-cluster-token',
      token,
      '--initial-advertise-peer-urls',
      `http://127.0.0.1:${plans[0]!.peerPort}`,
      '--data-dir',
      dir.file('restored'),
    );
    await using etcd = await startEtcd({ version, members: restored, token });
    await put(etcd, 20, 'c');
    const head = await headOf(etcd);
    expect(head).toBe(31);
    await using watcher = await world.startWatcher();
    await watcher.watching();
    const starts = await world.starts();
    expect(starts.map(({ cause, timeline }) => [cause, timeline])).toEqual([
      ['first', 1],
      ['fork', 2],
    ]);
    expect(starts[1]).toMatchObject({ revision: head, after: 21 });
    expect(starts[1]!.clusterId).toBe(starts[0]!.clusterId);
    await put(etcd, 3, 'd');
    await expectSameRows(world, etcd.endpoint, { after: head, timeline: 2, dir: dir.path });
    // What was captured before stays as it was.
    const { events } = await world.events();
    expect(Math.max(...[...rowsOf(events, 1).keys()].map((key) => Number.parseInt(key.slice(0, 16), 16)))).toBe(21);
  });

  it('follows a cluster that is replaced under its eyes, by one of another id and with fewer revisions', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    const plans = await planMembers(1, dir.path);
    const first = await startEtcd({ version, members: plans, token: 'one' });
    await using world = await World.open(first);
    await using watcher = await world.startWatcher();
    await watcher.watching();
    await put(first, 10);
    await eventually(async () => (await world.capturedRevision()) === 11);
    await first[Symbol.asyncDispose]();
    await eventually(() => !watcher.service.health().ready);
    // A new cluster on the same ports, with another token: another cluster id, and a head below L.
    await using second = await startEtcd({
      version,
      members: [{ ...plans[0]!, dataDir: dir.file('new') }],
      token: 'two',
    });
    await put(second, 2);
    await eventually(async () => (await world.starts()).length === 2, { timeoutMs: 20_000 });
    await put(second, 3, 'b');
    const starts = await world.starts();
    expect(starts.map(({ cause, timeline, after }) => [cause, timeline, after])).toEqual([
      ['first', 1, undefined],
      ['fork', 2, 11],
    ]);
    expect(starts[1]!.clusterId).not.toBe(starts[0]!.clusterId);
    await expectSameRows(world, second.endpoint, { after: starts[1]!.revision, timeline: 2, dir: dir.path });
  });

  it('says that there is a gap when a compaction overtook it', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd({ version });
    await using world = await World.open(etcd);
    {
      await using watcher = await world.startWatcher();
      await watcher.watching();
      await put(etcd, 4);
      await eventually(async () => (await world.capturedRevision()) === 5);
    }
    await put(etcd, 10);
    await compact(etcd, 12);
    await using watcher = await world.startWatcher();
    await watcher.watching();
    await put(etcd, 3);
    const starts = await world.starts();
    expect(starts).toMatchObject([
      { cause: 'first', timeline: 1, revision: 1, digest: null },
      { cause: 'gap', timeline: 1, revision: 15, after: 5, compacted: 12 },
    ]);
    await expectSameRows(world, etcd.endpoint, { after: 15, timeline: 1, dir: dir.path });
  });

  it('goes on over a compaction that stands exactly at L or below it', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd({ version });
    await put(etcd, 4);
    await using world = await World.open(etcd);
    {
      await using watcher = await world.startWatcher();
      await watcher.watching();
      await put(etcd, 4, 'a');
      await eventually(async () => (await world.capturedRevision()) === 9);
    }
    await put(etcd, 4, 'b');
    await compact(etcd, 9);
    {
      await using watcher = await world.startWatcher();
      await watcher.watching();
      await expectSameRows(world, etcd.endpoint, { after: 5, timeline: 1, dir: dir.path });
    }
    expect((await world.starts()).map(({ cause }) => cause)).toEqual(['first']);
  });

  it('begins at a head that is the compact revision itself, a pure deletion', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd({ version });
    await put(etcd, 4);
    await etcd.etcdctl('del', 'k', '--prefix');
    await compact(etcd, 6);
    await using world = await World.open(etcd);
    await using watcher = await world.startWatcher();
    await watcher.watching();
    expect(await world.starts()).toMatchObject([{ cause: 'first', revision: 6, digest: null }]);
    await put(etcd, 4, 'a');
    await expectSameRows(world, etcd.endpoint, { after: 6, timeline: 1, dir: dir.path });
  });
});

describe('watcher', () => {
  const need = (ctx: { skip: (reason: string) => void }): void => {
    if (versions.length === 0) ctx.skip(missingBinary('etcd'));
    if (findBinary('nats-server') === undefined) ctx.skip(missingBinary('nats-server'));
  };

  it('waits while the stream is full, and loses nothing', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd();
    await using world = await World.open(etcd, { eventBytesMax: 2 * 1024 * 1024 });
    await using watcher = await world.startWatcher();
    await watcher.watching();
    await hardLoad({
      endpoints: etcd.endpoints,
      operations: 150,
      valueBytesMax: 200_000,
      without: ['compact', 'putLarge'],
    });
    for (let index = 0; index < 40; index++) await etcd.etcdctl('put', `big${index}`, 'x'.repeat(100_000));
    const head = await headOf(etcd);
    expect(await world.capturedRevision()).toBeLessThan(head);
    // An uploader would have stored and trimmed; here the stream just grows.
    await ensureEventStream(world.bus, CLUSTER, { bytesMax: 256 * 1024 * 1024 });
    await expectSameRows(world, etcd.endpoint, { after: 1, timeline: 1, dir: dir.path });
    expect(watcher.service.health().ready).toBe(true);
  });

  it('lets two watchers share one cluster without a gap or a repetition', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd();
    await using world = await World.open(etcd);
    const first = await world.startWatcher();
    await first.watching();
    await using second = await world.startWatcher();
    const loading = hardLoad({
      endpoints: etcd.endpoints,
      operations: 300,
      valueBytesMax: 20_000,
      without: ['compact'],
    });
    await first.stop();
    await second.watching();
    await loading;
    await expectSameRows(world, etcd.endpoint, { after: 1, timeline: 1, dir: dir.path });
    expect((await world.starts()).map(({ cause }) => cause)).toEqual(['first']);
  });

  it('begins for the first time when neither the bus nor a repository knows anything', async (ctx) => {
    need(ctx);
    await using etcd = await startEtcd();
    await using world = await World.open(etcd);
    {
      await using watcher = await world.startWatcher();
      await watcher.watching();
    }
    const jsm = await world.bus.jsm();
    await jsm.streams.purge(eventsStream(CLUSTER));
    await using watcher = await world.startWatcher();
    await watcher.watching();
    expect(await world.starts()).toMatchObject([{ cause: 'first', timeline: 1 }]);
  });
});
