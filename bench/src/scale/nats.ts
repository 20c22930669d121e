import {
  findBinary,
  freePorts,
  missingBinary,
  spawnGuarded,
  tempDir,
  type GuardedProcess,
} from '@etcd-ops/local-servers';
import { writeFile } from 'node:fs/promises';
import { cpuSecondsOf, memoryOf, openFilesOf, sum, until } from './process-facts.ts';

const START_MS_MAX = 60_000;
/** Streams reserve their limits, a thousand clusters thus much more than a test writes. */
const RESERVED_BYTES_MAX = 2 ** 42;

/** What the monitoring of all servers says, since they began. */
export interface NatsReport {
  messagesIn: number;
  messagesOut: number;
  bytesIn: number;
  bytesOut: number;
  apiCalls: number;
  streams: number;
  consumers: number;
  storedBytes: number;
  cpuSeconds: number;
  rssMb: number;
  openFiles: number;
}

interface Varz {
  in_msgs: number;
  out_msgs: number;
  in_bytes: number;
  out_bytes: number;
}

interface Jsz {
  streams: number;
  consumers: number;
  bytes: number;
  api: { total: number };
}

/** One nats-server with its store in files, as production has it, or three that form a cluster; with their monitoring. */
export class ScaleNats implements AsyncDisposable {
  readonly urls: readonly string[];
  readonly version: string;
  readonly #servers: readonly GuardedProcess[];
  readonly #monitors: readonly string[];
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: { urls: string[]; version: string; servers: GuardedProcess[]; monitors: string[] },
    stack: AsyncDisposableStack,
  ) {
    this.urls = parts.urls;
    this.version = parts.version;
    this.#servers = parts.servers;
    this.#monitors = parts.monitors;
    this.#stack = stack;
  }

  static async start(count: number): Promise<ScaleNats> {
    const binary = findBinary('nats-server');
    if (binary === undefined) throw new Error(`There is ${missingBinary('nats-server')}`);
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(tempDir('etcd-ops-scale-nats-'));
    const ports = await freePorts(count * 3);
    const [clients, monitors, routes] = [0, 1, 2].map((part) => ports.slice(part * count, (part + 1) * count));
    const peers = routes!.map((port) => `nats-route://127.0.0.1:${port}`);
    const servers: GuardedProcess[] = [];
    for (let index = 0; index < count; index++) {
      const lines = [
        `server_name: n${index + 1}`,
        `listen: "127.0.0.1:${clients![index]}"`,
        `http: "127.0.0.1:${monitors![index]}"`,
        `jetstream { store_dir: ${JSON.stringify(dir.file(`n${index + 1}`))}, max_file_store: ${RESERVED_BYTES_MAX} }`,
        ...(count === 1
          ? []
          : [`cluster { name: scale, listen: "127.0.0.1:${routes![index]}", routes: ${JSON.stringify(peers)} }`]),
      ];
      const path = dir.file(`n${index + 1}.conf`);
      await writeFile(path, `${lines.join('\n')}\n`);
      const server = await spawnGuarded(binary, ['-c', path]);
      stack.defer(async () => await server.stop());
      servers.push(server);
    }
    const nats = new ScaleNats(
      {
        urls: clients!.map((port) => `nats://127.0.0.1:${port}`),
        monitors: monitors!.map((port) => `http://127.0.0.1:${port}`),
        version: /\d+\.\d+\.\d+/.exec(binary)?.[0] ?? '',
        servers,
      },
      stack.move(),
    );
    await until(async () => await nats.#isHealthy(), {
      timeoutMs: START_MS_MAX,
      message: () => `nats-server is not ready: ${servers.map((server) => server.log()).join('\n')}`,
    });
    return nats;
  }

  async report(): Promise<NatsReport> {
    const varz = await Promise.all(this.#monitors.map(async (url) => await read<Varz>(`${url}/varz`)));
    const jsz = await Promise.all(this.#monitors.map(async (url) => await read<Jsz>(`${url}/jsz`)));
    const pids = this.#servers.map(({ pid }) => pid);
    return {
      messagesIn: sum(varz.map(({ in_msgs: count }) => count)),
      messagesOut: sum(varz.map(({ out_msgs: count }) => count)),
      bytesIn: sum(varz.map(({ in_bytes: bytes }) => bytes)),
      bytesOut: sum(varz.map(({ out_bytes: bytes }) => bytes)),
      apiCalls: sum(jsz.map(({ api }) => api.total)),
      streams: Math.max(...jsz.map(({ streams }) => streams)),
      consumers: Math.max(...jsz.map(({ consumers }) => consumers)),
      storedBytes: sum(jsz.map(({ bytes }) => bytes)),
      cpuSeconds: sum(pids.map(cpuSecondsOf)),
      rssMb: sum(pids.map((pid) => memoryOf(pid).rssMb)),
      openFiles: sum(pids.map(openFilesOf)),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #isHealthy(): Promise<boolean> {
    const answers = await Promise.all(
      this.#monitors.map((url) =>
        fetch(`${url}/healthz`).then(
          ({ ok }) => ok,
          () => false,
        ),
      ),
    );
    return answers.every(Boolean);
  }
}

async function read<T>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T;
}
