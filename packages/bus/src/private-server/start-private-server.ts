import { describeError, EtcdOpsError } from '@etcd-ops/core';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { findNatsServer } from './find-nats-server.ts';
import { startGuarded, type GuardedChild } from './guarded-child.ts';
import { processCommand } from './process-facts.ts';
import { lockStateDir, type StateLock } from './state-lock.ts';

export interface PrivateServerOptions {
  /** Created if need be, mode 0700. One daemon a directory. */
  stateDir: string;
  /** Default: findNatsServer. */
  binary?: string;
}

export interface PrivateServer extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  /** Of nats-server itself. */
  readonly pid: number;
  /** Resolves when the server has ended, wanted or not. */
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

/** `<state>/nats.json`, mode 0600: tells the command line where the daemon's server is. */
export const connectionFileSchema = z.object({
  version: z.literal(1),
  url: z.string(),
  token: z.string(),
  pid: z.number().int(),
  daemonPid: z.number().int(),
});
export type ConnectionFile = z.infer<typeof connectionFileSchema>;

const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 10;
const LOG_BYTES_MAX = 10 * 1024 * 1024;

/**
 * Starts a nats-server of our own on a random port of the loopback interface, with a fresh token and its store below
 * the state directory. It ends with this process, however that dies.
 * @throws EtcdOpsError BINARY_MISSING, STATE_DIR_LOCKED, DISK_FAILED, or BUS_FAILED when it does not come up
 */
export async function startPrivateServer(options: PrivateServerOptions): Promise<PrivateServer> {
  const binary = options.binary ?? (await findNatsServer());
  const stateDir = resolve(options.stateDir);
  const paths = pathsBelow(stateDir);
  let lock: StateLock | undefined;
  let child: GuardedChild | undefined;
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    lock = await lockStateDir(stateDir);
    for (const directory of [paths.nats, paths.run]) await mkdir(directory, { recursive: true, mode: 0o700 });
    // mkdir leaves the mode of a directory alone that was there before.
    await chmod(paths.nats, 0o700);
    await stopOrphan(paths);
    await rm(paths.run, { recursive: true, force: true });
    await mkdir(paths.run, { mode: 0o700 });
    const token = randomBytes(32).toString('hex');
    await writePrivately(paths.config, config(paths, token));
    child = await startGuarded(binary, paths.config);
    const { url, pid } = await whenListening(paths, child);
    const file: ConnectionFile = { version: 1, url, token, pid, daemonPid: process.pid };
    await writePrivately(paths.connection, `${JSON.stringify(file)}\n`);
    return handle({ url, token, pid, child, lock, paths });
  } catch (error) {
    if (child?.running === true) await child.terminate(STOP_TIMEOUT_MS);
    await lock?.release();
    if (error instanceof EtcdOpsError) throw error;
    throw new EtcdOpsError('DISK_FAILED', { message: `Preparing ${stateDir}: ${describeError(error)}`, cause: error });
  }
}

/** Where the daemon of a state directory has its server; undefined when none runs there. */
export async function readConnectionFile(stateDir: string): Promise<ConnectionFile | undefined> {
  const paths = pathsBelow(resolve(stateDir));
  try {
    const file = connectionFileSchema.parse(JSON.parse(await readFile(paths.connection, 'utf8')));
    const command = await processCommand(file.pid);
    return command?.includes(paths.config) === true ? file : undefined;
  } catch {
    return undefined;
  }
}

interface Paths {
  nats: string;
  run: string;
  config: string;
  store: string;
  pidFile: string;
  log: string;
  connection: string;
}

function pathsBelow(stateDir: string): Paths {
  const nats = join(stateDir, 'nats');
  const run = join(nats, 'run');
  return {
    nats,
    run,
    config: join(nats, 'nats.conf'),
    store: join(nats, 'jetstream'),
    pidFile: join(nats, 'nats.pid'),
    log: join(nats, 'nats.log'),
    connection: join(stateDir, 'nats.json'),
  };
}

/** Only settings that 2.9 knows: an unknown field keeps it from starting. max_payload stays at its 1 MB. */
function config(paths: Paths, token: string): string {
  return [
    'listen: "127.0.0.1:-1"',
    `ports_file_dir: ${JSON.stringify(paths.run)}`,
    `pid_file: ${JSON.stringify(paths.pidFile)}`,
    `log_file: ${JSON.stringify(paths.log)}`,
    `logfile_size_limit: ${LOG_BYTES_MAX}`,
    `authorization { token: ${JSON.stringify(token)} }`,
    `jetstream { store_dir: ${JSON.stringify(paths.store)} }`,
    '',
  ].join('\n');
}

/** A server that outlived its daemon (its wrapper was killed as well) would write into the same store. */
async function stopOrphan(paths: Paths): Promise<void> {
  const pid = await orphanPid(paths);
  if (pid === undefined) return;
  process.kill(pid, 'SIGTERM');
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  let killed = false;
  while ((await orphanPid(paths)) !== undefined) {
    if (performance.now() > deadline && !killed) {
      process.kill(pid, 'SIGKILL');
      killed = true;
    } else if (performance.now() > deadline + STOP_TIMEOUT_MS) {
      throw new EtcdOpsError('STATE_DIR_LOCKED', { message: `nats-server ${pid} uses ${paths.nats} and does not end` });
    }
    await delay(POLL_MS);
  }
}

/** The pid file stays behind, and pids come again: only a process with our configuration in its arguments is meant. */
async function orphanPid(paths: Paths): Promise<number | undefined> {
  const pid = await readPid(paths.pidFile);
  if (pid === undefined) return undefined;
  const command = await processCommand(pid);
  return command?.includes(paths.config) === true ? pid : undefined;
}

async function readPid(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const pid = Number(text.trim());
  return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
}

async function whenListening(paths: Paths, child: GuardedChild): Promise<{ url: string; pid: number }> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadline && child.running) {
    const listening = await readPorts(paths.run);
    if (listening !== undefined) return listening;
    await delay(POLL_MS);
  }
  const log = (await readFile(paths.log, 'utf8').catch(() => '')).slice(-2048);
  const reason = child.running ? `did not listen within ${START_TIMEOUT_MS} ms` : 'ended at once';
  throw new EtcdOpsError('BUS_FAILED', { message: `nats-server ${reason}. ${child.errors()}${log}`.trim() });
}

const portsSchema = z.object({ nats: z.array(z.string()).min(1) });

/** `nats-server_<pid>.ports`, written in place: it may be half there. */
async function readPorts(run: string): Promise<{ url: string; pid: number } | undefined> {
  for (const name of await readdir(run)) {
    const pid = Number(/_(\d+)\.ports$/.exec(name)?.[1]);
    if (!Number.isSafeInteger(pid)) continue;
    try {
      const ports = portsSchema.parse(JSON.parse(await readFile(join(run, name), 'utf8')));
      return { url: ports.nats[0]!, pid };
    } catch {
      return undefined;
    }
  }
  return undefined;
}

async function writePrivately(path: string, text: string): Promise<void> {
  const temporary = `${path}.part`;
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

interface Parts {
  url: string;
  token: string;
  pid: number;
  child: GuardedChild;
  lock: StateLock;
  paths: Paths;
}

function handle({ url, token, pid, child, lock, paths }: Parts): PrivateServer {
  let stopping: Promise<void> | undefined;
  const end = async () => {
    if (!(await child.terminate(STOP_TIMEOUT_MS))) {
      // The server itself first: its wrapper only relays.
      if ((await orphanPid(paths)) === pid) process.kill(pid, 'SIGKILL');
      if (!(await child.terminate(STOP_TIMEOUT_MS))) child.kill();
    }
    await rm(paths.connection, { force: true });
    await lock.release();
  };
  const stop = () => (stopping ??= end());
  return { url, token, pid, exited: child.exited, stop, [Symbol.asyncDispose]: stop };
}
