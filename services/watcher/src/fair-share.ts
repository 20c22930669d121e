export interface FairShareOptions {
  clusters: () => number;
  watchers: () => number;
  /** At most one cluster is given up in so long: its next owner is counted by then. */
  yieldPauseMs: number;
  /** A cluster that nobody took for so long is taken by whoever sees it. */
  patienceMs: number;
  /** Never goes back, in milliseconds. */
  monotonicMs?: () => number;
}

/**
 * How many clusters one watcher should own: as many as any other, rounded up. Whoever has fewer takes, whoever has more gives one
 * after the other back. A hint like all of ownership: nobody is owned by two for it, and nobody stays unowned.
 */
export class FairShare {
  readonly #options: FairShareOptions;
  readonly #monotonicMs: () => number;
  readonly #owned = new Set<string>();
  readonly #refrainedSinceMs = new Map<string, number>();
  #yieldedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: FairShareOptions) {
    this.#options = options;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
  }

  /** Asked before each try to take a cluster; a try of one that has an owner harms nobody. */
  mayTake(cluster: string): boolean {
    if (this.#owned.size < this.#limit()) {
      this.#refrainedSinceMs.delete(cluster);
      return true;
    }
    const now = this.#monotonicMs();
    const since = this.#refrainedSinceMs.get(cluster) ?? now;
    const isPatient = now - since < this.#options.patienceMs;
    this.#refrainedSinceMs.set(cluster, isPatient ? since : now);
    return !isPatient;
  }

  took(cluster: string): void {
    this.#owned.add(cluster);
    this.#refrainedSinceMs.delete(cluster);
  }

  gave(cluster: string): void {
    this.#owned.delete(cluster);
  }

  /** Asked by an owner now and then; after true it MUST give the cluster up. */
  mustYield(): boolean {
    const now = this.#monotonicMs();
    if (this.#owned.size <= this.#limit() || now - this.#yieldedAtMs < this.#options.yieldPauseMs) return false;
    this.#yieldedAtMs = now;
    return true;
  }

  #limit(): number {
    return Math.ceil(this.#options.clusters() / Math.max(1, this.#options.watchers()));
  }
}
