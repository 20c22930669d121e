import { execFile } from 'node:child_process';
import { findBinary } from '@etcd-ops/test-kit';

/** The official command line: what the tests' bootstrap built, or what is on PATH; undefined when there is none. */
export function findNatsCli(): string | undefined {
  return findBinary('nats', '0');
}

export interface NatsOutput {
  exitCode: number;
  /** Both streams: it tells headers and times on the second one. */
  text: string;
}

/** Runs it against a server. Its contexts and history stay below `home`. */
export function runNats(cli: { path: string; url: string; home: string }, ...args: string[]): Promise<NatsOutput> {
  const env = { ...process.env, HOME: cli.home, XDG_CONFIG_HOME: cli.home, NO_COLOR: '1' };
  return new Promise((resolve) => {
    execFile(
      cli.path,
      ['-s', cli.url, '--timeout', '20s', ...args],
      { env, timeout: 60_000 },
      (error, stdout, stderr) => {
        const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ exitCode, text: `${stdout}\n${stderr}` });
      },
    );
  });
}
