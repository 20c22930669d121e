export interface FairShareOptions {
  clusters: () => number;
  watchers: () => number;
  /** At most one cluster is given up in so long: its next owner is counted by then. Shorter where many are to be given up. */
  yieldPauseMs: number;
  /** A cluster that nobody took for so long is taken by whoever sees it. */
  patienceMs: number;
  /** Never goes back, in milliseconds. */
  monotonicMs?: () => number;
}

/** However many are to be given up: all of them within about so long. */
const YIELD_ALL_MS = 60_000;

/**
 * How many clusters one watcher should own: as many as any other, rounded up. Whoever has fewer takes, whoever has more gives one
 * after the other back. A hint like all of ownership: nobody is owned by two for it, and nobody stays unowned.
 */
export class FairShare {
  readonly #options: FairShareOptions;
  readonly #monotonicMs: () => number;
  readonly #owned = new Set<string>();
  /** Asked for, without an answer yet. */
  readonly #wanted = new Set<string>();
  readonly #refrainedSinceMs = new Map<string, number>();
  #yieldedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: FairShareOptions) {
    this.#options = options;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
  }

  /** How many this one has. */
  get owned(): number {
    return this.#owned.size;
  }

  /** Asked before each try to take a cluster that seems free; after true, `took` or `missed` MUST tell what came of it. */
  mayTake(cluster: string): boolean {
    if (this.#owned.size + this.#wanted.size < this.#limit()) {
      this.#refrainedSinceMs.delete(cluster);
      this.#wanted.add(cluster);
      return true;
    }
    const now = this.#monotonicMs();
    const since = this.#refrainedSinceMs.get(cluster) ?? now;
    const isPatient = now - since < this.#options.patienceMs;
    this.#refrainedSinceMs.set(cluster, isPatient ? since : now);
    return !isPatient;
  }

  missed(cluster: string): void {
    this.#wanted.delete(cluster);
  }

  /** Somebody has it. */
  seenHeld(cluster: string): void {
    this.#refrainedSinceMs.delete(cluster);
  }

  took(cluster: string): void {
    this.#wanted.delete(cluster);
    this.#owned.add(cluster);
    this.#refrainedSinceMs.delete(cluster);
  }

  gave(cluster: string): void {
    this.#owned.delete(cluster);
  }

  /** Asked by an owner now and then; after true it MUST give the cluster up. */
  mustYield(): boolean {
    const now = this.#monotonicMs();
    const surplus = this.#owned.size - this.#limit();
    if (surplus <= 0 || now - this.#yieldedAtMs < Math.min(this.#options.yieldPauseMs, YIELD_ALL_MS / surplus)) {
      return false;
    }
    this.#yieldedAtMs = now;
    return true;
  }

  #limit(): number {
    return Math.ceil(this.#options.clusters() / Math.max(1, this.#options.watchers()));
  }
}
