import {
  clusterKey,
  owners,
  watcherKey,
  WATCHER_SILENCE_MS,
  WATCHERS_PREFIX,
  type Bus,
  type Owner,
} from '@etcd-ops/bus';
import { describeError } from '@etcd-ops/core';
import { retry, type Clock, type Logger } from '@etcd-ops/service-kit';
import { FleetNews, type Holding } from './fleet-news.ts';

export interface FleetOptions {
  bus: Bus;
  /** Of this process. */
  watcher: string;
  /** How often this one says that it lives. */
  renewMs: number;
  clock: Clock;
  logger: Logger;
  /** Never goes back, in milliseconds. */
  monotonicMs?: () => number;
}

/** An owner of no more renews each as often as it is told to. */
const OWNERS_AT_FULL_RATE = 100;
/** How often it is looked whether another one has fallen silent. */
const LOOK_MS = 250;
/** Whoever comes next for a free cluster waits so long for whoever comes before: together they would be in each other's way. */
const TURN_MS = 500;
/** A voice that was stored and is not heard for so long is not going to be: the node that served the watch of the bucket is gone. */
const DEAF_MS = 2_000;
/** Whoever was not heard tries again after so long: an election takes some seconds, and all wait for its end. */
const TELL_AGAIN_MS = 250;
const FOLLOW_AGAIN_MS = 100;
const FOLLOW_AGAIN_MS_MAX = 1_000;
/** A key that expired is not told of: an owner's that was not renewed for so much longer than it lives is gone. */
const EXPIRY_SLACK_MS = 2_000;

/**
 * What the watchers tell each other in the bucket of owners: which of them live and share the clusters, and who holds which. So nobody
 * asks for a cluster that has an owner, and one that goes, or falls silent, is followed at once. Like ownership itself it only spreads
 * the work: what it tells may be old.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #news: FleetNews;
  readonly #monotonicMs: () => number;
  /** How long a key lives that is not renewed. */
  #ttlMs = 0;
  /** Of one's own voice: the newest that came back, and the oldest that was stored since and did not. */
  #heardRevision = 0;
  #unheard: { revision: number; sinceMs: number } | undefined;
  #deaf = new AbortController();
  #lookedMs = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#news = new FleetNews({ own: watcherKey(options.watcher), silenceMs: WATCHER_SILENCE_MS });
  }

  /** This one included. */
  get size(): number {
    return this.#news.others + 1;
  }

  /** False while nothing is known: then whoever wants a cluster has to ask for it again and again. */
  get isFollowed(): boolean {
    return this.#ttlMs > 0;
  }

  /** How often an owner renews, who has so many: each by itself as often as is told of a small fleet, all together no more than so. */
  renewMs(owned: number): number {
    const { renewMs } = this.#options;
    const often = Math.max(renewMs, (owned * renewMs) / OWNERS_AT_FULL_RATE);
    return Math.max(renewMs, Math.min(often, this.#ttlMs / 4));
  }

  /** In how long it is worth to ask for a cluster: 0 for now; undefined while it is held, as far as is known. */
  waitMs(cluster: string): number | undefined {
    if (!this.isFollowed) return 0;
    const key = clusterKey(cluster);
    const nowMs = this.#monotonicMs();
    const sinceMs = this.#news.freeSince(key, { nowMs, silentMs: this.#silentMs });
    if (sinceMs === undefined) return undefined;
    return Math.max(0, sinceMs + this.#news.rank(key) * TURN_MS - nowMs);
  }

  /** What a watcher holds that is gone: whoever comes first may replace it. */
  abandoned(cluster: string): Holding | undefined {
    return this.isFollowed ? this.#news.abandoned(clusterKey(cluster)) : undefined;
  }

  /** Calls `listener` when the cluster, or many of them, may have become free; returns how to stop that. */
  onFree(cluster: string, listener: () => void): () => void {
    return this.#news.onFree(clusterKey(cluster), listener);
  }

  /** Until the signal is aborted; `depart` comes behind it, when all clusters were given back. */
  async run(signal: AbortSignal): Promise<void> {
    const looking = setInterval(() => this.#look(this.#monotonicMs()), LOOK_MS);
    try {
      await Promise.all([this.#tell(signal), this.#listen(signal)]);
    } finally {
      clearInterval(looking);
    }
  }

  async depart(): Promise<void> {
    const { bus, watcher } = this.#options;
    await owners(bus)
      .delete(watcherKey(watcher))
      .catch(() => undefined);
  }

  /** How long the key of a living watcher counts that is not renewed. */
  get #silentMs(): number {
    return this.isFollowed ? this.#ttlMs + EXPIRY_SLACK_MS : Infinity;
  }

  async #tell(signal: AbortSignal): Promise<void> {
    const { bus, watcher, renewMs, clock, logger } = this.#options;
    const value: Owner = { version: 1, watcher, since: new Date(clock.now()).toISOString() };
    while (!signal.aborted) {
      const revision = await owners(bus)
        .put(watcherKey(watcher), value)
        .catch((error: unknown) => {
          logger.debug({ reason: describeError(error) }, 'The other watchers could not be told');
          return undefined;
        });
      if (revision !== undefined && revision > this.#heardRevision) {
        this.#unheard ??= { revision, sinceMs: this.#monotonicMs() };
      }
      const restMs = revision === undefined ? Math.min(renewMs, TELL_AGAIN_MS) : renewMs;
      await clock.sleep(restMs, signal).catch(() => undefined);
    }
  }

  #look(nowMs: number): void {
    this.#news.look(nowMs, this.#silentMs);
    // Of a process that was busy itself, what it has not read yet says nothing.
    const wasBusy = nowMs - this.#lookedMs > DEAF_MS / 2;
    this.#lookedMs = nowMs;
    if (wasBusy || !this.isFollowed || this.#unheard === undefined) return;
    if (nowMs - this.#unheard.sinceMs > DEAF_MS) this.#deaf.abort();
  }

  #heardOwn(revision: number): void {
    this.#heardRevision = revision;
    if (this.#unheard !== undefined && revision >= this.#unheard.revision) this.#unheard = undefined;
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    await retry(async () => await this.#follow(signal), {
      signal,
      clock,
      delayMs: FOLLOW_AGAIN_MS,
      delayMsMax: FOLLOW_AGAIN_MS_MAX,
      shouldRetry: () => true,
      onRetry: ({ error }) => logger.debug({ reason: describeError(error) }, 'The other watchers are followed anew'),
    }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { bus } = this.#options;
    // A watch that lives through a restart of the server, or of the node that serves it, notices only after some 15 s that it has to
    // begin anew.
    const deaf = new AbortController();
    this.#deaf = deaf;
    this.#unheard = undefined;
    const stopListening = bus.onStatus(({ type }) => {
      if (type === 'reconnected') deaf.abort();
    });
    try {
      await this.#read(AbortSignal.any([signal, deaf.signal]));
    } finally {
      stopListening();
      this.#ttlMs = 0;
    }
    if (!signal.aborted) throw new Error('The watch of the bucket ended');
  }

  async #read(signal: AbortSignal): Promise<void> {
    const bucket = owners(this.#options.bus);
    const ttlMs = await bucket.ttlMs();
    this.#news.begin();
    const onInitialized = (): void => {
      this.#news.settle(this.#monotonicMs());
      this.#unheard = undefined;
      this.#ttlMs = ttlMs;
    };
    for await (const change of bucket.watch({ signal, onInitialized })) {
      const nowMs = this.#monotonicMs();
      if (change.kind === 'deleted') this.#news.gone(change.key, nowMs);
      else if (change.kind === 'put') {
        const { key, value, revision } = change.entry;
        if (key === watcherKey(this.#options.watcher)) this.#heardOwn(revision);
        if (key.startsWith(WATCHERS_PREFIX)) this.#news.heard(key, nowMs);
        else this.#news.holds(key, { watcher: watcherKey(value.watcher), revision, heardMs: nowMs });
      }
    }
  }
}
