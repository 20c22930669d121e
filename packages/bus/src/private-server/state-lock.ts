import { EtcdOpsError } from '@etcd-ops/core';
import { randomUUID } from 'node:crypto';
import { link, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { processStart } from './process-facts.ts';

export interface StateLock {
  release(): Promise<void>;
}

const holderSchema = z.object({ pid: z.number().int().min(1), start: z.string() });
const LOCK_NAME = /^daemon\.lock\.(\d{1,15})$/;
const TRIES_MAX = 10;

/**
 * One daemon a state directory: nats-server itself locks nothing, and two on one store diverge without a word.
 *
 * A lock is the file `daemon.lock.<n>` with the pid of its holder and the time that process began; it is stale when
 * that process is gone, also after SIGKILL. A stale lock is never taken over but superseded by n + 1, which only one
 * starter can create: removing a stale file first would let a second one remove the fresh lock of the first. Whoever
 * finds a higher number after creating its own was late, and yields to that holder.
 * (Processes are looked up on this machine: a directory shared between machines is not protected.)
 * @throws EtcdOpsError STATE_DIR_LOCKED naming the holder
 */
export async function lockStateDir(stateDir: string): Promise<StateLock> {
  const start = await processStart(process.pid);
  if (start === undefined) {
    throw new EtcdOpsError('DISK_FAILED', { message: 'This process cannot be found in /proc or by ps' });
  }
  const content = JSON.stringify({ pid: process.pid, start });
  for (let attempt = 1; attempt <= TRIES_MAX; attempt++) {
    const highest = await livingOrHighest(stateDir);
    const mine = highest + 1;
    if (!(await createExclusively(stateDir, mine, content))) continue;
    const after = (await lockNumbers(stateDir)).filter((number) => number !== mine);
    if (after.some((number) => number > mine)) {
      await rm(lockPath(stateDir, mine), { force: true });
      continue;
    }
    for (const number of after) await rm(lockPath(stateDir, number), { force: true });
    return { release: () => rm(lockPath(stateDir, mine), { force: true }) };
  }
  throw locked(stateDir, 'others that start at this moment');
}

/** The highest lock number, 0 for none. @throws STATE_DIR_LOCKED when one of them is held. */
async function livingOrHighest(stateDir: string): Promise<number> {
  const numbers = await lockNumbers(stateDir);
  for (const number of numbers) {
    const holder = await readHolder(lockPath(stateDir, number));
    if (holder !== undefined && (await processStart(holder.pid)) === holder.start) {
      throw locked(stateDir, `process ${holder.pid}`);
    }
  }
  return Math.max(0, ...numbers);
}

async function lockNumbers(stateDir: string): Promise<number[]> {
  const names = await readdir(stateDir);
  return names.flatMap((name) => LOCK_NAME.exec(name)?.[1] ?? []).map(Number);
}

/** The file appears with its content or not at all: nobody ever reads half a lock. */
async function createExclusively(stateDir: string, number: number, content: string): Promise<boolean> {
  const temporary = join(stateDir, `.daemon.lock.${randomUUID()}`);
  await writeFile(temporary, content, { mode: 0o600, flag: 'wx' });
  try {
    await link(temporary, lockPath(stateDir, number));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw new EtcdOpsError('DISK_FAILED', { message: `Locking ${stateDir}`, cause: error });
  } finally {
    await rm(temporary, { force: true });
  }
}

async function readHolder(path: string): Promise<z.infer<typeof holderSchema> | undefined> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    // Removed meanwhile, or torn by a crash of the machine: then its holder is gone as well.
    return undefined;
  }
}

function lockPath(stateDir: string, number: number): string {
  return join(stateDir, `daemon.lock.${number}`);
}

function locked(stateDir: string, holder: string): EtcdOpsError {
  return new EtcdOpsError('STATE_DIR_LOCKED', {
    message: `${stateDir} is in use by ${holder}`,
    facts: { path: stateDir },
  });
}
