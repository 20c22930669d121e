import { describeError, type LeaseRecord } from '@etcd-ops/core';

/** The answers about leases that the tracker needs of a member. */
export interface LeaseSource {
  /** `ttlSeconds` is -1 when the lease exists no more. */
  leaseTimeToLive(id: bigint): Promise<{ grantedTtlSeconds: number; ttlSeconds: number; revision: number }>;
  /** The ids of all leases that live. */
  leases(): Promise<bigint[]>;
}

export interface LeaseLimits {
  /** Questions about leases that may be open at a time. */
  leaseAsksMax: number;
  /** Ids remembered as known; above it the oldest are forgotten, and asked again when seen again. */
  leasesKnownMax: number;
  /** No two listings of all leases come closer than this. */
  leaseListPeriodMs: number;
}

/** A listing may take at most this part of the time: it holds the lessor's lock. */
const LISTING_SHARE_MAX = 0.01;
const ASK_TRIES_MAX = 3;

/**
 * Learns the TTL of each lease that a captured put names: grants send no watch event, so it is asked on first sight, beside the
 * capture and never in its way. After tombstones were seen it looks, rarely, which of the known leases are gone.
 */
export class LeaseTracker {
  readonly #source: LeaseSource;
  readonly #limits: LeaseLimits;
  readonly #now: () => number;
  readonly #onRecord: () => void;
  readonly #onError: (error: unknown) => void;
  /** In the order of their first sight. */
  readonly #known = new Set<bigint>();
  readonly #waiting: bigint[] = [];
  readonly #records: LeaseRecord[] = [];
  #asking = 0;
  #tombstonesSeen = false;
  #nextListingMs = 0;
  #listing = false;
  #stopped = false;

  constructor(
    options: LeaseLimits & {
      source: LeaseSource;
      now: () => number;
      onRecord: () => void;
      onError: (error: unknown) => void;
    },
  ) {
    this.#source = options.source;
    this.#limits = options;
    this.#now = options.now;
    this.#onRecord = options.onRecord;
    this.#onError = options.onError;
    this.#nextListingMs = options.now() + options.leaseListPeriodMs;
  }

  get pendingCount(): number {
    return this.#waiting.length + this.#asking;
  }

  get recordCount(): number {
    return this.#records.length;
  }

  /** In the hot path: a put names this lease. */
  sight(id: bigint): void {
    if (this.#known.has(id)) return;
    this.#remember(id);
    this.#waiting.push(id);
    this.#askNext();
  }

  /** In the hot path: a key went, so leases may have gone. */
  tombstone(): void {
    this.#tombstonesSeen = true;
  }

  /** Up to `countMax` records that were learned and not taken yet. */
  take(countMax: number): LeaseRecord[] {
    return this.#records.splice(0, countMax);
  }

  /** Lists the living leases if it is time to; known ones that lack are asked about, and only the answer makes them gone. */
  async listIfDue(): Promise<void> {
    const startedMs = this.#now();
    if (this.#listing || !this.#tombstonesSeen || this.#known.size === 0 || startedMs < this.#nextListingMs) return;
    this.#listing = true;
    this.#tombstonesSeen = false;
    try {
      const living = new Set(await this.#source.leases());
      for (const id of this.#known) {
        if (!living.has(id)) this.#waiting.push(id);
      }
      this.#askNext();
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#listing = false;
      const tookMs = this.#now() - startedMs;
      this.#nextListingMs = this.#now() + Math.max(this.#limits.leaseListPeriodMs, tookMs / LISTING_SHARE_MAX);
    }
  }

  /** Asks no more; answers on their way are dropped. */
  stop(): void {
    this.#stopped = true;
    this.#waiting.length = 0;
  }

  #remember(id: bigint): void {
    if (this.#known.size >= this.#limits.leasesKnownMax) {
      const [oldest] = this.#known;
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.add(id);
  }

  #askNext(): void {
    while (!this.#stopped && this.#asking < this.#limits.leaseAsksMax) {
      const id = this.#waiting.shift();
      if (id === undefined) return;
      this.#asking++;
      void this.#ask(id).finally(() => {
        this.#asking--;
        this.#askNext();
      });
    }
  }

  async #ask(id: bigint): Promise<void> {
    for (let tries = 1; !this.#stopped; tries++) {
      try {
        const answer = await this.#source.leaseTimeToLive(id);
        const gone = answer.ttlSeconds < 0;
        // An id can be granted again with another TTL: the next sight asks again.
        if (gone) this.#known.delete(id);
        this.#learned({
          id,
          grantedTtlSeconds: gone ? 0 : answer.grantedTtlSeconds,
          askedAtRevision: answer.revision,
          source: gone ? 'gone' : 'ttl',
        });
        return;
      } catch (error) {
        if (tries < ASK_TRIES_MAX) continue;
        this.#onError(
          new Error(`The TTL of lease ${BigInt.asUintN(64, id).toString(16)} is not known: ${describeError(error)}`, {
            cause: error,
          }),
        );
        this.#known.delete(id);
        this.#learned({ id, grantedTtlSeconds: 0, askedAtRevision: 0, source: 'unknown' });
        return;
      }
    }
  }

  #learned(record: LeaseRecord): void {
    if (this.#stopped) return;
    this.#records.push(record);
    this.#onRecord();
  }
}
