import {
  clusterKey,
  clusterSpecs,
  clusterSpecSchema,
  connectBus,
  ensureEventStream,
  ensureTopology,
  type Bus,
  type ClusterSpec,
} from '@etcd-ops/bus';
import { startEtcd, tempDir, type LocalEtcd } from '@etcd-ops/local-servers';
import { writeFile } from 'node:fs/promises';
import { ScaleNats } from './nats.ts';
import { S3_ACCOUNT, SCALE_BUCKET, startS3, type S3Process } from './s3.ts';
import { ServiceGroup } from './service-group.ts';
import { startStandIn, type StandInProcess } from './stand-in.ts';

export interface ScaleOptions {
  clusters: number;
  /** Real etcds of one member beside the stand-in's. */
  real: number;
  replicas: number;
  /** So many processes with all services in each; 0: one for each service. */
  together: number;
  nodeFlags: readonly string[];
  signal: AbortSignal;
}

/** Streams reserve this much: a thousand times the default would be a terabyte. */
const EVENT_BYTES_MAX = 16 * 2 ** 20;
const WRITES_AT_ONCE = 16;

/** Everything that a fleet needs on one machine, and what measures it. */
export class ScaleStage implements AsyncDisposable {
  readonly nats: ScaleNats;
  readonly bus: Bus;
  readonly s3: S3Process;
  readonly standIn: StandInProcess;
  readonly etcds: readonly LocalEtcd[];
  readonly services: ServiceGroup;
  readonly signal: AbortSignal;
  readonly #options: ScaleOptions;
  readonly #credentials: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: Pick<ScaleStage, 'nats' | 'bus' | 's3' | 'standIn' | 'etcds' | 'services'> & { credentials: string },
    options: ScaleOptions,
    stack: AsyncDisposableStack,
  ) {
    this.nats = parts.nats;
    this.bus = parts.bus;
    this.s3 = parts.s3;
    this.standIn = parts.standIn;
    this.etcds = parts.etcds;
    this.services = parts.services;
    this.signal = options.signal;
    this.#credentials = parts.credentials;
    this.#options = options;
    this.#stack = stack;
  }

  static async open(options: ScaleOptions): Promise<ScaleStage> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(tempDir('etcd-ops-scale-'));
    const s3 = stack.use(await startS3());
    const standIn = stack.use(await startStandIn(options.clusters));
    const etcds: LocalEtcd[] = [];
    for (let index = 0; index < options.real; index++) etcds.push(stack.use(await startEtcd()));
    const nats = stack.use(await ScaleNats.start(options.replicas));
    const bus = stack.use(await connectBus({ url: nats.urls, name: 'scale', requestTimeoutMs: 10_000 }));
    await ensureTopology(bus, { replicas: options.replicas });
    const { accessKeyId: accessKeyID, secretAccessKey } = S3_ACCOUNT;
    const credentials = dir.file('s3.json');
    await writeFile(credentials, JSON.stringify({ accessKeyID, secretAccessKey }), { mode: 0o600 });
    const fleetFile = dir.file('clusters.yaml');
    const { endpoint } = await s3.ask({});
    const {
      endpoints: [first = ''],
    } = await standIn.ask({ endpoints: true });
    await writeFile(
      fleetFile,
      JSON.stringify({ clusters: [fleetEntry(standInName(0), [first], storeOf(endpoint, credentials))] }),
    );
    const services = stack.use(
      await ServiceGroup.start({
        natsUrls: nats.urls,
        dir: dir.path,
        nodeFlags: options.nodeFlags,
        together: options.together,
        fleetFile,
        signal: options.signal,
      }),
    );
    return new ScaleStage({ nats, bus, s3, standIn, etcds, services, credentials }, options, stack.move());
  }

  get clusters(): number {
    return this.#options.clusters + this.#options.real;
  }

  /** Registers all clusters at once, as `etcd-ops apply` does with a file: a stream and a spec for each. */
  async register(): Promise<void> {
    const { endpoint } = await this.s3.ask({});
    const { endpoints } = await this.standIn.ask({ endpoints: true });
    const all = [
      ...endpoints.map((one, index) => this.#spec(standInName(index), [one], endpoint)),
      ...this.etcds.map((etcd, index) => this.#spec(realName(index), etcd.endpoints, endpoint)),
    ];
    const specs = clusterSpecs(this.bus);
    const rest = all.values();
    const writer = async (): Promise<void> => {
      for (const spec of rest) {
        this.signal.throwIfAborted();
        // That one is in the file of those that have one.
        if (this.#options.together > 0 && spec.name === standInName(0)) continue;
        const { replicas } = this.#options;
        await ensureEventStream(this.bus, spec.name, { bytesMax: spec.eventBytesMax, replicas });
        await specs.put(clusterKey(spec.name), spec);
      }
    };
    await Promise.all(Array.from({ length: WRITES_AT_ONCE }, writer));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  #spec(name: string, endpoints: string[], s3Endpoint: string): ClusterSpec {
    const store = storeOf(s3Endpoint, this.#credentials);
    // Registered one by one: a file that does not name them leaves them alone.
    const spec = { version: 1, managedBy: 'operator', eventBytesMax: EVENT_BYTES_MAX };
    return clusterSpecSchema.parse({ ...spec, ...fleetEntry(name, endpoints, store) });
  }
}

function storeOf(endpoint: string, credentials: string): object {
  const place = { provider: 'S3', bucket: SCALE_BUCKET, endpoint, region: 'us-east-1' };
  return { ...place, credentials: { file: credentials } };
}

/** The defaults of a fleet: a full a day, deltas where the head has moved; all else as it comes. */
function fleetEntry(name: string, endpoints: string[], store: object): object {
  return { name, endpoints, store, snapshots: { schedule: '0 4 * * *' } };
}

export function realName(index: number): string {
  return `real-${index}`;
}

export function standInName(index: number): string {
  return `scale-${String(index).padStart(5, '0')}`;
}
