import { ensureEventStream, streamFacts } from '@etcd-ops/bus';
import { eventually, findBinary, HARD_LOAD_FLAGS, missingBinary, startEtcd, tempDir } from '@etcd-ops/test-kit';
import { openEtcd3 } from '@etcd-ops/etcd-client';
import { describe, expect, it } from 'vitest';
import { burst, CLUSTER, expectSameRows, headOf, put, World } from './testing/world.ts';

const MIB = 2 ** 20;

describe('flow control', () => {
  const need = (ctx: { skip: (reason: string) => void }): void => {
    if (findBinary('etcd') === undefined) ctx.skip(missingBinary('etcd'));
    if (findBinary('nats-server') === undefined) ctx.skip(missingBinary('nats-server'));
  };

  it('cancels a watch that is held back for long, shows the lag, and drains it all later', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd();
    await using world = await World.open(etcd, { eventBytesMax: 2 * MIB });
    await using watcher = await world.startWatcher({ stalledMsMax: 300, gatheredBytesMax: MIB });
    await watcher.watching();
    // Nobody stores and trims: the stream is full after 2 MiB, and the watcher holds 1 MiB more.
    await burst(etcd, 120, { valueBytes: 50_000 });
    const head = await headOf(etcd);
    await eventually(async () => (await watcher.metric('watcher_lag_revisions')) > 30);
    await eventually(async () => (await watcher.metric('watcher_lag_seconds')) > 1);
    await ensureEventStream(world.bus, CLUSTER, { bytesMax: 256 * MIB });
    await eventually(async () => (await world.capturedRevision()) === head, { timeoutMs: 20_000 });
    await eventually(async () => (await watcher.metric('watcher_lag_revisions')) === 0);
    expect(await watcher.metric('watcher_sessions_total')).toBeGreaterThan(1);
    expect(await watcher.metric('watcher_blocked_seconds_total')).toBeGreaterThan(0);
    await expectSameRows(world, etcd.endpoint, { after: 1, timeline: 1, dir: dir.path });
    expect((await world.starts()).map(({ cause }) => cause)).toEqual(['first']);
  });

  it('shows a growing lag while NATS is away, and catches up when it is back', { timeout: 60_000 }, async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd();
    await using world = await World.open(etcd);
    await using watcher = await world.startWatcher();
    await watcher.watching();
    await put(etcd, 3);
    await eventually(async () => (await world.capturedRevision()) === 4);
    await world.nats.kill();
    await burst(etcd, 1_000, { valueBytes: 1_000 });
    await eventually(async () => (await watcher.metric('watcher_lag_revisions')) >= 1_000, { timeoutMs: 20_000 });
    expect(await watcher.metric('watcher_watching')).toBe(0);
    await world.nats.start();
    const head = await headOf(etcd);
    await eventually(async () => (await world.capturedRevision()) === head, { timeoutMs: 20_000 });
    await eventually(async () => (await watcher.metric('watcher_lag_revisions')) === 0);
    await expectSameRows(world, etcd.endpoint, { after: 1, timeline: 1, dir: dir.path });
  });

  it('takes one revision of 10,000 operations, and values of 1.4 MB one after the other', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd({ extraFlags: HARD_LOAD_FLAGS });
    await using world = await World.open(etcd);
    await using watcher = await world.startWatcher();
    await watcher.watching();
    const client = await openEtcd3({ endpoints: etcd.endpoints });
    const value = Buffer.alloc(100, 'v');
    const success = Array.from({ length: 10_000 }, (_, index) => ({
      request_put: { key: Buffer.from(`wide/${index}`), value },
    }));
    await client.kv.txn({ success });
    client.close();
    await burst(etcd, 40, { valueBytes: 1_400_000 });
    expect(await expectSameRows(world, etcd.endpoint, { after: 1, timeline: 1, dir: dir.path })).toBe(10_040);
  });

  it('asks for the first full, and captures nothing, when deltas are turned off', async (ctx) => {
    need(ctx);
    await using etcd = await startEtcd();
    await using world = await World.open(etcd, { snapshots: { deltaPeriodMs: 0 } });
    await using _watcher = await world.startWatcher();
    await using _second = await world.startWatcher();
    await eventually(async () => (await world.fullCauses()).includes('first'));
    expect((await streamFacts(world.bus, CLUSTER)).messages).toBe(0);
  });
});
