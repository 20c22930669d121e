import {
  clusterKey,
  clusterSpecs,
  clusterSpecSchema,
  connectBus,
  ensureEventStream,
  ensureTopology,
  positionKey,
  positions,
  streamFacts,
  TASKS_STREAM,
  type Bus,
  type ClusterSpecInput,
} from '@etcd-ops/bus';
import { LocalStore } from '@etcd-ops/core';
import { EtcdCluster } from '@etcd-ops/etcd-client';
import {
  eventually,
  faultProxy,
  HARD_LOAD_FLAGS,
  startEtcd,
  startNats,
  startNatsCluster,
  tempDir,
  type FaultProxy,
  type TempDir,
  type TestEtcd,
  type TestNats,
} from '@etcd-ops/test-kit';
import { randomUUID } from 'node:crypto';
import { SERVICE_NAMES, ServiceProcess, type ServiceName } from './service-process.ts';

export interface WorldOptions {
  etcdVersion?: string;
  etcdMembers?: 1 | 3;
  natsVersion?: string;
  natsServers?: 1 | 3;
  /** Names of clusters under care: all of them are the one etcd. Default `prod`. */
  clusters?: readonly string[];
  /** How many processes of each service; default two watchers, two uploaders, one of each other. */
  replicas?: Partial<Record<ServiceName, number>>;
  spec?: Partial<ClusterSpecInput>;
  /** Settings of the services beyond those of every world. */
  settings?: Partial<Record<ServiceName, Record<string, string>>>;
}

const REPLICAS: Record<ServiceName, number> = {
  scheduler: 1,
  watcher: 2,
  uploader: 2,
  'garbage-collector': 1,
  restorer: 1,
  maintainer: 1,
};

/** Small, so that frames of a load need several parts. */
const NATS_CONFIG = 'max_payload: 65536';
const MIB = 1024 * 1024;
/** Of each service, in the message of a failure. */
const LOG_BYTES = 4_000;

/** Short where a person would wait, so that a round takes seconds; all else as it is shipped. */
const SETTINGS: Partial<Record<ServiceName, Record<string, string>>> = {
  uploader: { ETCD_OPS_TASK_BACKOFF_MS: '100', ETCD_OPS_TASK_ACK_WAIT_MS: '3000' },
  watcher: { ETCD_OPS_RECONNECT_DELAY_MS_MAX: '1000', ETCD_OPS_FULL_REQUEST_DELAY_MS: '500' },
  scheduler: { ETCD_OPS_SCHEDULER_JITTER_MS_MAX: '0', ETCD_OPS_SCHEDULER_GC_RESTS_EVERY_MS: '60000' },
  'garbage-collector': { ETCD_OPS_GARBAGE_COLLECTOR_ORPHAN_GRACE_MS: '60000' },
};
const DRAIN_TIMEOUT_MS = '10000';

/** etcd, NATS and all services as real processes, with a proxy on each way between them. */
export class ChaosWorld implements AsyncDisposable {
  readonly id = randomUUID();
  readonly scratch: TempDir;
  readonly clusters: readonly string[];
  /** The directory that holds the repositories. */
  readonly bucket: string;
  readonly store: LocalStore;
  services: readonly ServiceProcess[] = [];
  /** How often a lone nats-server has lost what it had acknowledged. */
  tailsLost = 0;
  etcdProxies: readonly FaultProxy[] = [];
  #etcd!: TestEtcd;
  #natsServers!: readonly TestNats[];
  #bus!: Bus;
  #direct!: EtcdCluster;
  readonly #stack: AsyncDisposableStack;

  private constructor(scratch: TempDir, stack: AsyncDisposableStack, clusters: readonly string[]) {
    this.scratch = scratch;
    this.clusters = clusters;
    this.bucket = scratch.file('store');
    this.store = new LocalStore(this.bucket);
    this.#stack = stack;
  }

  /** Everything runs when it resolves; nothing need have been captured. */
  static async open(options: WorldOptions = {}): Promise<ChaosWorld> {
    await using stack = new AsyncDisposableStack();
    const scratch = stack.use(tempDir('etcd-ops-chaos-'));
    const world = new ChaosWorld(scratch, stack, options.clusters ?? ['prod']);
    await world.#openServers(options, stack);
    await world.#register(options);
    await world.#openServices(options, stack);
    const moved = stack.move();
    return Object.assign(world, { [Symbol.asyncDispose]: () => moved.disposeAsync() });
  }

  get cluster(): string {
    return this.clusters[0]!;
  }

  get etcd(): TestEtcd {
    return this.#etcd;
  }

  get natsServers(): readonly TestNats[] {
    return this.#natsServers;
  }

  /** Of the test itself, round all proxies. */
  get bus(): Bus {
    return this.#bus;
  }

  /** Of the test itself, round all proxies. */
  get direct(): EtcdCluster {
    return this.#direct;
  }

  servicesOf(name: ServiceName): ServiceProcess[] {
    return this.services.filter((service) => service.name === name);
  }

  /** Ends every fault: all runs, nothing is delayed or cut. */
  async heal(): Promise<void> {
    for (const proxy of [...this.etcdProxies, ...this.services.map(({ nats }) => nats)]) {
      Object.assign(proxy.faults, { delayMs: 0, bytesPerSecondMax: 0, blackHole: false, refuse: false });
    }
    for (const server of this.#natsServers) server.resume();
    for (const member of this.#etcd.members) {
      member.signal('SIGCONT');
      if (!member.running) await member.spawn();
    }
    await Promise.all([
      ...this.#etcd.members.map((member) => member.ready()),
      ...this.services.map(async (service) => {
        service.resume();
        await service.start();
      }),
    ]);
    await eventually(() => this.#bus.connected, { timeoutMs: 20_000 });
  }

  /** What NATS knows of tasks, events and positions: for a failure's message. */
  async facts(): Promise<string> {
    const jsm = await this.#bus.jsm();
    const [tasks, consumers, events, position] = await Promise.all([
      jsm.streams.info(TASKS_STREAM, { subjects_filter: '>' }).then(({ state }) => state),
      jsm.consumers.list(TASKS_STREAM).next(),
      streamFacts(this.#bus, this.cluster),
      positions(this.#bus).get(positionKey(this.cluster)),
    ]);
    const delivered = consumers.map(({ name, delivered: last, ack_floor, num_ack_pending, num_pending }) => {
      return { name, last: last.stream_seq, floor: ack_floor.stream_seq, num_ack_pending, num_pending };
    });
    return JSON.stringify({ tasks, consumers: delivered, events, position: position?.value });
  }

  /** The end of what every process wrote: for a failure's message. */
  logs(): string {
    return this.services.map((service) => `--- ${service.label}\n${service.log().slice(-LOG_BYTES)}`).join('\n');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  async #openServers(options: WorldOptions, stack: AsyncDisposableStack): Promise<void> {
    const { etcdVersion, natsVersion, etcdMembers = 1, natsServers = 1 } = options;
    const version = natsVersion === undefined ? {} : { version: natsVersion };
    if (natsServers === 1) {
      this.#natsServers = [stack.use(await startNats({ ...version, config: NATS_CONFIG }))];
    } else {
      this.#natsServers = stack.use(await startNatsCluster(version)).servers;
    }
    this.#etcd = stack.use(
      await startEtcd({
        ...(etcdVersion === undefined ? {} : { version: etcdVersion }),
        members: etcdMembers,
        extraFlags: HARD_LOAD_FLAGS,
      }),
    );
    const endpoints = this.#etcd.endpoints;
    this.etcdProxies = await Promise.all(endpoints.map(async (endpoint) => stack.use(await faultProxy(endpoint))));
    this.#bus = stack.use(await connectBus({ url: this.#natsServers.map(({ url }) => url), name: 'chaos' }));
    this.#direct = stack.use(await EtcdCluster.connect({ endpoints, requestTimeoutMs: 10_000 }));
  }

  async #register({ spec = {} }: WorldOptions): Promise<void> {
    const replicas = this.#natsServers.length;
    await eventually(() => ensureTopology(this.#bus, { replicas }), { timeoutMs: 60_000 });
    for (const name of this.clusters) {
      const parsed = clusterSpecSchema.parse({
        version: 1,
        name,
        endpoints: this.etcdProxies.map(({ url }) => url),
        store: { provider: 'Local', bucket: this.bucket },
        snapshots: { schedule: '*/15 * * * * *', deltaPeriodMs: 300 },
        retention: { policy: 'LimitBased', maxBackups: 6, gcPeriodMs: 2_000, graceMs: 0 },
        defrag: { enabled: true, schedule: '7/20 * * * * *', minReclaimBytes: MIB },
        timeouts: { connectMs: 3_000, requestMs: 3_000, snapshotMs: 30_000, defragMs: 30_000 },
        eventBytesMax: 64 * MIB,
        ...spec,
      });
      const bytesMax = parsed.eventBytesMax;
      await eventually(() => ensureEventStream(this.#bus, name, { bytesMax, replicas }), { timeoutMs: 60_000 });
      await clusterSpecs(this.#bus).put(clusterKey(name), parsed);
    }
  }

  async #openServices(options: WorldOptions, stack: AsyncDisposableStack): Promise<void> {
    const replicas = { ...REPLICAS, ...options.replicas };
    const services: ServiceProcess[] = [];
    for (const name of SERVICE_NAMES) {
      for (let index = 1; index <= replicas[name]; index++) {
        const natsUrl = this.#natsServers[services.length % this.#natsServers.length]!.url;
        const settings = {
          ETCD_OPS_DRAIN_TIMEOUT_MS: DRAIN_TIMEOUT_MS,
          ...(name === 'restorer' ? { ETCD_OPS_RESTORE_ROOTS: this.scratch.file('restored') } : {}),
          ...SETTINGS[name],
          ...options.settings?.[name],
        };
        const plan = { name, index, worldId: this.id, directory: this.scratch.file('run'), natsUrl, settings };
        services.push(stack.use(await ServiceProcess.plan(plan)));
      }
    }
    this.services = services;
    await Promise.all(services.map((service) => service.start()));
  }
}
