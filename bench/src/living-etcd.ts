import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 50;

/** The path of an official program of a release line, below `.tools/deb` or on PATH. */
export function findOfficial(root: string, name: string, line: string): string | undefined {
  const debs = join(root, '.tools', 'deb');
  const suites = entries(debs).map((suite) => join(debs, suite, 'usr', 'bin'));
  return [...suites, ...(process.env['PATH'] ?? '').split(delimiter)]
    .map((directory) => join(directory, name))
    .find((path) => versionOf(name, path)?.startsWith(`${line}.`));
}

/** The path of a program that was built for the tests, below `.tools/built`, or on PATH. */
export function findBuilt(root: string, name: string): string | undefined {
  const built = join(root, '.tools', 'built');
  const folders = entries(built).map((folder) => join(built, folder, 'bin'));
  return [...folders, ...(process.env['PATH'] ?? '').split(delimiter)]
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path));
}

function versionOf(name: string, path: string): string | undefined {
  try {
    const args = name === 'etcd' ? ['--version'] : ['version'];
    const output = execFileSync(path, args, {
      encoding: 'utf8',
      env: { ...process.env, ETCDCTL_API: '3' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return /(\d+\.\d+\.\d+)/.exec(output)?.[1];
  } catch {
    return undefined;
  }
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** One etcd 3.5 on a data directory, on ports of its own. */
export class LivingEtcd implements AsyncDisposable {
  readonly endpoint: string;
  readonly #process: ChildProcess;

  private constructor(endpoint: string, process: ChildProcess) {
    this.endpoint = endpoint;
    this.#process = process;
  }

  static async start(root: string, dataDir: string): Promise<LivingEtcd> {
    const binary = findOfficial(root, 'etcd', '3.5');
    if (binary === undefined) throw new Error('no etcd 3.5');
    const [client, peer] = [await freePort(), await freePort()];
    const endpoint = `http://127.0.0.1:${client}`;
    const args = [
      ...['--name', 'default', '--data-dir', dataDir, '--quota-backend-bytes', String(8 * 2 ** 30)],
      ...['--listen-client-urls', endpoint, '--advertise-client-urls', endpoint],
      ...['--listen-peer-urls', `http://127.0.0.1:${peer}`, '--log-level', 'error'],
    ];
    const etcd = new LivingEtcd(endpoint, spawn(binary, args, { stdio: 'ignore' }));
    const deadline = performance.now() + READY_TIMEOUT_MS;
    while (!(await isHealthy(endpoint))) {
      if (etcd.#process.exitCode !== null) throw new Error(`etcd ended with ${etcd.#process.exitCode}`);
      if (performance.now() > deadline) {
        await etcd.stop();
        throw new Error('etcd did not become healthy');
      }
      await sleep(POLL_MS);
    }
    return etcd;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGTERM');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

async function isHealthy(endpoint: string): Promise<boolean> {
  const answer = await fetch(`${endpoint}/health`).catch(() => undefined);
  return answer?.ok === true && (await answer.text()).includes('true');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
