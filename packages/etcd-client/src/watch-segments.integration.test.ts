import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { BoltFile, rowsAbove } from '@etcd-ops/core';
import { etcdVersions, eventually, HARD_LOAD_FLAGS, hardLoad, startEtcd, tempDir, WatchRows } from '@etcd-ops/test-kit';
import { describe, expect, test } from 'vitest';
import { EtcdMember, type SegmentLimits } from './index.ts';

const LIMITS: SegmentLimits = { segmentRevisions: 1_000, segmentsMax: 32, bytesMax: 2 ** 24, tailRevisions: 100 };

/** The rows of the store as a snapshot holds them. */
async function rowsOfFile(member: EtcdMember): Promise<Map<string, Buffer>> {
  await using dir = tempDir();
  await pipeline(member.snapshot(), createWriteStream(dir.file('db')));
  using file = BoltFile.open(dir.file('db'));
  const rows = new Map<string, Buffer>();
  for (const block of rowsAbove(file, 0)) {
    for (let row = 0; row < block.rowCount; row++) {
      rows.set(block.key(row).toString('hex'), Buffer.from(block.value(row)));
    }
  }
  return rows;
}

function expectSameRows(watched: WatchRows, rows: ReadonlyMap<string, Buffer>): void {
  expect(watched.holes).toEqual([]);
  expect([...watched.rows.keys()].toSorted()).toEqual([...rows.keys()].toSorted());
  expect([...rows].filter(([key, value]) => !watched.rows.get(key)!.equals(value)).map(([key]) => key)).toEqual([]);
}

describe.each(etcdVersions())('a segmented watch on etcd %s', (version) => {
  test('its rows are the rows of the file, in order, whatever the limits', { timeout: 240_000 }, async () => {
    await using etcd = await startEtcd({ version, extraFlags: HARD_LOAD_FLAGS });
    using member = new EtcdMember(etcd.endpoint, { endpoints: [] });
    await hardLoad({
      endpoints: etcd.endpoints,
      operations: 500,
      txnOpsMax: 2_000,
      valueBytesMax: 300_000,
      seed: 21,
      without: ['compact', 'leaseExpire', 'leaseAttach'],
    });
    const { revision } = await member.linearizableRead();
    const rows = await rowsOfFile(member);
    const shapes: Partial<SegmentLimits & { fragment: boolean; pausing: boolean }>[] = [
      {},
      { segmentRevisions: 7, segmentsMax: 4 },
      // Not shorter: etcd sends each segment its whole backlog until it is cancelled, and fragments cost it the square of their events.
      { segmentRevisions: 80, segmentsMax: 100, fragment: true },
      // Nothing fits: each time all but the first are given up.
      { segmentRevisions: 50, segmentsMax: 16, bytesMax: 1 },
      { segmentRevisions: 110, segmentsMax: 16, pausing: true, fragment: true },
      { segmentRevisions: 10, tailRevisions: 0 },
    ];
    for (const { fragment = false, pausing = false, ...limits } of shapes) {
      const watched = new WatchRows();
      const segments = { ...LIMITS, ...limits };
      const options = { startRevision: 1, headRevision: revision, fragment, segments, sink: watched };
      const watch = member.watchSegments(options);
      const timer = pausing ? setInterval(() => (watch.pause(), setTimeout(() => watch.resume(), 5)), 10) : undefined;
      await eventually(() => watched.lastComplete >= revision, { timeoutMs: 60_000 });
      clearInterval(timer);
      watch.cancel();
      expect(await watch.closed).toEqual({ kind: 'aborted' });
      expectSameRows(watched, rows);
      expect(watched.createdAt).toHaveLength(1);
    }
  });

  test('it goes on live where its segments end, under load', { timeout: 60_000 }, async () => {
    await using etcd = await startEtcd({ version, extraFlags: HARD_LOAD_FLAGS });
    using member = new EtcdMember(etcd.endpoint, { endpoints: [] });
    const load = { endpoints: etcd.endpoints, operations: 300, valueBytesMax: 10_000, txnOpsMax: 100 };
    await hardLoad({ ...load, seed: 31, without: ['compact', 'leaseExpire', 'leaseAttach'] });
    const { revision } = await member.linearizableRead();
    const watched = new WatchRows();
    const segments = { ...LIMITS, segmentRevisions: 20, tailRevisions: 20 };
    const watch = member.watchSegments({ startRevision: 1, headRevision: revision, segments, sink: watched });
    await hardLoad({ ...load, seed: 32, without: ['compact', 'leaseExpire', 'leaseAttach'] });
    const head = await member.linearizableRead();
    await eventually(() => watched.lastComplete >= head.revision, { timeoutMs: 30_000 });
    expectSameRows(watched, await rowsOfFile(member));
    watch.cancel();
  });

  test('a compaction below it is named, and what came before it in order is whole', async () => {
    await using etcd = await startEtcd({ version });
    using member = new EtcdMember(etcd.endpoint, { endpoints: [] });
    await hardLoad({ endpoints: etcd.endpoints, operations: 200, valueBytesMax: 1_000, without: ['compact'] });
    const { revision } = await member.linearizableRead();
    const watched = new WatchRows();
    const segments = { ...LIMITS, segmentRevisions: 10, segmentsMax: 2, tailRevisions: 1 };
    const watch = member.watchSegments({
      startRevision: 1,
      headRevision: revision,
      segments,
      sink: watched,
    });
    await eventually(() => watched.lastComplete > 0);
    watch.pause();
    const reached = watched.lastComplete;
    expect(reached).toBeLessThan(revision - 40);
    await member.compact(revision - 1);
    watch.resume();
    expect(await watch.closed).toEqual({ kind: 'canceled', compactRevision: revision - 1, reason: '' });
    expect(watched.holes).toEqual([]);
    expect(watched.lastComplete).toBeLessThan(revision - 1);
  });
});
