import {
  clusterKey,
  clusterSpecs,
  clusterSpecSchema,
  connectBus,
  dispatchTask,
  ensureEventStream,
  ensureTopology,
  lastEvent,
  startPrivateServer,
  streamFacts,
  type Bus,
  type PrivateServer,
} from '@etcd-ops/bus';
import { openEtcd3 } from '@etcd-ops/etcd-client';
import {
  findBinary,
  freePorts,
  missingBinary,
  SERVICE_NODE_FLAGS,
  serviceEnvironment,
  spawnGuarded,
  startEtcd,
  tempDir,
  type GuardedProcess,
  type LocalEtcd,
} from '@etcd-ops/local-servers';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundledProgram } from './bundle.ts';

export const CLUSTER = 'bench';
const TICKS_PER_SECOND = 100;
const POLL_MS = 20;

/** Other flags for an experiment: CAPTURE_NODE_FLAGS. */
export const SERVICE_FLAGS: readonly string[] = process.env['CAPTURE_NODE_FLAGS']?.split(' ') ?? SERVICE_NODE_FLAGS;

/** An etcd, a NATS and services as their own processes, as they run in production. */
export class CaptureStage implements AsyncDisposable {
  readonly etcd: LocalEtcd;
  readonly nats: PrivateServer;
  readonly bus: Bus;
  readonly storeDir: string;
  readonly #dir: string;
  readonly #tokenFile: string;
  readonly #stack: AsyncDisposableStack;
  #cuts = 0;

  private constructor(
    parts: { etcd: LocalEtcd; nats: PrivateServer; bus: Bus; dir: string; tokenFile: string; storeDir: string },
    stack: AsyncDisposableStack,
  ) {
    this.etcd = parts.etcd;
    this.nats = parts.nats;
    this.bus = parts.bus;
    this.storeDir = parts.storeDir;
    this.#dir = parts.dir;
    this.#tokenFile = parts.tokenFile;
    this.#stack = stack;
  }

  static async open(
    options: { version?: string; flags?: string[]; eventBytesMax?: number } = {},
  ): Promise<CaptureStage> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(tempDir());
    const { version, flags = [], eventBytesMax = 2 ** 30 } = options;
    const etcd = stack.use(
      await startEtcd({
        ...(version === undefined ? {} : { version }),
        extraFlags: ['--quota-backend-bytes=8589934592', '--snapshot-count=10000', ...flags],
      }),
    );
    const server = findBinary('nats-server');
    if (server === undefined) throw new Error(`There is ${missingBinary('nats-server')}`);
    const nats = stack.use(await startPrivateServer({ stateDir: dir.file('nats'), binary: server }));
    const tokenFile = dir.file('token');
    await writeFile(tokenFile, nats.token, { mode: 0o600 });
    const bus = stack.use(await connectBus({ url: nats.url, token: nats.token, name: 'bench' }));
    await ensureTopology(bus);
    await ensureEventStream(bus, CLUSTER, { bytesMax: eventBytesMax });
    const storeDir = dir.file('store');
    const spec = {
      version: 1,
      name: CLUSTER,
      endpoints: etcd.endpoints,
      store: { provider: 'Local', bucket: storeDir },
    };
    await clusterSpecs(bus).create(clusterKey(CLUSTER), clusterSpecSchema.parse({ ...spec, eventBytesMax }));
    return new CaptureStage({ etcd, nats, bus, dir: dir.path, tokenFile, storeDir }, stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async spawn(name: 'watcher' | 'uploader', env: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
    const [port] = await freePorts(1);
    const command = [...SERVICE_FLAGS, await bundledProgram(), 'service', name];
    const child = await spawnGuarded(process.execPath, command, {
      env: {
        ...process.env,
        ...serviceEnvironment(),
        ETCD_OPS_NATS_URL: this.nats.url,
        ETCD_OPS_NATS_TOKEN_FILE: this.#tokenFile,
        ETCD_OPS_STATE_DIR: join(this.#dir, `${name}-state`),
        ETCD_OPS_SPOOL_DIR: join(this.#dir, `${name}-spool`),
        ETCD_OPS_HTTP_HOST: '127.0.0.1',
        ETCD_OPS_HTTP_PORT: String(port),
        ...env,
      },
    });
    const service = new ServiceProcess(child, `http://127.0.0.1:${port}`);
    await until(
      () => service.isReady(),
      30_000,
      () => `${name} is not ready: ${child.log().slice(-2_000)}`,
    );
    return service;
  }

  async capturedRevision(): Promise<number> {
    return (await lastEvent(this.bus, CLUSTER))?.last ?? 0;
  }

  async captured(revision: number, timeoutMs = 120_000): Promise<void> {
    await until(
      async () => (await this.capturedRevision()) >= revision,
      timeoutMs,
      () => `${revision} was not captured`,
    );
  }

  /** Stores what waits in the stream. */
  async cut(): Promise<void> {
    const { lastSequence } = await streamFacts(this.bus, CLUSTER);
    if (lastSequence === 0) return;
    await dispatchTask(
      this.bus,
      {
        version: 1,
        id: `cut-${this.#cuts++}-${lastSequence}`,
        kind: 'delta',
        cluster: CLUSTER,
        pool: 'any',
        cutSequence: lastSequence,
        cause: 'flush',
        createdAt: new Date().toISOString(),
      },
      { messageId: `cut/${this.#cuts}` },
    );
  }
}

/** A service in a process of its own, and what the kernel says of it. */
export class ServiceProcess implements AsyncDisposable {
  readonly child: GuardedProcess;
  readonly url: string;

  constructor(child: GuardedProcess, url: string) {
    this.child = child;
    this.url = url;
  }

  async isReady(): Promise<boolean> {
    return fetch(`${this.url}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
  }

  /** The sum of a metric's series. */
  async metric(name: string): Promise<number> {
    const text = await fetch(`${this.url}/metrics`).then((answer) => answer.text());
    const values = text
      .split('\n')
      .filter((line) => line.startsWith(`etcdops_${name}{`) || line.startsWith(`${name} `));
    return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  get rssMb(): number {
    return statusMb(this.child.pid, 'VmRSS');
  }

  /** The most that it ever had. */
  get peakMb(): number {
    return statusMb(this.child.pid, 'VmHWM');
  }

  get cpuSeconds(): number {
    return cpuSecondsOf(this.child.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stop();
  }
}

function statusMb(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1024);
}

/** User and system time of a process. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export async function until(
  check: () => boolean | Promise<boolean>,
  timeoutMs: number,
  message: () => string,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(message());
    await sleep(POLL_MS);
  }
}

export interface LoadResult {
  seconds: number;
  /** Of each write, from sending to its answer, ascending. */
  latenciesMs: number[];
  errors: number;
}

/** Writes `count` revisions with `writers` in flight; at `perSecond` if given. */
export async function load(
  endpoints: string[],
  options: {
    count: number;
    valueBytes?: number;
    writers?: number;
    perSecond?: number;
    opsPerTxn?: number;
    signal?: AbortSignal;
  },
): Promise<LoadResult> {
  const { count, valueBytes = 200, writers = 64, perSecond, opsPerTxn = 1, signal } = options;
  const client = await openEtcd3({ endpoints });
  const value = Buffer.alloc(valueBytes, 'v');
  const result: LoadResult = { seconds: 0, latenciesMs: [], errors: 0 };
  const begun = performance.now();
  let next = 0;
  const isStopped = (): boolean => signal?.aborted === true;
  const writer = async (): Promise<void> => {
    while (next < count && !isStopped()) {
      const index = next++;
      if (perSecond !== undefined) {
        const aheadMs = (index * 1_000) / perSecond - (performance.now() - begun);
        if (aheadMs > 1) await sleep(aheadMs);
      }
      const sent = performance.now();
      try {
        if (opsPerTxn === 1) await client.kv.put({ key: Buffer.from(`bench/${index % 1_000}`), value });
        else {
          const success = Array.from({ length: opsPerTxn }, (_, op) => ({
            request_put: { key: Buffer.from(`bench/${index % 100}/${op}`), value },
          }));
          await client.kv.txn({ success });
        }
        result.latenciesMs.push(performance.now() - sent);
      } catch {
        result.errors++;
      }
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
  client.close();
  result.seconds = (performance.now() - begun) / 1_000;
  result.latenciesMs.sort((left, right) => left - right);
  return result;
}

export function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? 0;
}
