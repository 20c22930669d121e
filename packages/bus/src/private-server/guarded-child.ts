import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';

/**
 * Starts `$1 -c $2` and ends it when stdin closes. The kernel closes the other end of that pipe with our process,
 * however it dies, so the server never outlives us, not even after SIGKILL; a plain child would go on as an orphan.
 */
const WRAPPER = [
  'exec 3<&0',
  '"$1" -c "$2" </dev/null 3<&- & c=$!',
  'trap "kill $c 2>/dev/null" TERM INT HUP',
  '(cat <&3 >/dev/null; kill $c 2>/dev/null) & w=$!',
  'wait $c; s=$?',
  // A trapped signal ends `wait` before the server has ended.
  '[ $s -gt 128 ] && { wait $c; s=$?; }',
  'kill $w 2>/dev/null',
  'exit $s',
].join('\n');

export interface GuardedChild {
  readonly wrapperPid: number;
  readonly exited: Promise<void>;
  readonly running: boolean;
  /** What it wrote to stderr, the last 4 KiB. */
  errors(): string;
  /** Asks the server to end; resolves when it has. @returns false when it did not within the time. */
  terminate(timeoutMs: number): Promise<boolean>;
  kill(): void;
}

const ERRORS_BYTES_MAX = 4096;

export async function startGuarded(binary: string, configPath: string): Promise<GuardedChild> {
  // Detached: a Ctrl-C at the terminal goes to the whole foreground group, and the server must outlast our draining.
  const child = spawn('/bin/sh', ['-c', WRAPPER, 'etcd-ops-nats', binary, configPath], {
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true,
  });
  let running = true;
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString('utf8')).slice(-ERRORS_BYTES_MAX);
  });
  child.stdin.on('error', () => {});
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      running = false;
      // Ends the reader of the pipe, should the wrapper have been killed.
      child.stdin.destroy();
      resolve();
    });
  });
  await once(child, 'spawn');
  // The server alone is no reason for a process to stay.
  unreference(child);
  return {
    wrapperPid: child.pid!,
    exited,
    get running() {
      return running;
    },
    errors: () => errors,
    terminate: async (timeoutMs) => {
      if (!running) return true;
      child.kill('SIGTERM');
      return endedWithin(exited, timeoutMs);
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

/** Keeps the event loop alive meanwhile: the child itself does not. */
async function endedWithin(exited: Promise<void>, timeoutMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), timeoutMs);
  void exited.then(() => resolve(true));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

function unreference(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdin, child.stderr]) {
    if (stream instanceof Socket) stream.unref();
  }
}
