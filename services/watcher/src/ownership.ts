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
  /** After how long to look again by itself; undefined where `onFree` tells when that is worth it. */
  restMs: () => number | undefined;
  /** Calls `listener` when the cluster may have become free. Returns how to stop that. */
  onFree: (listener: () => void) => () => void;
}

/** Who is told when a cluster becomes free looks for itself so seldom. */
const TOLD_REST_MS = 30_000;
/** Whoever gave it back, or lost it, leaves it to the others for so long, and hears nothing meanwhile. */
const GIVEN_BACK_REST_MS = 1_000;
/** An abort without a reason makes an exception with a stack, for each cluster that becomes free. */
const WOKEN = 'woken';

/**
 * Spreads clusters over watchers, and no more than that: two that believe to be owners at once are told apart by the stream's
 * fence. So an owner that cannot renew goes on capturing until it sees another one's name, and resolves only at the end.
 */
export async function holdOwnership(options: OwnershipOptions): Promise<void> {
  const { key, clock, contendMs, signal, spread, random = Math.random } = options;
  // Expiry is invisible to watchers of the bucket, so contenders try; the random part keeps them from trying together.
  const rest = async (): Promise<void> => {
    const woken = new AbortController();
    const forget = spread?.onFree(() => woken.abort(WOKEN));
    const pauseMs = spread === undefined ? contendMs : (spread.restMs() ?? TOLD_REST_MS);
    await clock.sleep(pauseMs * (1 + 0.2 * random()), AbortSignal.any([signal, woken.signal])).catch(() => undefined);
    forget?.();
  };
  while (!signal.aborted) {
    const isWanted = spread?.mayTake() ?? true;
    const revision = isWanted ? await tryCreate(options, key) : undefined;
    if (revision === undefined) {
      if (isWanted) spread?.missed();
      await rest();
      continue;
    }
    spread?.took();
    try {
      await own(revision, options);
    } finally {
      spread?.gave();
    }
    if (!signal.aborted && spread !== undefined) {
      await clock.sleep(GIVEN_BACK_REST_MS, signal).catch(() => undefined);
    }
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
