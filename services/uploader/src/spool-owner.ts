import { createHash } from 'node:crypto';
import { readFile, readlink, stat } from 'node:fs/promises';
import { hostname } from 'node:os';

/**
 * Who a directory of the spool belongs to. Process ids mean something within one PID namespace only: in two containers that share a
 * volume, both processes may be number 1. So the namespace and the boot of its kernel stand in the name; who sees others of them asks how
 * long the owner has not touched the directory.
 */
export interface SpoolOwner {
  /** 12 hex digits, the same for all processes that see each other's ids. */
  namespace: string;
  pid: number;
  startedMs: number;
}

/** An owner touches its directory this often, */
export const TOUCH_EVERY_MS = 20_000;
/** and one elsewhere that has not for so long is gone. Clocks of hosts that share a volume may differ by minutes. */
const SILENCE_MS_MAX = 10 * 60_000;
/** Directories of versions before this one are not touched: what they hold is younger than the longest upload. */
const OLD_SILENCE_MS_MAX = 24 * 3_600_000;

const NAME = /^uploader-(?<namespace>[0-9a-f]{12})-(?<pid>\d+)-(?<startedMs>\d+)-[0-9a-f-]+$/;
const OLD_NAME = /^uploader-\d+-\d+-[0-9a-f-]+$/;

export async function thisOwner(): Promise<SpoolOwner> {
  const startedMs = Math.round(performance.timeOrigin);
  return { namespace: await namespaceOfThis(), pid: process.pid, startedMs };
}

export function directoryName({ namespace, pid, startedMs }: SpoolOwner, id: string): string {
  return `uploader-${namespace}-${pid}-${startedMs}-${id}`;
}

/** Whether a directory, of that name and at that path, is a spool whose owner is gone. */
export async function isAbandoned(name: string, path: string, self: SpoolOwner, nowMs: number): Promise<boolean> {
  const found = NAME.exec(name)?.groups;
  if (found?.['namespace'] === self.namespace) return !isAlive(Number(found['pid']), Number(found['startedMs']), self);
  if (found === undefined && !OLD_NAME.test(name)) return false;
  const limitMs = found === undefined ? OLD_SILENCE_MS_MAX : SILENCE_MS_MAX;
  // One that went meanwhile was somebody else's to remove.
  const facts = await stat(path).catch(() => undefined);
  return facts !== undefined && nowMs - facts.mtimeMs > limitMs;
}

function isAlive(pid: number, startedMs: number, self: SpoolOwner): boolean {
  // A container that is started again in its namespace has the same id: the start tells them apart.
  if (pid === self.pid) return startedMs === self.startedMs;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Without /proc there are no containers: the host tells who sees whom. */
async function namespaceOfThis(): Promise<string> {
  const parts = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => hostname()),
    readlink('/proc/self/ns/pid').catch(() => ''),
  ]);
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 12);
}
