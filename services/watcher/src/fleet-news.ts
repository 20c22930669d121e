import { WATCHERS_PREFIX } from '@etcd-ops/bus';
import { rankOf } from './rank.ts';

/** Who holds a cluster, by what was heard last. */
export interface Holding {
  /** Key of the watcher. */
  watcher: string;
  /** Of the cluster's key. */
  revision: number;
  /** Of the monotonic clock. */
  heardMs: number;
}

/**
 * What is known of the other watchers and of the clusters that they hold, from the changes of the bucket. Whether one is silent is only
 * judged while one's own voice comes back: on a connection that broke, everybody is silent.
 */
export class FleetNews {
  readonly #own: string;
  readonly #silenceMs: number;
  /** When each other one was heard of last. Expiry is not told to who watches a bucket. */
  readonly #heardMs = new Map<string, number>();
  readonly #held = new Map<string, Holding>();
  /** Since when: clusters that were given back, and watchers that are gone. */
  readonly #freeSinceMs = new Map<string, number>();
  readonly #goneSinceMs = new Map<string, number>();
  #toldSinceMs = 0;
  #lookedMs = 0;
  readonly #listeners = new Map<string, Set<() => void>>();
  /** Since when, and until when, one's own voice has come back without a break. */
  #echo: { sinceMs: number; lastMs: number } | undefined;

  constructor(options: { own: string; silenceMs: number }) {
    this.#own = options.own;
    this.#silenceMs = options.silenceMs;
  }

  get others(): number {
    return this.#heardMs.size;
  }

  /** All is going to be told once more. */
  begin(): void {
    this.#held.clear();
    this.#freeSinceMs.clear();
    this.#goneSinceMs.clear();
    this.#echo = undefined;
  }

  /** All was told. Whoever was known before and is gone falls silent. */
  settle(nowMs: number): void {
    for (const key of this.#heardMs.keys()) this.#heardMs.set(key, nowMs);
    this.#toldSinceMs = nowMs;
    this.#freeAll();
  }

  /** A watcher says that it lives. */
  heard(key: string, nowMs: number): void {
    if (key !== this.#own) {
      this.#hear(key, nowMs);
      return;
    }
    const { sinceMs, lastMs } = this.#echo ?? { sinceMs: nowMs, lastMs: nowMs };
    this.#echo = { sinceMs: nowMs - lastMs > this.#silenceMs ? nowMs : sinceMs, lastMs: nowMs };
  }

  holds(key: string, holding: Holding): void {
    this.#held.set(key, holding);
    this.#freeSinceMs.delete(key);
    if (holding.watcher !== this.#own) this.#hear(holding.watcher, holding.heardMs);
  }

  /** A key was deleted: a cluster given back, or a watcher that ends. */
  gone(key: string, nowMs: number): void {
    if (!key.startsWith(WATCHERS_PREFIX)) {
      this.#held.delete(key);
      this.#freeSinceMs.set(key, nowMs);
      this.#free(key);
    } else if (this.#lose(key, nowMs)) this.#freeAll();
  }

  /** Finds those that have fallen silent, and keys that have run out: `silentMs` as for `freeSince`. */
  look(nowMs: number, silentMs: number): void {
    const lookedMs = this.#lookedMs;
    this.#lookedMs = nowMs;
    const echo = this.#echo;
    if (echo === undefined || nowMs - echo.lastMs > this.#silenceMs) return;
    let found = false;
    for (const [key, heardMs] of this.#heardMs) {
      if (nowMs - Math.max(heardMs, echo.sinceMs) > this.#silenceMs) found = this.#lose(key, nowMs) || found;
    }
    if (found) this.#freeAll();
    for (const key of this.#listeners.keys()) {
      const heardMs = this.#held.get(key)?.heardMs;
      if (heardMs === undefined) continue;
      const runsOutMs = Math.max(heardMs, echo.sinceMs) + silentMs;
      if (runsOutMs < nowMs && runsOutMs >= lookedMs) this.#free(key);
    }
  }

  /** Since when it may be worth to ask for a cluster; undefined while it is held. */
  freeSince(key: string, { nowMs, silentMs }: { nowMs: number; silentMs: number }): number | undefined {
    const held = this.#held.get(key);
    if (held === undefined) return this.#freeSinceMs.get(key) ?? this.#toldSinceMs;
    if (this.#isGone(held.watcher)) return this.#goneSinceMs.get(held.watcher) ?? this.#toldSinceMs;
    const runsOutMs = held.heardMs + silentMs;
    return nowMs > runsOutMs ? runsOutMs : undefined;
  }

  /** How many of the others come before this one where a cluster is free. All who know of the same watchers agree. */
  rank(key: string): number {
    return rankOf(key, this.#own, this.#heardMs.keys());
  }

  abandoned(key: string): Holding | undefined {
    const held = this.#held.get(key);
    return held !== undefined && this.#isGone(held.watcher) ? held : undefined;
  }

  onFree(key: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(key) === listeners) this.#listeners.delete(key);
    };
  }

  #hear(watcher: string, nowMs: number): void {
    this.#heardMs.set(watcher, nowMs);
    this.#goneSinceMs.delete(watcher);
  }

  #lose(watcher: string, nowMs: number): boolean {
    this.#goneSinceMs.set(watcher, nowMs);
    return this.#heardMs.delete(watcher);
  }

  /** One's own key of before is nobody else's either. */
  #isGone(watcher: string): boolean {
    return !this.#heardMs.has(watcher);
  }

  #free(key: string): void {
    for (const listener of this.#listeners.get(key) ?? []) listener();
  }

  #freeAll(): void {
    for (const key of this.#listeners.keys()) {
      if (!this.#held.has(key) || this.abandoned(key) !== undefined) this.#free(key);
    }
  }
}
