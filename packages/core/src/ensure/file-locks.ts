import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';

/** Exit code by which flock(1) says that somebody else holds the lock. */
const FLOCK_CONFLICT = 75;
const FLOCK_TIMEOUT_MS = 5_000;

export interface LockHolder {
  path: string;
  /** Undefined where the kernel does not tell: another container, or a lock of an open file. */
  pid: number | undefined;
}

/**
 * Who holds a lock on one of these files. A running etcd holds flock(2) on `db` and open file description locks on its log segments.
 * The kernel's list is asked first (it shows the latter across containers, too), then flock(1) where it is installed.
 */
export async function findLockHolder(paths: readonly string[]): Promise<LockHolder | undefined> {
  const locks = kernelLocks();
  for (const path of paths) {
    const id = fileId(path);
    const lock = id === undefined ? undefined : locks.get(id);
    if (lock !== undefined) return { path, pid: lock.pid };
  }
  const existing = paths.filter((path) => fileId(path) !== undefined);
  for (const path of existing.slice(0, 1)) {
    if (await flockIsHeld(path)) return { path, pid: undefined };
  }
  return undefined;
}

/** `/proc/locks`: `1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF`, device numbers in hex. */
function kernelLocks(): Map<string, { pid: number | undefined }> {
  const locks = new Map<string, { pid: number | undefined }>();
  let text: string;
  try {
    text = readFileSync('/proc/locks', 'latin1');
  } catch {
    return locks;
  }
  for (const line of text.split('\n')) {
    const match = /^\d+: (?:FLOCK|OFDLCK|POSIX)\s+\S+\s+WRITE\s+(-?\d+)\s+([0-9a-f]+):([0-9a-f]+):(\d+)\s/.exec(line);
    if (match === null) continue;
    const pid = Number(match[1]);
    const id = `${Number.parseInt(match[2]!, 16)}:${Number.parseInt(match[3]!, 16)}:${match[4]}`;
    locks.set(id, { pid: pid > 0 ? pid : undefined });
  }
  return locks;
}

/** As in the kernel's list: major and minor number of the device (glibc's encoding) and inode. */
function fileId(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
    const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn & 0xffff_ffffn);
    return `${major}:${minor}:${ino}`;
  } catch {
    return undefined;
  }
}

/** False, too, where there is no flock(1): then the kernel's list is all there is. */
async function flockIsHeld(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const args = ['--nonblock', '--conflict-exit-code', String(FLOCK_CONFLICT), path, 'true'];
    execFile('flock', args, { timeout: FLOCK_TIMEOUT_MS }, (error) => resolve(error?.code === FLOCK_CONFLICT));
  });
}
