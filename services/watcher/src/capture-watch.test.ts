import { setImmediate } from 'node:timers/promises';
import { ByteSlice, encodeRevisionKey, RevisionDigest } from '@etcd-ops/core';
import type { EtcdMember, WatchEnd, WatchOptions, WatchSink } from '@etcd-ops/etcd-client';
import { createLogger, createMetrics, systemClock, type ServiceContext } from '@etcd-ops/service-kit';
import { describe, expect, it } from 'vitest';
import { beginHistory } from './begin-history.ts';
import { CaptureWatch } from './capture-watch.ts';
import { goOn } from './go-on.ts';
import type { LeaseTracker } from './lease-tracker.ts';
import { createCaptureMetrics } from './metrics.ts';
import type { SessionTools, WatchInSegments } from './session-tools.ts';
import { watcherSettings } from './settings.ts';

const L = 7;
const HEAD = 10;
const valueOf = (main: number): Buffer => Buffer.from(`row ${main}`);

function digestOf(main: number): string {
  const digest = new RevisionDigest();
  digest.update(encodeRevisionKey(main, 0, false), valueOf(main));
  return digest.hex();
}

/** A member that delivers what it is asked for, as etcd does: a row of each revision from the first one wanted to its head. */
function memberOf() {
  const started: number[] = [];
  const watch = ({ startRevision, sink }: WatchOptions) => {
    started.push(startRevision);
    void deliver(startRevision, sink);
    return { closed: new Promise<WatchEnd>(() => undefined), cancel() {}, pause() {}, resume() {} };
  };
  const head = { clusterId: 7n, memberId: 1n, revision: HEAD, raftTerm: 1n };
  const member = {
    watch,
    watchSegments: watch,
    linearizableRead: () => Promise.resolve(head),
    status: () => Promise.resolve({ raftIndex: 5n, dbInUseBytes: 1_000, version: '3.5.16' }),
    readAt: () => Promise.resolve('ok'),
  } as unknown as EtcdMember;
  return { member, started };
}

async function deliver(from: number, sink: WatchSink): Promise<void> {
  await setImmediate();
  sink.created(HEAD, 7n, 1n);
  for (let main = from; main <= HEAD; main++) {
    sink.row(main, false, ByteSlice.of(valueOf(main)), 0n);
    sink.batch(true, main);
  }
}

function openWatch(
  member: EtcdMember,
  { anchor, recorded, segments }: { anchor: number; recorded: string | null; segments?: WatchInSegments | undefined },
): CaptureWatch {
  const limits = { segmentRevisions: 1_000, segmentsMax: 4, bytesMax: 1_000_000, tailRevisions: 1_000 };
  return new CaptureWatch({
    ...{ member, anchor, recorded, fragment: false, stalledMsMax: 10_000 },
    ...(segments === undefined ? {} : { segments: { headRevision: segments.headRevision, limits } }),
    limits: { frameBytesTarget: 1_000, gatheredBytesMax: 100_000 },
    leases: { tombstone() {}, sight() {} } as unknown as LeaseTracker,
    now: Date.now,
    onPressure: () => undefined,
    signal: new AbortController().signal,
  });
}

describe('a watch begins at the last captured revision itself, not behind it', () => {
  it.each([
    ['plain', undefined],
    ['in segments', { headRevision: HEAD, segmentsMax: 4, revisionBytes: 100 }],
  ])('%s: its rows are compared, and those behind it are gathered', async (_, segments) => {
    const { member, started } = memberOf();
    const watch = openWatch(member, { anchor: L, recorded: digestOf(L), segments });
    expect(started).toEqual([L]);
    expect(await watch.overlap.settled).toBe('same');
    expect(watch.overlap.seen).toEqual({ digest: digestOf(L), rowCount: 1 });
    expect(watch.gatherer.take()).toMatchObject({ first: L + 1, last: HEAD });
    expect(watch.assembler.hole).toBeUndefined();
  });

  it('of a cluster that was restored behind our back: other rows there are told', async () => {
    const watch = openWatch(memberOf().member, { anchor: L, recorded: digestOf(L + 1) });
    expect(await watch.overlap.settled).toBe('other');
  });
});

function toolsOf(member: EtcdMember): SessionTools {
  const voice = {
    cluster: 'c',
    logger: createLogger({ level: 'silent', name: 'test' }),
    metrics: createCaptureMetrics(createMetrics('test')),
  };
  const memory = { compareRaftIndex: () => 'unknown', rememberRaftIndex() {}, forgetRaftIndexes() {} };
  return {
    ...{ member, voice, memory, settings: watcherSettings.parse({ anchorWaitMs: 100, anchorWaitMsMax: 5_000 }) },
    context: { clock: systemClock } as ServiceContext,
    writer: { publish: () => Promise.resolve({ sequence: 1 }) },
    takeHead: () => undefined,
    wantFull: () => undefined,
    openWatch: (anchor: number, recorded: string | null, segments?: WatchInSegments) =>
      openWatch(member, { anchor, recorded, segments }),
    signal: new AbortController().signal,
  } as unknown as SessionTools;
}

describe('who opens a watch', () => {
  it('goes on at L, and finds the rows that were recorded for it', async () => {
    const { member, started } = memberOf();
    const resume = { timeline: 1, newestTimeline: 1, clusterId: 7n, revision: L, source: 'stream' } as const;
    const open = await goOn({ ...resume, digest: digestOf(L) }, toolsOf(member));
    expect(started).toEqual([L]);
    expect(open).toMatchObject({ point: { revision: L, digest: digestOf(L), digestRows: 1 } });
    expect(await goOn({ ...resume, digest: digestOf(L + 1) }, toolsOf(member))).toMatchObject({ cause: 'fork' });
  });

  it('begins a history at the head, and records the rows of it', async () => {
    const { member, started } = memberOf();
    const open = await beginHistory({ cause: 'first', timeline: 1 }, toolsOf(member));
    expect(started).toEqual([HEAD]);
    expect(open.point).toMatchObject({ revision: HEAD, digest: digestOf(HEAD), digestRows: 1 });
  });
});
