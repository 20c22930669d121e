import { freePorts, serviceEnvironment, spawnGuarded, type GuardedProcess } from '@etcd-ops/local-servers';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundledProgram } from '../bundle.ts';
import { cpuSecondsOf, forgetPeak, memoryOf, until, type MemoryFacts } from './process-facts.ts';

/** As docker-compose.yml has them, with its --scale watcher=3 --scale uploader=2. */
export const SERVICE_COUNTS = {
  scheduler: 1,
  watcher: 3,
  uploader: 2,
  'garbage-collector': 1,
  restorer: 1,
  maintainer: 1,
} as const;
/** `up`: all six in one process. */
export type ServiceName = keyof typeof SERVICE_COUNTS | 'up';

const READY_MS_MAX = 60_000;
/** Above the numbers of those that were started at first: each has a folder of its own. */
const STARTED_AGAIN = 100;

export interface ServiceReading extends MemoryFacts {
  name: ServiceName;
  pid: number;
  cpuSeconds: number;
}

interface StartOptions {
  natsUrls: readonly string[];
  dir: string;
  nodeFlags: readonly string[];
  /** So many processes with all services in each, instead of one for each service. */
  together: number;
  /** For those: names one of the clusters. */
  fleetFile: string;
  signal: AbortSignal;
}

interface Running {
  name: ServiceName;
  process: GuardedProcess;
  url: string;
  log: string;
}

/** A line of pino's. */
interface LogLine {
  level: string;
  msg: string;
}
const QUIET = ['info', 'debug', 'trace'];

/** All services of a fleet, each as a process of its own. */
export class ServiceGroup implements AsyncDisposable {
  readonly #running: Running[] = [];
  readonly #main: string;
  readonly #options: StartOptions;

  private constructor(main: string, options: StartOptions) {
    this.#main = main;
    this.#options = options;
  }

  static async start(options: StartOptions): Promise<ServiceGroup> {
    const group = new ServiceGroup(await bundledProgram(), options);
    try {
      const counts = options.together > 0 ? { up: options.together } : SERVICE_COUNTS;
      const starts = Object.entries(counts).flatMap(([name, count]) =>
        Array.from({ length: count }, async (_, index) => await group.#spawn(name as ServiceName, index)),
      );
      await Promise.all(starts);
      await group.#allReady();
      return group;
    } catch (error) {
      await group[Symbol.asyncDispose]();
      throw error;
    }
  }

  readings(): ServiceReading[] {
    return this.#running
      .filter(({ process }) => process.running)
      .map(({ name, process: { pid } }) => ({
        name,
        pid,
        cpuSeconds: cpuSecondsOf(pid),
        ...memoryOf(pid),
      }));
  }

  forgetPeaks(): void {
    for (const { process } of this.#running) if (process.running) forgetPeak(process.pid);
  }

  /** The clusters that each watcher owns, by its own word, most first. */
  async owned(): Promise<{ pid: number; clusters: string[] }[]> {
    const watchers = this.#running.filter(({ name, process }) => ['watcher', 'up'].includes(name) && process.running);
    const owners = watchers.map(async ({ process: { pid }, url }) => ({ pid, clusters: await ownedAt(url) }));
    return (await Promise.all(owners)).toSorted((left, right) => right.clusters.length - left.clusters.length);
  }

  async kill(pid: number): Promise<void> {
    await this.#running.find(({ process }) => process.pid === pid)?.process.kill();
  }

  /** In place of the one that was killed; its clusters come to it by and by. */
  async startAgain(pid: number): Promise<void> {
    const gone = this.#running.findIndex(({ process }) => process.pid === pid);
    const [{ name }] = this.#running.splice(gone, 1) as [Running];
    await this.#spawn(name, this.#running.length + STARTED_AGAIN);
    await this.#allReady();
  }

  async #allReady(): Promise<void> {
    await until(
      async () => (await Promise.all(this.#running.map(async ({ url }) => await isReady(url)))).every(Boolean),
      { timeoutMs: READY_MS_MAX, message: () => 'The services are not ready', signal: this.#options.signal },
    );
  }

  /** Ends them as an operator does; answers which did not end well. */
  async stop(): Promise<string[]> {
    const alive = this.#running.filter(({ process }) => process.running);
    const ends = alive.map(async ({ name, process }) => {
      await process.stop(40_000);
      const { code, signal } = await process.exited;
      return code === 0 ? [] : [`${name} ended with ${code ?? signal}`];
    });
    return (await Promise.all(ends)).flat();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map(async ({ process }) => await process.kill()));
  }

  /** How often each warning and error was said, by service and text. */
  async complaints(): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (const { name, log } of this.#running) {
      for (const line of (await readFile(log, 'utf8')).split('\n')) {
        const parsed = parse(line);
        if (parsed === undefined || QUIET.includes(parsed.level)) continue;
        const said = `${name}: ${parsed.msg}`;
        counts.set(said, (counts.get(said) ?? 0) + 1);
      }
    }
    return counts;
  }

  async #spawn(name: ServiceName, index: number): Promise<void> {
    const { natsUrls, dir, nodeFlags, fleetFile } = this.#options;
    const [port] = await freePorts(1);
    const own = join(dir, `${name}-${index}`);
    await mkdir(own, { recursive: true });
    const log = join(own, 'log');
    const up = ['up', '--config', fleetFile, '--nats', natsUrls.join(','), '--http', `127.0.0.1:${port}`];
    const args = name === 'up' ? [...up, '--state-dir', join(own, 'state')] : ['service', name];
    const command = [process.execPath, ...nodeFlags, this.#main, ...args];
    const child = await spawnGuarded('/bin/sh', ['-c', 'exec "$@" > "$0" 2>&1', log, ...command], {
      env: {
        ...process.env,
        ...serviceEnvironment(),
        ...(name === 'up' ? {} : serviceSettings(natsUrls, own, port!)),
      },
    });
    this.#running.push({ name, process: child, url: `http://127.0.0.1:${port}`, log });
  }
}

function serviceSettings(natsUrls: readonly string[], dir: string, port: number): Record<string, string> {
  return {
    ETCD_OPS_NATS_URL: natsUrls.join(','),
    ETCD_OPS_STATE_DIR: join(dir, 'state'),
    ETCD_OPS_SPOOL_DIR: join(dir, 'spool'),
    ETCD_OPS_HTTP_HOST: '127.0.0.1',
    ETCD_OPS_HTTP_PORT: String(port),
  };
}

function parse(line: string): LogLine | undefined {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return undefined;
  }
}

async function isReady(url: string): Promise<boolean> {
  return await fetch(`${url}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function ownedAt(url: string): Promise<string[]> {
  const text = await fetch(`${url}/metrics`).then(async (answer) => await answer.text());
  return [...text.matchAll(/^etcdops_watcher_owned\{cluster="(?<cluster>[^"]+)"\} 1$/gm)].map(
    ({ groups }) => groups?.['cluster'] ?? '',
  );
}
