import { WATCHERS_PREFIX } from '@etcd-ops/bus';

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
    this.#echo = undefined;
  }

  /** All was told. Whoever was known before and is gone falls silent. */
  settle(nowMs: number): void {
    for (const key of this.#heardMs.keys()) this.#heardMs.set(key, nowMs);
    this.#freeAll();
  }

  /** A watcher says that it lives. */
  heard(key: string, nowMs: number): void {
    if (key !== this.#own) {
      this.#heardMs.set(key, nowMs);
      return;
    }
    const { sinceMs, lastMs } = this.#echo ?? { sinceMs: nowMs, lastMs: nowMs };
    this.#echo = { sinceMs: nowMs - lastMs > this.#silenceMs ? nowMs : sinceMs, lastMs: nowMs };
  }

  holds(key: string, holding: Holding): void {
    this.#held.set(key, holding);
    if (holding.watcher !== this.#own) this.#heardMs.set(holding.watcher, holding.heardMs);
  }

  /** A key was deleted: a cluster given back, or a watcher that ends. */
  gone(key: string): void {
    if (!key.startsWith(WATCHERS_PREFIX)) {
      this.#held.delete(key);
      this.#free(key);
    } else if (this.#heardMs.delete(key)) this.#freeAll();
  }

  /** Finds those that have fallen silent. */
  look(nowMs: number): void {
    const echo = this.#echo;
    if (echo === undefined || nowMs - echo.lastMs > this.#silenceMs) return;
    let found = false;
    for (const [key, heardMs] of this.#heardMs) {
      if (nowMs - Math.max(heardMs, echo.sinceMs) > this.#silenceMs) found = this.#heardMs.delete(key) || found;
    }
    if (found) this.#freeAll();
  }

  isFree(key: string, { nowMs, silentMs }: { nowMs: number; silentMs: number }): boolean {
    const held = this.#held.get(key);
    return held === undefined || this.#isGone(held.watcher) || nowMs - held.heardMs > silentMs;
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
