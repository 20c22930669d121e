import type { ObjectLock, ObjectStore } from '../storage/object-store.ts';
import type { RetentionDecision } from './plan-retention.ts';

/** Questions to the store at the same time. */
const PARALLEL = 16;

/**
 * What the store itself protects of the objects that are to go, as a sentence by key. Nothing where it protects nothing.
 * @throws EtcdOpsError STORE_..., CANCELLED.
 */
export async function readLocks(
  store: ObjectStore,
  decisions: readonly RetentionDecision[],
  { nowMs, signal }: { nowMs: number; signal?: AbortSignal | undefined },
): Promise<Map<string, string>> {
  const locked = new Map<string, string>();
  if (!store.capabilities.objectLock || store.objectLock === undefined) return locked;
  const keys = decisions.flatMap((decision) => decision.keys);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < keys.length) {
      signal?.throwIfAborted();
      const key = keys[next++]!;
      const lock = await store.objectLock?.(key);
      const said = lock === undefined ? undefined : describeLock(lock, nowMs);
      if (said !== undefined) locked.set(key, said);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, keys.length) }, worker));
  return locked;
}

/** Undefined when it does not protect any more. */
function describeLock({ retainUntilMs, mode, legalHold }: ObjectLock, nowMs: number): string | undefined {
  if (legalHold) return 'under legal hold';
  if (retainUntilMs === undefined || retainUntilMs <= nowMs) return undefined;
  return `locked until ${new Date(retainUntilMs).toISOString()}${mode === undefined ? '' : ` (${mode})`}`;
}
