import { describeError, isEtcdOpsError } from '@etcd-ops/core';
import type { Clock, Logger } from '@etcd-ops/service-kit';

/** The key that says who captures a cluster; it expires by itself when it is not renewed. */
export interface OwnerKey {
  /** The key's new revision; undefined when somebody holds it. */
  create(): Promise<number | undefined>;
  /** undefined when the key expired or somebody else holds it. */
  renew(revision: number): Promise<number | undefined>;
  release(revision: number): Promise<void>;
}

export interface OwnershipOptions {
  key: OwnerKey;
  /** Runs while the key is ours; it is aborted and awaited when somebody else has taken it. */
  whileOwned: (signal: AbortSignal) => Promise<void>;
  renewMs: () => number;
  /** Between two tries, where nobody tells when one is worth it. */
  contendMs: number;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
  random?: () => number;
  /** How the clusters are spread over watchers; without it whoever comes first keeps what it gets. */
  spread?: Spread;
}

export interface Spread {
  /** Whether this watcher should try to get the cluster now; each true is followed by `took` or `missed`. */
  mayTake: () => boolean;
  took: () => void;
  missed: () => void;
  gave: () => void;
  /** Whether an owner should give the cluster back, since others have fewer. */
  mustYield: () => boolean;
  /** Whether `onFree` can be relied on now. */
  isTold: () => boolean;
  /** Calls `listener` when the cluster may have become free. Returns how to stop that. */
  onFree: (listener: () => void) => () => void;
}

/** Who is told when a cluster becomes free looks for itself so seldom. */
const TOLD_REST_MS = 4_000;
/** All hear of it at once, and come one after the other. */
const WAKE_SPREAD_MS = 200;

/**
 * Spreads clusters over watchers, and no more than that: two that believe to be owners at once are told apart by the stream's
 * fence. So an owner that cannot renew goes on capturing until it sees another one's name, and resolves only at the end.
 */
export async function holdOwnership(options: OwnershipOptions): Promise<void> {
  const { key, clock, contendMs, signal, spread, random = Math.random } = options;
  // Expiry is invisible to watchers of the bucket, so contenders try; the random part keeps them from trying together.
  const rest = async ({ wake }: { wake: boolean }): Promise<void> => {
    const woken = new AbortController();
    const forget = wake ? spread?.onFree(() => woken.abort()) : undefined;
    const pause = (spread?.isTold() === true ? TOLD_REST_MS : contendMs) * (0.8 + 0.4 * random());
    await clock.sleep(pause, AbortSignal.any([signal, woken.signal])).catch(() => undefined);
    forget?.();
    if (woken.signal.aborted) await clock.sleep(WAKE_SPREAD_MS * random(), signal).catch(() => undefined);
  };
  while (!signal.aborted) {
    const isWanted = spread?.mayTake() ?? true;
    const revision = isWanted ? await tryCreate(options, key) : undefined;
    if (revision === undefined) {
      if (isWanted) spread?.missed();
      await rest({ wake: true });
      continue;
    }
    spread?.took();
    try {
      await own(revision, options);
    } finally {
      spread?.gave();
    }
    // Given back to whoever has fewer: not taken again in the same moment.
    if (!signal.aborted && spread !== undefined) await rest({ wake: false });
  }
}

async function tryCreate({ logger }: OwnershipOptions, key: OwnerKey): Promise<number | undefined> {
  return await key.create().catch((error: unknown) => {
    logger.debug({ reason: describeError(error) }, 'The owners could not be asked');
    return undefined;
  });
}

async function own(firstRevision: number, options: OwnershipOptions): Promise<void> {
  const { key, clock, renewMs, signal } = options;
  const lost = new AbortController();
  const stop = AbortSignal.any([signal, lost.signal]);
  const ended = new AbortController();
  const work = options
    .whileOwned(stop)
    .catch((error: unknown) => {
      if (!isEtcdOpsError(error, 'CANCELLED')) throw error;
    })
    .finally(() => ended.abort());
  let revision: number | undefined = firstRevision;
  const ending = AbortSignal.any([stop, ended.signal]);
  while (!ending.aborted) {
    await clock.sleep(renewMs(), ending).catch(() => undefined);
    if (ending.aborted) break;
    if (options.spread?.mustYield() === true) {
      options.logger.info({}, 'Given back, for another watcher has fewer clusters');
      lost.abort();
      break;
    }
    try {
      revision = (revision === undefined ? undefined : await key.renew(revision)) ?? (await key.create());
      if (revision === undefined) {
        options.logger.info({}, 'Another watcher owns the cluster now');
        lost.abort();
      }
    } catch (error) {
      options.logger.warn({ reason: describeError(error) }, 'The ownership could not be renewed; capture goes on');
    }
  }
  try {
    await work;
  } finally {
    if (revision !== undefined) await key.release(revision).catch(() => undefined);
  }
}
