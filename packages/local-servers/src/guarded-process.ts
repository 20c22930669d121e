import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';

const LOG_BYTES_MAX = 64 * 1024;

/** Lines `add PID` and `del PID`; at end of input (this process is gone, however it died) what is left is killed. */
const WATCHDOG_SCRIPT = `trap '' INT TERM HUP
pids=' '
while read -r op pid; do
  case "$op" in
    add) pids="$pids$pid " ;;
    del) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done`;

export interface GuardedProcess {
  readonly pid: number;
  /** Resolves when the process has ended. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly running: boolean;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL when it does not end within `graceMs` (default 5 s). */
  stop(graceMs?: number): Promise<void>;
  kill(): Promise<void>;
  /** The last 64 KiB that it wrote to stdout and stderr. */
  log(): string;
}

export interface SpawnGuardedOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

let watchdog: ChildProcess | undefined;

/**
 * Starts a server that dies with this process, also when this process is killed with SIGKILL:
 * a watchdog shell holds the other end of a pipe and kills what is still running when the pipe closes.
 */
export async function spawnGuarded(
  path: string,
  args: readonly string[],
  options: SpawnGuardedOptions = {},
): Promise<GuardedProcess> {
  const child = spawn(path, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  const collect = (chunk: Buffer) => {
    log = (log + chunk.toString('utf8')).slice(-LOG_BYTES_MAX);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  await once(child, 'spawn');
  const pid = child.pid!;
  guard('add', pid);

  let running = true;
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => {
      running = false;
      guard('del', pid);
      resolve({ code, signal });
    });
  });
  // A server that nobody stopped must not keep the test process alive: the watchdog ends it.
  child.unref();
  unreference(child.stdout, child.stderr);

  const kill = async () => {
    if (running) child.kill('SIGKILL');
    await keepAliveUntil(exited);
  };
  return {
    pid,
    exited,
    get running() {
      return running;
    },
    signal: (signal) => void child.kill(signal),
    kill,
    stop: async (graceMs = 5_000) => {
      if (!running) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await exited;
      clearTimeout(timer);
    },
    log: () => log,
  };
}

/** An unreferenced child does not keep the event loop alive while its end is awaited. */
async function keepAliveUntil<T>(promise: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, 1_000);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}

function guard(operation: 'add' | 'del', pid: number): void {
  if (watchdog === undefined) {
    watchdog = spawn('/bin/sh', ['-c', WATCHDOG_SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    watchdog.on('error', () => {});
    watchdog.stdin!.on('error', () => {});
    watchdog.unref();
    unreference(watchdog.stdin);
  }
  watchdog.stdin!.write(`${operation} ${pid}\n`);
}

function unreference(...streams: unknown[]): void {
  for (const stream of streams) {
    if (stream instanceof Socket) stream.unref();
  }
}
