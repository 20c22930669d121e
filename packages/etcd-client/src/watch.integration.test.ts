import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { setTimeout as backoff } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { BoltFile, readStoreInfo, rowsAbove, type StoreInfo } from '@etcd-ops/core';
import {
  distinctEtcdVersions,
  etcdVersions,
  eventually,
  faultProxy,
  HARD_LOAD_FLAGS,
  hardLoad,
  Random,
  startEtcd,
  tempDir,
  WatchRows,
} from '@etcd-ops/test-kit';
import { EtcdMember, FLOW_CONTROL_WINDOW_BYTES, openEtcd3, type WatchEnd } from './index.ts';

interface FileRows {
  info: StoreInfo;
  rows: Map<string, Buffer>;
}

async function rowsOfSnapshot(member: EtcdMember): Promise<FileRows> {
  await using dir = tempDir();
  const path = dir.file('snapshot.db');
  await pipeline(member.snapshot(), createWriteStream(path));
  using file = BoltFile.open(path);
  const rows = new Map<string, Buffer>();
  for (const block of rowsAbove(file, 0)) {
    for (let row = 0; row < block.rowCount; row++) {
      rows.set(block.key(row).toString('hex'), Buffer.from(block.value(row)));
    }
  }
  return { info: readStoreInfo(file), rows };
}

/** Every row of the file was watched byte for byte, and what was watched beyond them lies at or below the compact revision. */
function expectSameRows(watched: WatchRows, { info, rows }: FileRows): void {
  expect(watched.holes).toEqual([]);
  const missing = [...rows].filter(([key]) => !watched.rows.has(key)).map(([key]) => key);
  expect(missing).toEqual([]);
  const different = [...rows].filter(([key, value]) => !watched.rows.get(key)!.equals(value)).map(([key]) => key);
  expect(different).toEqual([]);
  const beyond = [...watched.rows.keys()].filter((key) => !rows.has(key)).map((key) => Number(`0x${key.slice(0, 16)}`));
  expect(beyond.filter((main) => main > info.compactRevision)).toEqual([]);
}

async function reaches(watched: WatchRows, revision: number): Promise<void> {
  await eventually(() => watched.lastComplete >= revision, { timeoutMs: 30_000 });
}

describe.each(distinctEtcdVersions())('a watch on etcd %s', (version) => {
  test('its rows are the rows of the file, live, late, in fragments and cut', { timeout: 120_000 }, async () => {
    await using etcd = await startEtcd({ version, extraFlags: HARD_LOAD_FLAGS });
    await using proxy = await faultProxy(etcd.endpoint);
    using member = new EtcdMember(etcd.endpoint, { endpoints: [] });
    using proxied = new EtcdMember(proxy.url, { endpoints: [] });
    const live = new WatchRows();
    const watch = member.watch({ startRevision: 1, sink: live });
    const cut = new WatchRows();
    using stop = abortOnDispose();
    const cutting = watchThroughCuts(proxied, cut, () => proxy.cut(), stop.signal);

    const load = { endpoints: etcd.endpoints, operations: 400, txnOpsMax: 2_000 };
    const first = await hardLoad({ ...load, seed: 11, without: ['compact'] });
    const expired = new Set(first.shortLeases);
    await eventually(async () => (await member.leases()).every((id) => !expired.has(id)));
    const { revision } = await member.linearizableRead();
    await reaches(live, revision);
    await reaches(cut, revision);
    const file = await rowsOfSnapshot(member);
    expect(file.info.compactRevision).toBe(-1);
    expect(file.info.revision).toBe(revision);
    expectSameRows(live, file);
    expectSameRows(cut, file);
    expect(live.rows.size).toBe(file.rows.size);
    expect(cut.createdAt.length).toBeGreaterThan(1);
    expect([...live.leases].some((id) => id < 0n)).toBe(true);
    expect([...live.leases].some((id) => id > 2n ** 62n)).toBe(true);

    for (const fragment of [false, true]) {
      const late = new WatchRows();
      const backlog = member.watch({ startRevision: 1, fragment, sink: late });
      await reaches(late, revision);
      backlog.cancel();
      expect(await backlog.closed).toEqual({ kind: 'aborted' });
      expectSameRows(late, file);
      expect(late.incompleteBatches > 0).toBe(fragment);
    }

    const second = await hardLoad({ ...load, seed: 12 });
    expect(second.compactions.length).toBeGreaterThan(0);
    const head = await member.linearizableRead();
    await reaches(live, head.revision);
    stop.abort();
    await cutting;
    watch.cancel();
    expectSameRows(live, await rowsOfSnapshot(member));
  });

  test('a compacted start is canceled with the compact revision; a future one waits', async () => {
    await using etcd = await startEtcd({ version });
    using member = new EtcdMember(etcd.endpoint, { endpoints: [] });
    for (let index = 0; index < 6; index++) await etcd.etcdctl('put', 'k', String(index));
    const { revision, clusterId, memberId } = await member.linearizableRead();
    await member.compact(5);
    const below = new WatchRows();
    expect(await member.watch({ startRevision: 3, sink: below }).closed).toMatchObject({
      kind: 'canceled',
      compactRevision: 5,
    });
    expect(below.rows.size).toBe(0);

    const at = new WatchRows();
    const watchAt = member.watch({ startRevision: 5, sink: at });
    await reaches(at, revision);
    expect(at.createdAt).toEqual([{ headerRevision: revision, clusterId, memberId }]);
    watchAt.requestProgress();
    await eventually(() => at.progressRevision === revision);
    watchAt.cancel();

    const future = new WatchRows(revision + 1);
    using stop = abortOnDispose();
    const watchFuture = member.watch({ startRevision: revision + 2, sink: future, signal: stop.signal });
    await eventually(() => future.createdAt.length === 1);
    await etcd.etcdctl('put', 'k', 'not yet');
    await etcd.etcdctl('put', 'k', 'now');
    await reaches(future, revision + 2);
    expect(future.rows.size).toBe(1);
    stop.abort();
    expect(await watchFuture.closed).toEqual({ kind: 'aborted' });
  });

  test('a paused watch holds etcd back, keeps memory bounded and loses nothing', { timeout: 60_000 }, async () => {
    await using etcd = await startEtcd({ version });
    await using proxy = await faultProxy(etcd.endpoint);
    using member = new EtcdMember(proxy.url, { endpoints: [] });
    const rows = new WatchRows();
    const watch = member.watch({ startRevision: 1, sink: rows });
    await eventually(() => rows.createdAt.length === 1);
    watch.pause();
    // The response that was asked for before the pause.
    await etcd.etcdctl('put', 'small', '1');
    await eventually(() => rows.batches === 1);
    using client = disposable(await openEtcd3({ endpoints: etcd.endpoints }));
    const value = Buffer.alloc(200_000, 'x');
    for (let index = 0; index < 150; index++) await client.kv.put({ key: Buffer.from(`k${index}`), value });
    // 30 MB wait in etcd: it can send no more than the window.
    expect(rows.batches).toBe(1);
    expect(proxy.bytesDown).toBeLessThan(FLOW_CONTROL_WINDOW_BYTES + 64 * 1024);
    watch.resume();
    await reaches(rows, (await member.linearizableRead()).revision);
    watch.cancel();
    expectSameRows(rows, await rowsOfSnapshot(member));
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    '%s of etcd ends the watch as unreachable',
    { timeout: 60_000 },
    async (signal) => {
      await using etcd = await startEtcd({ version });
      using member = new EtcdMember(etcd.endpoint, { endpoints: [] });
      const rows = new WatchRows();
      const watch = member.watch({ startRevision: 1, sink: rows });
      await eventually(() => rows.createdAt.length === 1);
      etcd.members[0]!.signal(signal);
      const end: WatchEnd = await watch.closed;
      expect(end).toMatchObject({ kind: 'error', error: { code: 'ETCD_UNREACHABLE' } });
      await etcd.kill();
      await etcd.restart();
      const again = new WatchRows();
      await eventually(async () => {
        const next = member.watch({ startRevision: 1, sink: again });
        await Promise.race([next.closed, eventually(() => again.createdAt.length > 0)]);
        next.cancel();
        return again.createdAt.length > 0;
      });
    },
  );
});

test('a member that answers nothing, and one that a sink breaks', { timeout: 60_000 }, async (context) => {
  if (etcdVersions().length === 0) context.skip('no etcd');
  await using etcd = await startEtcd();
  await using proxy = await faultProxy(etcd.endpoint);
  using member = new EtcdMember(proxy.url, { endpoints: [], requestTimeoutMs: 500 });
  await member.status();
  proxy.faults.blackHole = true;
  expect(await member.watch({ startRevision: 1, sink: new WatchRows() }).closed).toMatchObject({
    kind: 'error',
    error: { code: 'ETCD_TIMEOUT' },
  });
  proxy.faults.blackHole = false;
  const broken = new WatchRows();
  broken.row = () => {
    throw new Error('no place');
  };
  const watch = member.watch({ startRevision: 1, sink: broken, createTimeoutMs: 5_000 });
  await etcd.etcdctl('put', 'a', 'b');
  expect(await watch.closed).toMatchObject({
    kind: 'error',
    error: { code: 'ETCD_FAILED', cause: { message: 'no place' } },
  });
});

/** Watches on and on, and is cut now and then; resumes behind the last complete revision. */
async function watchThroughCuts(
  member: EtcdMember,
  rows: WatchRows,
  cut: () => void,
  signal: AbortSignal,
): Promise<void> {
  const random = new Random(3);
  let batchesLeft = random.integer(5, 40);
  rows.onBatch = () => {
    if (--batchesLeft > 0) return;
    batchesLeft = random.integer(5, 40);
    cut();
  };
  while (!signal.aborted) {
    const startRevision = rows.lastComplete + 1;
    const end = await member.watch({ startRevision, fragment: random.fraction() < 0.5, sink: rows, signal }).closed;
    // Compacted meanwhile: this watcher has served its purpose.
    if (end.kind === 'canceled') return;
    await backoff(10);
  }
}

function disposable<T extends { close(): void }>(client: T): T & Disposable {
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

function abortOnDispose(): AbortController & Disposable {
  const controller = new AbortController();
  return Object.assign(controller, { [Symbol.dispose]: () => controller.abort() });
}
