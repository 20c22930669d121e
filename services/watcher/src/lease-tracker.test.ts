import { describe, expect, it } from 'vitest';
import { LeaseTracker, type LeaseLimits, type LeaseSource } from './lease-tracker.ts';

const LIMITS = { leaseAsksMax: 2, leaseAsksPerSecondMax: 1_000, leasesKnownMax: 4, leaseListPeriodMs: 1_000 };

/** Leases that live, with their TTL, and a clock that a listing moves on. */
function world(options: { listingMs?: number; failing?: boolean } & Partial<LeaseLimits> = {}) {
  let failing = options.failing ?? false;
  const living = new Map<bigint, number>();
  const asked: bigint[] = [];
  let now = 0;
  let open = 0;
  let openMax = 0;
  let listings = 0;
  const source: LeaseSource = {
    async leaseTimeToLive(id) {
      asked.push(id);
      openMax = Math.max(openMax, ++open);
      await new Promise((resolve) => setImmediate(resolve));
      open--;
      if (failing) throw new Error('no answer');
      const ttl = living.get(id);
      return { grantedTtlSeconds: ttl ?? 0, ttlSeconds: ttl ?? -1, revision: 9 };
    },
    leases() {
      listings++;
      now += options.listingMs ?? 0;
      return Promise.resolve([...living.keys()]);
    },
  };
  const errors: unknown[] = [];
  const tracker = new LeaseTracker({
    ...LIMITS,
    ...options,
    source,
    now: () => now,
    onRecord: () => undefined,
    onError: (error) => errors.push(error),
  });
  const settle = async () => {
    while (tracker.pendingCount > 0) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    living,
    asked,
    tracker,
    settle,
    errors,
    listings: () => listings,
    openMax: () => openMax,
    heal: () => (failing = false),
    advance: (ms: number) => (now += ms),
  };
}

/** Waits until a number has not changed for some turns of the event loop. */
async function eventuallyStill(read: () => number): Promise<void> {
  for (let turns = 0, last = -1; turns < 20; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (read() !== last) turns = 0;
    last = read();
  }
}

describe('LeaseTracker', () => {
  it('asks once for each lease on first sight, with bounded concurrency', async () => {
    const { living, asked, tracker, settle, openMax } = world();
    for (const id of [1n, -2n, 3n]) living.set(id, 60);
    for (const id of [1n, -2n, 1n, 3n, -2n]) tracker.sight(id);
    await settle();
    expect(asked).toEqual([1n, -2n, 3n]);
    expect(openMax()).toBe(2);
    expect(tracker.take(2)).toEqual([
      { id: 1n, grantedTtlSeconds: 60, askedAtRevision: 9, source: 'ttl' },
      { id: -2n, grantedTtlSeconds: 60, askedAtRevision: 9, source: 'ttl' },
    ]);
    expect(tracker.recordCount).toBe(1);
  });

  it('asks again for an id that was gone, since ids are used again', async () => {
    const { living, tracker, settle } = world();
    tracker.sight(5n);
    await settle();
    expect(tracker.take(9)).toEqual([{ id: 5n, grantedTtlSeconds: 0, askedAtRevision: 9, source: 'gone' }]);
    living.set(5n, 7);
    tracker.sight(5n);
    await settle();
    expect(tracker.take(9)).toEqual([{ id: 5n, grantedTtlSeconds: 7, askedAtRevision: 9, source: 'ttl' }]);
  });

  it('records unknown when nobody answers', async () => {
    const { tracker, settle, errors, asked } = world({ failing: true });
    tracker.sight(5n);
    await settle();
    expect(asked).toHaveLength(3);
    expect(errors).toHaveLength(1);
    expect(tracker.take(9)).toEqual([{ id: 5n, grantedTtlSeconds: 0, askedAtRevision: 0, source: 'unknown' }]);
  });

  it('lists only after tombstones, and marks gone only what the TTL answer confirms', async () => {
    const { living, tracker, settle, listings, advance } = world();
    living.set(1n, 60).set(2n, 60);
    tracker.sight(1n);
    tracker.sight(2n);
    await settle();
    tracker.take(9);
    living.delete(2n);
    advance(1_000);
    await tracker.listIfDue();
    expect(listings()).toBe(0);
    tracker.tombstone();
    await tracker.listIfDue();
    await settle();
    expect(listings()).toBe(1);
    expect(tracker.take(9)).toEqual([{ id: 2n, grantedTtlSeconds: 0, askedAtRevision: 9, source: 'gone' }]);
  });

  it('spends at most a hundredth of the time on listings', async () => {
    const { living, tracker, settle, listings, advance } = world({ listingMs: 50 });
    living.set(1n, 60);
    tracker.sight(1n);
    await settle();
    advance(1_000);
    for (let ms = 0; ms < 10_000; ms += 500) {
      tracker.tombstone();
      await tracker.listIfDue();
      advance(500);
    }
    expect(listings()).toBe(2);
  });

  it('forgets the oldest above its limit', async () => {
    const { living, asked, tracker, settle } = world();
    for (const id of [1n, 2n, 3n, 4n, 5n]) living.set(id, 60);
    for (const id of [1n, 2n, 3n, 4n, 4n, 1n]) tracker.sight(id);
    await settle();
    for (const id of [5n, 5n, 2n]) tracker.sight(id);
    await settle();
    expect(asked).toEqual([1n, 2n, 3n, 4n, 5n, 2n]);
  });

  it('asks again for what nobody answered, and corrects it', async () => {
    const { living, tracker, settle, heal, advance } = world({ failing: true });
    living.set(5n, 60);
    tracker.sight(5n);
    await settle();
    expect(tracker.take(9)).toMatchObject([{ source: 'unknown' }]);
    advance(4_000);
    await tracker.listIfDue();
    expect(tracker.pendingCount).toBe(0);
    // Asked again, and for nothing: that is no news, and the next time is farther away.
    advance(2_000);
    await tracker.listIfDue();
    await settle();
    expect(tracker.take(9)).toEqual([]);
    heal();
    advance(9_000);
    await tracker.listIfDue();
    expect(tracker.pendingCount).toBe(0);
    advance(2_000);
    await tracker.listIfDue();
    await settle();
    expect(tracker.take(9)).toEqual([{ id: 5n, grantedTtlSeconds: 60, askedAtRevision: 9, source: 'ttl' }]);
  });

  it('notices an id that was granted again between two listings, when it is seen again', async () => {
    const { living, asked, tracker, settle, advance } = world();
    living.set(1n, 60);
    living.set(2n, 60);
    for (const id of [1n, 2n]) tracker.sight(id);
    await settle();
    tracker.take(9);
    // Revoked, which took its keys, and granted again.
    living.set(1n, 7);
    tracker.tombstone();
    tracker.sight(1n);
    advance(1_000);
    await tracker.listIfDue();
    expect(asked).toEqual([1n, 2n]);
    for (const id of [1n, 1n, 2n]) tracker.sight(id);
    await settle();
    expect(asked).toEqual([1n, 2n, 1n, 2n]);
    // The other one is as it was: nothing to record.
    expect(tracker.take(9)).toEqual([{ id: 1n, grantedTtlSeconds: 7, askedAtRevision: 9, source: 'ttl' }]);
  });

  it('keeps its rate, and its queue within its limit', async () => {
    const { living, asked, tracker, settle } = world({ leaseAsksPerSecondMax: 100, leasesKnownMax: 10 });
    for (let id = 1n; id <= 15n; id++) {
      living.set(id, 60);
      tracker.sight(id);
    }
    // One is on its way, ten wait.
    expect(tracker.pendingCount).toBe(11);
    expect(tracker.skippedCount).toBe(4);
    // The clock stands: only what may be asked at once is.
    await eventuallyStill(() => asked.length);
    expect(asked.length).toBe(2);
    const left = tracker.stop();
    expect([...asked, ...left]).toEqual(expect.arrayContaining([1n, 5n, 11n]));
    await settle();
  });

  it('says up to which revision all were asked about, and the answers taken', async () => {
    const { living, tracker, settle } = world();
    living.set(1n, 60).set(2n, 60);
    tracker.sight(1n, 10);
    tracker.sight(2n, 11);
    expect(tracker.askedTo(20)).toBe(9);
    await settle();
    expect(tracker.askedTo(20)).toBe(9);
    tracker.take(1);
    expect(tracker.askedTo(20)).toBe(10);
    tracker.take(1);
    expect(tracker.askedTo(20)).toBe(20);
  });

  it('does not take silence for an answer', async () => {
    const { living, tracker, settle, heal, advance } = world({ failing: true });
    living.set(5n, 60);
    tracker.sight(5n, 10);
    await settle();
    expect(tracker.take(9)).toMatchObject([{ source: 'unknown' }]);
    expect(tracker.askedTo(20)).toBe(9);
    heal();
    advance(31_000);
    await tracker.listIfDue();
    await settle();
    tracker.take(9);
    expect(tracker.askedTo(20)).toBe(20);
  });

  it('asks about what a watcher before it missed: by name, or of all that live', async () => {
    const { living, asked, tracker, settle, listings } = world();
    for (const id of [1n, 2n, 3n]) living.set(id, 60);
    tracker.doubt(5);
    tracker.sight(3n, 30);
    tracker.missed([1n, 3n]);
    await settle();
    expect(asked).toEqual([3n, 1n]);
    expect(tracker.askedTo(40)).toBe(5);
    expect(tracker.take(9)).toHaveLength(2);
    expect(tracker.askedTo(40)).toBe(40);
    tracker.doubt(6);
    tracker.askAll();
    await tracker.listIfDue();
    await settle();
    expect(listings()).toBe(1);
    expect(asked).toEqual([3n, 1n, 2n]);
    expect(tracker.askedTo(40)).toBe(6);
    tracker.take(9);
    expect(tracker.askedTo(40)).toBe(40);
  });

  it('finds what did not fit into its queue among those that live', async () => {
    const { living, asked, tracker, settle, advance } = world({ leasesKnownMax: 8, leaseAsksPerSecondMax: 100_000 });
    for (let id = 1n; id <= 12n; id++) living.set(id, 60);
    for (let id = 1n; id <= 12n; id++) tracker.sight(id, Number(id));
    expect(tracker.skippedCount).toBeGreaterThan(0);
    // The clock of the tracker stands, and moves on so that it may ask.
    const answered = async () => {
      while (tracker.pendingCount > 0) {
        advance(10);
        tracker.take(99);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await answered();
    expect(new Set(asked).size).toBeLessThan(12);
    advance(1_000);
    await tracker.listIfDue();
    await answered();
    await settle();
    expect(new Set(asked).size).toBe(12);
    tracker.take(99);
    expect(tracker.askedTo(40)).toBe(40);
  });

  it('says nothing more once stopped', async () => {
    const { living, tracker, settle } = world();
    living.set(1n, 60);
    tracker.sight(1n);
    tracker.stop();
    await settle();
    expect(tracker.recordCount).toBe(0);
  });
});
