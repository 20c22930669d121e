import { existsSync, writeFileSync } from 'node:fs';
import { connectBus, inboxPrefix, type Bus } from '@etcd-ops/bus';
import { tempDir } from '@etcd-ops/test-kit';
import { findNatsCli, runNats } from '../fleet/nats-cli.ts';
import { docker, type Output } from './docker.ts';

const IMAGE = 'etcd-ops:test';
const S3_IMAGE = 'etcd-ops-s3:test';
const BUILD_TIMEOUT_MS = 180_000;
const LOG_CHARACTERS_MAX = 40_000;

/** One project of docker-compose.yml with volumes and a port of its own; it is taken down, volumes included, when its scope ends. */
export interface ComposeProject extends AsyncDisposable {
  /** `docker compose ...`. @throws Error with what it said when it fails. */
  run(args: readonly string[], timeoutMs?: number): Promise<string>;
  /** A command in a running container. */
  exec(service: string, ...command: string[]): Promise<string>;
  containers(service: string): Promise<string[]>;
  inspect(container: string): Promise<Inspected>;
  /** SIGKILL. */
  kill(container: string): Promise<void>;
  /** As people ask from the host. */
  connect(): Promise<Bus>;
  /** What `nats req` of the official command line is answered on the host; undefined where it is not. */
  natsRequest(subject: string, request: object): Promise<unknown>;
  /** Does the work; a failure tells what the containers said last. */
  explaining<Result>(work: () => Promise<Result>): Promise<Result>;
}

export interface Inspected {
  Config: { User: string };
  HostConfig: { ReadonlyRootfs: boolean; CapDrop: string[] | null; Memory: number };
  State: { Status: string; ExitCode: number; OOMKilled: boolean };
}

/** Builds the images, with warm layers in seconds. Answers why it cannot be waited for. @throws Error when they cannot be built. */
export async function buildImages(): Promise<string | undefined> {
  const build = (service: string): Promise<Output> =>
    docker(['compose', 'build', service], { timeoutMs: BUILD_TIMEOUT_MS, environment: environment() });
  for (const output of await Promise.all([build('nats-config'), build('s3')])) {
    if (output.timedOut) {
      return `the images were not built within ${BUILD_TIMEOUT_MS / 1000} s; what was built is kept for the next run`;
    }
    if (output.exitCode !== 0) throw new Error(`the images cannot be built: ${output.stderr.slice(-4_000)}`);
  }
  return undefined;
}

export function composeProject(name: string): ComposeProject {
  const scratch = tempDir('etcd-ops-compose-');
  const compose = async (args: readonly string[], timeoutMs = 60_000): Promise<string> => {
    const output = await docker(['compose', '-p', name, ...args], { timeoutMs, environment: environment() });
    if (output.exitCode !== 0) {
      throw new Error(`docker compose ${args.join(' ')}: exit code ${output.exitCode}, ${output.stderr.slice(-4_000)}`);
    }
    return output.stdout;
  };
  const access = async (): Promise<{ url: string; nkeyFile: string; inboxPrefix: string }> => {
    const nkeyFile = scratch.file('operator-ops.nk');
    if (!existsSync(nkeyFile)) {
      const seed = await compose(['run', '--rm', '-T', '--no-deps', '--entrypoint', 'cat', 'apply', SEED_PATH]);
      writeFileSync(nkeyFile, seed, { mode: 0o600 });
    }
    const address = (await compose(['port', 'nats', '4222'])).trim();
    return { url: `nats://${address}`, nkeyFile, inboxPrefix: inboxPrefix('operator-ops') };
  };
  const exec = (service: string, ...command: string[]): Promise<string> => compose(['exec', '-T', service, ...command]);
  return {
    run: compose,
    exec,
    containers: async (service) => (await compose(['ps', '-aq', service])).split('\n').filter((id) => id !== ''),
    inspect: async (container) => {
      const { stdout } = await docker(['inspect', container]);
      return (JSON.parse(stdout) as [Inspected])[0];
    },
    async kill(container) {
      const { exitCode, stderr } = await docker(['kill', container]);
      if (exitCode !== 0) throw new Error(stderr);
    },
    connect: async () => connectBus({ ...(await access()), name: 'operator' }),
    async natsRequest(subject, request) {
      const path = findNatsCli();
      if (path === undefined) return undefined;
      const { url, nkeyFile, inboxPrefix: inbox } = await access();
      const cli = { path, url, home: scratch.file('home') };
      const as = ['--nkey', nkeyFile, '--inbox-prefix', inbox];
      const { text } = await runNats(cli, ...as, 'req', '--raw', subject, JSON.stringify(request));
      const json = /^\{.*\}$/m.exec(text)?.[0];
      if (json === undefined) throw new Error(text);
      return JSON.parse(json) as unknown;
    },
    async explaining(work) {
      try {
        return await work();
      } catch (cause) {
        const state = await compose(['ps', '-a', '--format', '{{.Name}} {{.Status}}']).catch(String);
        const logs = await compose(['logs', '--no-color', '--tail', '15']).catch(String);
        const said = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`${said}\n${state}\n${logs.slice(-LOG_CHARACTERS_MAX)}`, { cause });
      }
    },
    async [Symbol.asyncDispose]() {
      await docker(['compose', '-p', name, 'down', '-v', '--timeout', '5'], {
        timeoutMs: 90_000,
        environment: environment(),
      });
      await scratch.remove();
    },
  };
}

const SEED_PATH = '/users/operator-ops/user.nk';

/** An empty port is any free one. */
function environment(): Record<string, string> {
  return { ETCD_OPS_IMAGE: IMAGE, ETCD_OPS_S3_IMAGE: S3_IMAGE, ETCD_OPS_NATS_PORT: '' };
}
