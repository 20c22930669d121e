import { readFile, writeFile } from 'node:fs/promises';
import { connect, credsAuthenticator, nkeyAuthenticator, type ConnectionOptions } from 'nats';
import {
  eventually,
  findBinary,
  freePorts,
  missingBinary,
  spawnGuarded,
  tempDir,
  type GuardedProcess,
  type TempDir,
} from '@etcd-ops/local-servers';

export interface StartNatsOptions {
  /** `2.9`, `2.10.27`; default the newest found. */
  version?: string;
  /** Further lines of the configuration, such as `max_payload: 65536`. */
  config?: string;
  /** How to ask whether it is ready, where not everybody may. */
  access?: Pick<ConnectionOptions, 'user' | 'pass' | 'tls'> & { nkeySeed?: string; creds?: string };
}

/** A real nats-server with JetStream; its port and its store stay over restarts. */
export interface TestNats extends AsyncDisposable {
  readonly url: string;
  readonly storeDir: string;
  readonly pid: number;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** Starts it again on the same port and store; resolves when it answers. */
  start(): Promise<void>;
  /** SIGSTOP: the server is there and silent. Resolves when it has really stopped. */
  pause(): Promise<void>;
  resume(): void;
  log(): string;
}

const START_TRIES_MAX = 5;
const START_MS_MAX = 60_000;

/** The oldest that must work (Debian 12) and the newest at hand. */
export const NATS_VERSIONS = ['2.9', '2.10'] as const;

/** Starts a server, or skips the test with the reason where that version is not installed. */
export async function natsOrSkip(context: { skip: (reason: string) => never }, version: string): Promise<TestNats> {
  if (findBinary('nats-server', version) === undefined) context.skip(missingBinary('nats-server', version));
  return startNats({ version });
}

/** @throws Error when there is no such nats-server: ask `findBinary('nats-server', version)` first and skip. */
export async function startNats(options: StartNatsOptions = {}): Promise<TestNats> {
  const binary = findBinary('nats-server', options.version);
  if (binary === undefined) throw new Error(missingBinary('nats-server', options.version));
  const dir = tempDir('etcd-ops-nats-');
  for (let attempt = 1; ; attempt++) {
    const [port] = await freePorts(1);
    const { config = '', access = {} } = options;
    const server = new NatsProcess({ binary, dir, port: port!, config, access });
    try {
      await server.start();
      return server;
    } catch (error) {
      // Somebody may have taken the port in between.
      await server.kill();
      if (attempt < START_TRIES_MAX) continue;
      await dir.remove();
      throw error;
    }
  }
}

/** Three real servers that form one cluster, so that streams may have three replicas. */
export interface TestNatsCluster extends AsyncDisposable {
  readonly servers: readonly TestNats[];
  readonly urls: string[];
}

/** One of three, for who writes its whole configuration. */
export interface NatsNode {
  /** `n1`. */
  name: string;
  port: number;
  storeDir: string;
  /** Of this node, and of all of them. */
  routePort: number;
  routePorts: readonly number[];
}

export interface StartNatsClusterOptions extends Pick<StartNatsOptions, 'version' | 'access'> {
  /** The configuration of a node; default: as little as makes a cluster. */
  configOf?: (node: NatsNode) => string;
}

/** @throws Error when there is no such nats-server */
export async function startNatsCluster(options: StartNatsClusterOptions = {}): Promise<TestNatsCluster> {
  const binary = findBinary('nats-server', options.version);
  if (binary === undefined) throw new Error(missingBinary('nats-server', options.version));
  const { configOf = plainNode, access = {} } = options;
  const ports = await freePorts(6);
  const routePorts = ports.slice(3);
  const servers = ports.slice(0, 3).map((port, index) => {
    const dir = tempDir('etcd-ops-nats-');
    const node = {
      name: `n${index + 1}`,
      port,
      storeDir: dir.file('store'),
      routePort: routePorts[index]!,
      routePorts,
    };
    return new NatsProcess({ binary, dir, port, access, whole: configOf(node) });
  });
  const dispose = async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
  };
  try {
    // None of them is ready before they have elected a leader.
    await Promise.all(servers.map((server) => server.start()));
  } catch (error) {
    await dispose();
    throw error;
  }
  return { servers, urls: servers.map(({ url }) => url), [Symbol.asyncDispose]: dispose };
}

function plainNode({ name, port, storeDir, routePort, routePorts }: NatsNode): string {
  const routes = routePorts.map((one) => `nats-route://127.0.0.1:${one}`);
  return [
    `server_name: ${name}`,
    `listen: "127.0.0.1:${port}"`,
    `jetstream { store_dir: ${JSON.stringify(storeDir)} }`,
    `cluster { name: test, listen: "127.0.0.1:${routePort}", routes: ${JSON.stringify(routes)} }`,
    '',
  ].join('\n');
}

class NatsProcess implements TestNats {
  readonly url: string;
  readonly storeDir: string;
  readonly #binary: string;
  readonly #dir: TempDir;
  readonly #config: string;
  readonly #access: StartNatsOptions['access'];
  #process: GuardedProcess | undefined;

  constructor(plan: {
    binary: string;
    dir: TempDir;
    port: number;
    /** Beside the address and the store. */
    config?: string;
    /** The configuration as it is. */
    whole?: string;
    access?: StartNatsOptions['access'];
  }) {
    this.#binary = plan.binary;
    this.#access = plan.access;
    this.#dir = plan.dir;
    this.url = `nats://127.0.0.1:${plan.port}`;
    this.storeDir = plan.dir.file('store');
    const own = [
      `listen: "127.0.0.1:${plan.port}"`,
      `jetstream { store_dir: ${JSON.stringify(this.storeDir)} }`,
      plan.config ?? '',
      '',
    ];
    this.#config = plan.whole ?? own.join('\n');
  }

  get pid(): number {
    if (this.#process === undefined) throw new Error('nats-server was not started');
    return this.#process.pid;
  }

  async start(): Promise<void> {
    const path = this.#dir.file('nats.conf');
    await writeFile(path, this.#config);
    const child = await spawnGuarded(this.#binary, ['-c', path]);
    this.#process = child;
    const answers = async (): Promise<void> => {
      if (!child.running) return;
      const connection = await connect({
        servers: this.url,
        reconnect: false,
        timeout: 1_000,
        ...connectionOptions(this.#access),
      });
      // Listening comes before JetStream is there.
      try {
        await connection.jetstreamManager();
      } finally {
        await connection.close();
      }
    };
    // Three servers elect a leader first, and on a busy machine several times.
    await eventually(answers, { timeoutMs: START_MS_MAX });
    if (!child.running) throw new Error(`nats-server ended: ${child.log()}`);
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  async pause(): Promise<void> {
    this.#process?.signal('SIGSTOP');
    await eventually(async () => / T /.test(await readFile(`/proc/${this.pid}/stat`, 'utf8')));
  }

  resume(): void {
    this.#process?.signal('SIGCONT');
  }

  log(): string {
    return this.#process?.log() ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#dir.remove();
  }
}

function connectionOptions(access: NonNullable<StartNatsOptions['access']> = {}): ConnectionOptions {
  const { nkeySeed, creds, ...options } = access;
  if (creds !== undefined) return { ...options, authenticator: credsAuthenticator(new TextEncoder().encode(creds)) };
  if (nkeySeed === undefined) return options;
  return { ...options, authenticator: nkeyAuthenticator(new TextEncoder().encode(nkeySeed)) };
}
