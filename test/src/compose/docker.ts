import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..', '..');
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

export interface Output {
  exitCode: number;
  stdout: string;
  stderr: string;
  timedOut: boolean;
}

/** Runs docker; never throws. */
export function docker(
  args: readonly string[],
  options: { timeoutMs?: number; environment?: Readonly<Record<string, string>> } = {},
): Promise<Output> {
  const { timeoutMs = 60_000, environment = {} } = options;
  const env = { ...process.env, ...environment };
  return new Promise((resolve) => {
    execFile(
      'docker',
      args,
      { cwd: ROOT, env, timeout: timeoutMs, maxBuffer: OUTPUT_BYTES_MAX },
      (error, stdout, stderr) => {
        const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        const timedOut = error?.killed === true;
        const said = timedOut ? `${stderr}\nnot within ${timeoutMs} ms` : stderr;
        resolve({ exitCode, stdout, stderr: said, timedOut });
      },
    );
  });
}

/** What docker-compose.yml takes from registries; the tools and the profile `observe` are not needed here. */
const BASE_IMAGES = [
  'node:24-bookworm-slim',
  'debian:bookworm-slim',
  'debian:trixie-slim',
  'nats:2.10-alpine',
  'quay.io/coreos/etcd:v3.5.16',
];
const PULL_TIMEOUT_MS = 30_000;

/** Why the compose file cannot be tried here; undefined when it can. */
export async function whyNoCompose(): Promise<string | undefined> {
  if (!existsSync(join(ROOT, 'docker-compose.yml'))) return 'no docker-compose.yml in this copy';
  const engine = await docker(['version', '--format', '{{.Server.Version}}'], { timeoutMs: 5_000 });
  if (engine.exitCode !== 0) return 'no Docker engine answers';
  const compose = await docker(['compose', 'version', '--short'], { timeoutMs: 5_000 });
  if (compose.exitCode !== 0 || !/^v?2\./.test(compose.stdout)) return 'no Docker Compose 2';
  for (const image of BASE_IMAGES) {
    const found = await docker(['image', 'inspect', '--format', 'found', image], { timeoutMs: 5_000 });
    if (found.exitCode === 0) continue;
    const pulled = await docker(['pull', '-q', image], { timeoutMs: PULL_TIMEOUT_MS });
    if (pulled.exitCode !== 0) return `the image ${image} is not there and cannot be pulled`;
  }
  return undefined;
}
