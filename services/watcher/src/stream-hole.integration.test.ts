import { dispatchTask, eventsStream, positionKey, positions, streamFacts } from '@etcd-ops/bus';
import { planRestore, readInventory, restorableRanges } from '@etcd-ops/core';
import { eventually, findBinary, missingBinary, NATS_VERSIONS, startEtcd, type TestEtcd } from '@etcd-ops/test-kit';
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CLUSTER, compact, headOf, put, World } from './testing/world.ts';

/** A frame for each revision, so that a few of them can be taken out; and a look at what is durable whenever a delta was cut. */
const SETTINGS = { frameBytesTarget: 1, durabilityCheckMs: 200 };
const WAIT = { timeoutMs: 60_000, intervalMs: 200 };

describe.each(NATS_VERSIONS)('messages lost in the middle of the stream (nats-server %s)', (natsVersion) => {
  const need = (ctx: { skip: (reason: string) => void }): void => {
    if (findBinary('etcd') === undefined) ctx.skip(missingBinary('etcd'));
    if (findBinary('nats-server', natsVersion) === undefined) ctx.skip(missingBinary('nats-server', natsVersion));
  };

  const durable = async (world: World) => (await positions(world.bus).get(positionKey(CLUSTER)))?.value.revision ?? 0;

  async function askForDelta(world: World): Promise<void> {
    const { lastSequence: cutSequence } = await streamFacts(world.bus, CLUSTER);
    const createdAt = new Date().toISOString();
    const common = { version: 1, kind: 'delta', cluster: CLUSTER, pool: 'any', cause: 'flush' } as const;
    await dispatchTask(world.bus, { ...common, id: randomUUID(), cutSequence, createdAt });
  }

  /** Asks for deltas until the repository holds all that the cluster has. */
  async function becomesDurable(world: World, etcd: TestEtcd): Promise<void> {
    const head = await headOf(etcd);
    await eventually(async () => {
      await askForDelta(world);
      const { revision } = planRestore(
        await readInventory(world.store, CLUSTER),
        { kind: 'latest' },
        { allowOlder: true },
      );
      return revision >= head && (await durable(world)) >= head;
    }, WAIT);
  }

  /** Captures, makes some of it durable, captures on, and takes messages out of the middle of the rest. */
  async function lose(world: World, etcd: TestEtcd): Promise<{ reached: number }> {
    await put(etcd, 5);
    await becomesDurable(world, etcd);
    const reached = await headOf(etcd);
    await put(etcd, 12, 'more');
    const head = await headOf(etcd);
    await eventually(async () => (await world.capturedRevision()) >= head, WAIT);
    const jsm = await world.bus.jsm();
    const { lastSequence } = await streamFacts(world.bus, CLUSTER);
    for (let sequence = lastSequence - 8; sequence <= lastSequence - 4; sequence++) {
      await jsm.streams.deleteMessage(eventsStream(CLUSTER), sequence, true);
    }
    return { reached };
  }

  it(
    'are captured again while the watcher runs on, and everything becomes restorable',
    { timeout: 180_000 },
    async (ctx) => {
      need(ctx);
      await using etcd = await startEtcd();
      await using world = await World.open(etcd, { natsVersion });
      await using _uploader = await world.spawnUploader();
      await using watcher = await world.startWatcher(SETTINGS);
      await watcher.watching();
      await lose(world, etcd);
      await becomesDurable(world, etcd);
      await put(etcd, 3, 'after');
      await becomesDurable(world, etcd);
      const inventory = await readInventory(world.store, CLUSTER);
      expect(restorableRanges(inventory)).toHaveLength(1);
      const { deltas } = inventory.timelines[0]!;
      deltas.reduce((previous, delta) => (expect(delta.first).toBe(previous.last + 1), delta));
      expect(await watcher.metric('watcher_starts_total', { cause: 'gap' })).toBe(0);
      expect((await streamFacts(world.bus, CLUSTER)).messages).toBeLessThanOrEqual(1);
    },
  );

  it('are captured again by the next watcher', { timeout: 180_000 }, async (ctx) => {
    need(ctx);
    await using etcd = await startEtcd();
    await using world = await World.open(etcd, { natsVersion });
    await using _uploader = await world.spawnUploader();
    {
      await using watcher = await world.startWatcher(SETTINGS);
      await watcher.watching();
      await lose(world, etcd);
    }
    await using watcher = await world.startWatcher({ ...SETTINGS, durabilityCheckMs: 600_000 });
    await watcher.watching();
    await becomesDurable(world, etcd);
    const { deltas } = (await readInventory(world.store, CLUSTER)).timelines[0]!;
    deltas.reduce((previous, delta) => (expect(delta.first).toBe(previous.last + 1), delta));
  });

  it(
    'are an honest gap, with a new full behind it, when etcd has compacted them',
    { timeout: 180_000 },
    async (ctx) => {
      need(ctx);
      await using etcd = await startEtcd();
      await using world = await World.open(etcd, { natsVersion });
      await using _uploader = await world.spawnUploader();
      await using watcher = await world.startWatcher(SETTINGS);
      await watcher.watching();
      const { reached } = await lose(world, etcd);
      const head = await headOf(etcd);
      await compact(etcd, head);
      await becomesDurable(world, etcd);
      expect(await watcher.metric('watcher_starts_total', { cause: 'gap' })).toBe(1);
      await eventually(async () => {
        const { fulls } = (await readInventory(world.store, CLUSTER)).timelines[0]!;
        return fulls.some(({ revision, manifest }) => revision >= head && manifest.compactRevision >= head);
      }, WAIT);
      await put(etcd, 3, 'after');
      await becomesDurable(world, etcd);
      const ranges = restorableRanges(await readInventory(world.store, CLUSTER));
      expect(ranges[0]!.to).toBeGreaterThanOrEqual(reached);
      expect(ranges.at(-1)!.to).toBe(await headOf(etcd));
    },
  );
});
