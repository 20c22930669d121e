import { isPoolServed, type Bus, type Failure, type RestoreTask } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import { setTimeout as delay } from 'node:timers/promises';

/** What has begun and failed, or whose worker vanished, is still expected for so long behind its deadline. */
const LATER_ATTEMPT_MS = 86_400_000;
const LOOKS_MAX = 6;
const LOOK_PAUSE_MS = 500;

/**
 * Refuses a restore that nobody expects any more: this worker has come behind its deadline. One that was there all along begins it whenever
 * its turn comes: then it waited behind others.
 * @throws EtcdOpsError REQUEST_EXPIRED
 */
export function assertStillExpected(
  { pool, startBefore }: Pick<RestoreTask, 'pool' | 'startBefore'>,
  { servingSinceMs, attempt }: { servingSinceMs: number; attempt: number },
): void {
  if (startBefore === undefined) return;
  if (servingSinceMs <= Date.parse(startBefore) + (attempt > 1 ? LATER_ATTEMPT_MS : 0)) return;
  throw new EtcdOpsError('REQUEST_EXPIRED', { message: sayExpired(pool, startBefore) });
}

/** What is told of a request that still waits, behind its deadline, in a queue that nobody looks at. */
export async function expiryOf(
  bus: Bus,
  { pool, startBefore }: { pool: string; startBefore?: string },
  nowMs: number,
): Promise<Failure | undefined> {
  if (startBefore === undefined || nowMs <= Date.parse(startBefore)) return undefined;
  if (await isPoolServed(bus, { kind: 'restore', pool })) return undefined;
  return { code: 'REQUEST_EXPIRED', message: sayExpired(pool, startBefore) };
}

/** @throws EtcdOpsError BUS_UNREACHABLE when no restorer serves the pool. */
export async function assertServed(bus: Bus, pool: string): Promise<void> {
  for (let look = 1; look <= LOOKS_MAX; look++) {
    if (await isPoolServed(bus, { kind: 'restore', pool })) return;
    // Between two tasks, and between two questions for one, a worker is not seen.
    await delay(LOOK_PAUSE_MS);
  }
  throw new EtcdOpsError('BUS_UNREACHABLE', {
    message: `No restorer serves the pool ${JSON.stringify(pool)}: nothing was queued`,
    remedy: 'Start one there (ETCD_OPS_RESTORE_POOL), or name another pool.',
  });
}

function sayExpired(pool: string, startBefore: string): string {
  return `No restorer of the pool ${JSON.stringify(pool)} began it before ${startBefore}; nothing was restored`;
}
