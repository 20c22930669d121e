import { describeError, type LeaseRecord, type Revision } from '@etcd-ops/core';
import { AdaptiveLimit } from './adaptive-limit.ts';
import { KnownLeases } from './known-leases.ts';
import { LeaseQueue } from './lease-queue.ts';
import { UnsettledLeases } from './unsettled-leases.ts';

/** The answers about leases that the tracker needs of a member. */
export interface LeaseSource {
  /** `ttlSeconds` is -1 when the lease exists no more. */
  leaseTimeToLive(id: bigint): Promise<{ grantedTtlSeconds: number; ttlSeconds: number; revision: number }>;
  /** The ids of all leases that live. */
  leases(): Promise<bigint[]>;
}

export interface LeaseLimits {
  /** Questions about leases that may be open at a time, at most: fewer while etcd takes longer to answer. */
  leaseAsksMax: number;
  /** Questions about leases in a second. */
  leaseAsksPerSecondMax: number;
  /** Ids remembered as known, and ids waiting to be asked about; those above it are asked about when seen again. */
  leasesKnownMax: number;
  /** No two listings of all leases come closer than this. */
  leaseListPeriodMs: number;
}

/** A listing may take at most this part of the time: it holds the lessor's lock. */
const LISTING_SHARE_MAX = 0.01;
const ASK_TRIES_MAX = 3;
/** A lease that nobody answered for is recorded as unknown, and asked about again after so long; longer while nobody answers at all. */
const UNKNOWN_RETRY_MS = 5_000;
const UNKNOWN_RETRY_MS_MAX = 60_000;
/** Learned records that may wait to be published; no more is asked meanwhile. */
const RECORDS_MAX = 65_536;
/** Known ids that wait to be asked about once more. */
const RECHECKS_MAX = 1_000;
const PACE_MS = 10;

/**
 * Learns the TTL of each lease that a captured put names: grants send no watch event, so it is asked on first sight, beside the
 * capture and never in its way. After tombstones were seen it looks, rarely, which of the known leases are gone; and since ids are
 * used again, one that is seen again after that is asked about again, when nothing else waits.
 */
export class LeaseTracker {
  readonly #source: LeaseSource;
  readonly #limits: LeaseLimits;
  readonly #now: () => number;
  readonly #onRecord: () => void;
  readonly #onError: (error: unknown) => void;
  readonly #known: KnownLeases;
  /** In the order of their first sight. */
  readonly #waiting: LeaseQueue;
  readonly #rechecks = new LeaseQueue(RECHECKS_MAX);
  readonly #unknown: LeaseQueue;
  readonly #unsettled = new UnsettledLeases();
  readonly #records: LeaseRecord[] = [];
  readonly #concurrency: AdaptiveLimit;
  /** Being asked about. */
  readonly #open = new Set<bigint>();
  /** Questions that may be asked now. */
  #allowance: number;
  #allowedAtMs: number;
  #pace: NodeJS.Timeout | undefined;
  /** Of the monotonic clock that latencies are measured with. */
  #restUntilMs = 0;
  #epoch = 0;
  #tombstonesSeen = false;
  #nextListingMs: number;
  #nextUnknownMs = 0;
  /** Recorded as unknown: each try that fails would be one more record of nothing. */
  readonly #saidUnknown = new Set<bigint>();
  #unknownRetryMs = UNKNOWN_RETRY_MS;
  /** All leases that live are to be asked about, unless they are known. */
  #wantsAll = false;
  #nextAllMs = 0;
  #listing = false;
  #stopped = false;
  #skippedCount = 0;

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
    this.#known = new KnownLeases(options.leasesKnownMax);
    this.#waiting = new LeaseQueue(options.leasesKnownMax);
    this.#unknown = new LeaseQueue(options.leasesKnownMax);
    this.#concurrency = new AdaptiveLimit(options.leaseAsksMax);
    this.#allowance = this.#burst;
    this.#allowedAtMs = options.now();
    this.#nextListingMs = options.now() + options.leaseListPeriodMs;
  }

  get pendingCount(): number {
    return this.#waiting.size + this.#rechecks.size + this.#open.size;
  }

  get recordCount(): number {
    return this.#records.length;
  }

  /** Sights that found the queue full: these leases stay unknown until they are seen again, or a full snapshot names them. */
  get skippedCount(): number {
    return this.#skippedCount;
  }

  /** Up to `last`, or less: all leases that rows name were asked about, and the answers taken. */
  askedTo(last: Revision): Revision {
    return this.#unsettled.upTo(last);
  }

  /** Rows above `floor` may name leases that nobody asked about; `missed` or `askAll` says which. */
  doubt(floor: Revision): void {
    this.#unsettled.doubt(floor);
  }

  /** Asks about leases that others saw and did not get to ask about. */
  missed(ids: Iterable<bigint>): void {
    const added = [...ids].filter((id) => this.#add(id));
    this.#unsettled.found(added);
    this.#askNext();
  }

  /** Asks about every lease that lives, as soon as nothing else waits. */
  askAll(): void {
    this.#wantsAll = true;
  }

  /** In the hot path: a put of this revision names this lease. */
  sight(id: bigint, revision: Revision = 0): void {
    const known = this.#known.get(id);
    if (known !== undefined) {
      if (known.epoch === this.#epoch || known.grantedTtlSeconds < 0 || !this.#rechecks.push(id)) return;
      known.epoch = this.#epoch;
      this.#unsettled.sighted(id, revision);
    } else if (this.#add(id)) {
      this.#unsettled.sighted(id, revision);
    } else {
      // It is found among those that live when the queue is empty again.
      this.#unsettled.doubt(revision - 1);
      this.#wantsAll = true;
    }
    this.#askNext();
  }

  /** In the hot path: a key went, so leases may have gone. */
  tombstone(): void {
    this.#tombstonesSeen = true;
  }

  /** Up to `countMax` records that were learned and not taken yet. */
  take(countMax: number): LeaseRecord[] {
    const taken = this.#records.splice(0, countMax);
    // Somebody was asked, and did not answer: that is no knowledge.
    for (const { id, source } of taken) if (source !== 'unknown') this.#unsettled.settled(id);
    this.#askNext();
    return taken;
  }

  /** Lists the living leases if it is time to; known ones that lack are asked about, and only the answer makes them gone. */
  async listIfDue(): Promise<void> {
    const startedMs = this.#now();
    if (startedMs >= this.#nextUnknownMs) this.#retryUnknown();
    await this.#listAll();
    if (this.#listing || !this.#tombstonesSeen || this.#known.size === 0 || startedMs < this.#nextListingMs) return;
    this.#tombstonesSeen = false;
    this.#epoch++;
    await this.#list(async () => {
      const living = new Set(await this.#source.leases());
      for (const id of this.#known.ids()) {
        if (!living.has(id)) this.#waiting.push(id);
      }
      this.#askNext();
    });
  }

  #retryUnknown(): void {
    for (const id of this.#unknown.takeAll()) this.#add(id);
    this.#askNext();
  }

  async #listAll(): Promise<void> {
    if (!this.#wantsAll || this.#listing || this.#waiting.size > 0 || this.#now() < this.#nextAllMs) return;
    await this.#list(async () => {
      const living = await this.#source.leases();
      this.#wantsAll = false;
      this.missed(living.filter((id) => this.#known.get(id) === undefined));
    });
  }

  async #list(look: () => Promise<void>): Promise<void> {
    const startedMs = this.#now();
    this.#listing = true;
    try {
      await look();
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#listing = false;
      const tookMs = this.#now() - startedMs;
      this.#nextListingMs = this.#now() + Math.max(this.#limits.leaseListPeriodMs, tookMs / LISTING_SHARE_MAX);
      this.#nextAllMs = this.#nextListingMs;
    }
  }

  /** False when there is no room. */
  #add(id: bigint): boolean {
    if (this.#known.get(id) !== undefined) return false;
    if (!this.#waiting.push(id)) {
      this.#skippedCount++;
      return false;
    }
    this.#known.set(id, { grantedTtlSeconds: -1, epoch: this.#epoch });
    return true;
  }

  /** Asks no more; answers on their way are dropped. Returns the ids whose records nobody took. */
  stop(): bigint[] {
    this.#stopped = true;
    clearTimeout(this.#pace);
    this.#rechecks.takeAll();
    const untaken = this.#records.splice(0).map(({ id }) => id);
    return [...untaken, ...this.#open, ...this.#waiting.takeAll(), ...this.#unknown.takeAll()];
  }

  get #burst(): number {
    return Math.max(this.#limits.leaseAsksMax, (this.#limits.leaseAsksPerSecondMax * PACE_MS) / 1_000);
  }

  #askNext(): void {
    while (!this.#stopped && this.#open.size < this.#concurrency.current && this.#records.length < RECORDS_MAX) {
      if (this.#waiting.size + this.#rechecks.size === 0 || !this.#isAllowed()) return;
      const id = this.#waiting.shift() ?? this.#rechecks.shift()!;
      if (this.#open.has(id)) continue;
      this.#open.add(id);
      this.#allowance--;
      void this.#ask(id).finally(() => {
        this.#open.delete(id);
        this.#askNext();
        // Who waits for the last answer is told also when there is nothing new in it.
        if (this.pendingCount === 0) this.#onRecord();
      });
    }
  }

  /** Keeps the rate: comes back by itself when there is none left. */
  #isAllowed(): boolean {
    const nowMs = this.#now();
    const earned = (Math.max(0, nowMs - this.#allowedAtMs) / 1_000) * this.#limits.leaseAsksPerSecondMax;
    this.#allowance = Math.min(this.#burst, this.#allowance + earned);
    this.#allowedAtMs = nowMs;
    const restMs = this.#restUntilMs - performance.now();
    if (this.#allowance >= 1 && restMs <= 0) return true;
    if (this.#pace === undefined) {
      const again = (): void => {
        this.#pace = undefined;
        this.#askNext();
      };
      this.#pace = setTimeout(again, Math.max(PACE_MS, restMs));
    }
    return false;
  }

  async #ask(id: bigint): Promise<void> {
    for (let tries = 1; !this.#stopped; tries++) {
      const askedMs = performance.now();
      try {
        const answer = await this.#source.leaseTimeToLive(id);
        const answeredMs = performance.now();
        this.#concurrency.answered(answeredMs - askedMs);
        this.#restUntilMs = answeredMs + this.#concurrency.restMs(answeredMs - askedMs);
        this.#answered(id, answer);
        return;
      } catch (error) {
        this.#concurrency.failed();
        if (tries < ASK_TRIES_MAX) continue;
        this.#unanswered(id, error);
        return;
      }
    }
  }

  #answered(id: bigint, answer: { grantedTtlSeconds: number; ttlSeconds: number; revision: number }): void {
    this.#unknownRetryMs = UNKNOWN_RETRY_MS;
    this.#saidUnknown.delete(id);
    const gone = answer.ttlSeconds < 0;
    const grantedTtlSeconds = gone ? 0 : answer.grantedTtlSeconds;
    const known = this.#known.get(id);
    // An id can be granted again with another TTL: the next sight asks again.
    if (gone) this.#known.delete(id);
    else if (known === undefined) this.#known.set(id, { grantedTtlSeconds, epoch: this.#epoch });
    else if (known.grantedTtlSeconds === grantedTtlSeconds) {
      if (!this.#records.some((record) => record.id === id)) this.#unsettled.settled(id);
      return;
    } else known.grantedTtlSeconds = grantedTtlSeconds;
    this.#learned({ id, grantedTtlSeconds, askedAtRevision: answer.revision, source: gone ? 'gone' : 'ttl' });
  }

  #unanswered(id: bigint, error: unknown): void {
    const hex = BigInt.asUintN(64, id).toString(16);
    if (!this.#saidUnknown.has(id)) {
      this.#onError(new Error(`The TTL of lease ${hex} is not known: ${describeError(error)}`, { cause: error }));
    }
    // What is recorded stays right until somebody says otherwise; only what was never answered is unknown.
    const recorded = this.#known.get(id)?.grantedTtlSeconds ?? -1;
    this.#known.delete(id);
    if (recorded < 0 && !this.#saidUnknown.has(id)) {
      this.#learned({ id, grantedTtlSeconds: 0, askedAtRevision: 0, source: 'unknown' });
    }
    if (this.#unknown.size === 0) {
      this.#nextUnknownMs = this.#now() + this.#unknownRetryMs;
      this.#unknownRetryMs = Math.min(2 * this.#unknownRetryMs, UNKNOWN_RETRY_MS_MAX);
    }
    if (this.#unknown.push(id)) this.#saidUnknown.add(id);
  }

  #learned(record: LeaseRecord): void {
    if (this.#stopped) return;
    this.#records.push(record);
    this.#onRecord();
  }
}
