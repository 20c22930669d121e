import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { eventually } from '@etcd-ops/test-kit';

const LAUNCHER = join(import.meta.dirname, '..', '..', '..', 'bin', 'etcd-ops');

export interface ServiceProcess extends AsyncDisposable {
  readonly name: string;
  readonly child: ChildProcess;
  log(): string;
  /** `127.0.0.1:PORT` of its health and metrics, once it serves them. */
  httpAddress(): Promise<string>;
  /** SIGTERM; answers the exit code. */
  stop(): Promise<number | null>;
}

/** One service as a process of its own, as a container runs it. */
export function startService(name: string, environment: Readonly<Record<string, string>>): ServiceProcess {
  const child = spawn(LAUNCHER, ['service', name], {
    env: { ...process.env, ETCD_OPS_HTTP_HOST: '127.0.0.1', ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    return await ended;
  };
  return {
    name,
    child,
    log: () => log,
    httpAddress: () =>
      eventually(() => {
        const [, port] = /"port":(\d+)[^\n]*"Health and metrics are served"/.exec(log) ?? [];
        return port !== undefined && `127.0.0.1:${port}`;
      }),
    stop: () => end('SIGTERM'),
    async [Symbol.asyncDispose]() {
      await end('SIGKILL');
    },
  };
}
