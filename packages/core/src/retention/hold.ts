import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { describeError } from '../base/errors.ts';
import { retentionRecordId, retentionRecordKey } from '../repository/retention-key.ts';
import { encodeHold, type HoldRecord } from '../repository/retention-records.ts';
import type { ObjectStore } from '../storage/object-store.ts';

/** A hold that nobody renews ends so long after it was written last. */
const TTL_MS = 300_000;
/** Renewals in that time: one may fail. */
const RENEWALS = 3;

export interface HoldOptions {
  cluster: string;
  /** For people: `restore`, `copy`. */
  purpose: string;
  /** The full and the deltas up to `to` that will be read; absent: the whole repository. */
  chain?: { timeline: number; full: string; to: number };
  ttlMs?: number;
  now?: () => number;
}

export interface Hold extends AsyncDisposable {
  /** Why the store did not take it: then only the grace period protects what is read. */
  readonly problem: string | undefined;
}

/**
 * Tells the garbage collector, through the store alone, that objects are being read: what is held is not removed. Renewed until
 * disposed; if the process dies, it ends by itself. A store that only may be read takes no hold, and that is no error.
 *
 * Write the hold first, then read the marks (a new inventory does): whoever removes reads the holds after it wrote its marks,
 * so at least one of the two sees the other.
 */
export async function holdObjects(store: ObjectStore, options: HoldOptions): Promise<Hold> {
  const { cluster, purpose, chain, ttlMs = TTL_MS, now = Date.now } = options;
  const createdAtMs = now();
  const id = retentionRecordId(createdAtMs, randomBytes(4).toString('hex'));
  const key = retentionRecordKey({ kind: 'hold', cluster, id });
  const record: HoldRecord = {
    version: 1,
    kind: 'hold',
    cluster,
    purpose,
    holder: `${hostname()}/${process.pid}`.slice(0, 200),
    createdAt: new Date(createdAtMs).toISOString(),
    ttlMs,
    ...(chain === undefined ? {} : { chain }),
  };
  const body = encodeHold(record);
  try {
    await store.put(key, body);
  } catch (error) {
    return { problem: describeError(error), [Symbol.asyncDispose]: async () => undefined };
  }
  let renewal: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    // A renewal that fails is followed by another before the hold ends.
    renewal = store.put(key, body).catch(() => undefined);
  }, ttlMs / RENEWALS);
  timer.unref();
  return {
    problem: undefined,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await renewal;
      // Where it may not be deleted, it ends by itself.
      await store.delete([key]).catch(() => undefined);
    },
  };
}
