import { ByteSlice, EtcdOpsError, RowBlock } from '@etcd-ops/core';
import type { EventMessage, EventWriter } from '@etcd-ops/bus';
import type { EtcdMember, WatchEnd, WatchOptions, WatchSink } from '@etcd-ops/etcd-client';
import { createLogger, createMetrics, systemClock, type Clock } from '@etcd-ops/service-kit';
import { eventually } from '@etcd-ops/test-kit';
import { describe, expect, it } from 'vitest';
import { CaptureWatch } from './capture-watch.ts';
import type { DeltaTrigger } from './delta-trigger.ts';
import { FramePublisher } from './frame-publisher.ts';
import { LeaseTracker } from './lease-tracker.ts';
import { createCaptureMetrics } from './metrics.ts';

/** A capture from revision 5 on, with a member and a writer that the test moves by hand. */
function world(
  options: { compacted?: number; guardBacklogs?: boolean; holdAcks?: boolean; lingerMs?: number; clock?: Clock } = {},
) {
  const closed = Promise.withResolvers<WatchEnd>();
  const asked: number[] = [];
  let sink!: WatchSink;
  const member = {
    watch: (given: WatchOptions) => {
      sink = given.sink;
      return {
        closed: closed.promise,
        pause: () => undefined,
        resume: () => undefined,
        cancel: () => closed.resolve({ kind: 'aborted' }),
      };
    },
    readAt: (revision: number) => {
      asked.push(revision);
      return Promise.resolve(revision < (options.compacted ?? 0) ? 'compacted' : 'ok');
    },
    // Slower than the row that named it.
    async leaseTimeToLive(id: bigint) {
      await eventually(() => published.length > 0);
      return { id, grantedTtlSeconds: 60, ttlSeconds: 50, revision: 9 };
    },
    leases: () => Promise.resolve([]),
  } as unknown as EtcdMember;
  const published: EventMessage[] = [];
  const acks: (() => void)[] = [];
  const writer = {
    async publish(message: EventMessage) {
      published.push(message);
      if (options.holdAcks === true) await new Promise<void>((resolve) => acks.push(resolve));
      return { sequence: published.length };
    },
  } as unknown as EventWriter;
  const limits = { leaseAsksMax: 4, leaseAsksPerSecondMax: 1_000, leasesKnownMax: 100, leaseListPeriodMs: 1_000 };
  const leases = new LeaseTracker({
    ...limits,
    source: member,
    now: Date.now,
    onRecord: () => watch.gatherer.wake(),
    onError: () => undefined,
  });
  const signal = new AbortController().signal;
  const watch: CaptureWatch = new CaptureWatch({
    member,
    anchor: 5,
    recorded: null,
    limits: { frameBytesTarget: 1_000, gatheredBytesMax: 100_000 },
    fragment: false,
    stalledMsMax: 10_000,
    leases,
    now: Date.now,
    onPressure: () => undefined,
    signal,
  });
  const voice = {
    cluster: 'c',
    logger: createLogger({ level: 'silent', name: 'test' }),
    metrics: createCaptureMetrics(createMetrics('test')),
  };
  const trigger = { published: () => undefined } as unknown as DeltaTrigger;
  const guardBacklogs = options.guardBacklogs ?? true;
  const { lingerMs = 0, clock = systemClock } = options;
  const publisher = new FramePublisher(
    { writer, voice, leases, trigger, guardBacklogs, leaseRecordsPerFrameMax: 10, lingerMs, clock, signal },
    { timeline: 1, clusterId: 7n, revision: 5, digest: null, digestRows: 0 },
  );
  const done = publisher.run(watch);
  const batch = (mains: number[], headerRevision: number, lease = 0n) => {
    for (const main of mains) sink.row(main, false, ByteSlice.of(Buffer.from(`row ${main}`)), lease);
    sink.batch(true, headerRevision);
  };
  return { batch, closed, published, acks, asked, done, watch, publisher };
}

const span = (message: EventMessage | undefined) =>
  message?.kind === 'rows' ? [message.first, message.last] : undefined;

describe('FramePublisher', () => {
  it('keeps one message in flight and gathers the next meanwhile', async () => {
    const { batch, published, acks, done, closed } = world({ holdAcks: true });
    batch([5], 5);
    batch([6], 6);
    await eventually(() => published.length === 1);
    for (const main of [7, 8, 9]) batch([main], main);
    expect(published.map(span)).toEqual([[6, 6]]);
    acks[0]!();
    await eventually(() => published.length === 2);
    expect(span(published[1])).toEqual([7, 9]);
    acks[1]!();
    closed.resolve({ kind: 'aborted' });
    expect(await done).toEqual({ kind: 'watch', end: { kind: 'aborted' } });
  });

  it('sends a row after a pause at once, and lets those of a steady flow travel together', async () => {
    const sleeps: (() => void)[] = [];
    const clock: Clock = { now: Date.now, sleep: () => new Promise((resolve) => sleeps.push(resolve)) };
    const { batch, published, done, closed } = world({ lingerMs: 60_000, clock });
    batch([5], 5);
    batch([6], 6);
    await eventually(() => published.length === 1);
    expect(sleeps).toHaveLength(0);
    batch([7], 7);
    await eventually(() => sleeps.length === 1);
    batch([8], 8);
    expect(published).toHaveLength(1);
    sleeps[0]!();
    await eventually(() => published.length === 2);
    expect(published.map(span)).toEqual([
      [6, 6],
      [7, 8],
    ]);
    closed.resolve({ kind: 'aborted' });
    await done;
    expect(sleeps).toHaveLength(1);
  });

  it('publishes everything whole that came before the watch ended', async () => {
    const { batch, published, done, closed, publisher } = world();
    batch([5], 5);
    batch([6, 7, 8], 8);
    const error = new EtcdOpsError('ETCD_UNREACHABLE', { message: 'gone' });
    closed.resolve({ kind: 'error', error });
    expect(await done).toEqual({ kind: 'watch', end: { kind: 'error', error } });
    expect(published.map(span)).toEqual([[6, 8]]);
    expect(publisher.point.revision).toBe(8);
  });

  it('asks below each backlog batch, and for no live revision', async () => {
    const { batch, asked, done, closed } = world({ compacted: 5 });
    batch([5, 6, 7], 30);
    batch([8, 9], 30);
    batch([10], 30);
    batch([11], 11);
    closed.resolve({ kind: 'aborted' });
    await done;
    // Each is one below the first revision that is published out of the batch.
    expect(asked).toEqual([5, 7, 9]);
  });

  it('lets nothing out of a batch that a compaction may have thinned', async () => {
    const { batch, published, done } = world({ compacted: 8 });
    batch([5], 5);
    batch([6], 6);
    await eventually(() => published.length === 1);
    batch([8, 9], 30);
    expect(await done).toEqual({ kind: 'overtaken', first: 8 });
    expect(published.map(span)).toEqual([[6, 6]]);
  });

  it('trusts versions that are known to send every tombstone', async () => {
    const { batch, asked, published, done, closed } = world({ compacted: 8, guardBacklogs: false });
    batch([5, 6, 7, 8], 30);
    closed.resolve({ kind: 'aborted' });
    await done;
    expect(asked).toEqual([]);
    expect(published.map(span)).toEqual([[6, 8]]);
  });

  it('sends what it learned of leases also without rows', async () => {
    const { batch, published, done, closed } = world();
    batch([5], 5);
    batch([6], 6, -9n);
    await eventually(() => published.length === 2);
    closed.resolve({ kind: 'aborted' });
    await done;
    expect(published[1]).toMatchObject({
      first: 7,
      last: 6,
      leases: [{ id: -9n, grantedTtlSeconds: 60, source: 'ttl' }],
    });
    const rows = published[1]!.kind === 'rows' ? RowBlock.parse(published[1]!.rowBlock) : undefined;
    expect(rows?.rowCount).toBe(0);
  });

  it('ends at a hole with what came before it', async () => {
    const { batch, published, done } = world();
    batch([5], 5);
    batch([6, 8], 9);
    expect(await done).toEqual({ kind: 'hole', hole: { expected: 7, found: 8 } });
    expect(published.map(span)).toEqual([[6, 6]]);
  });
});
