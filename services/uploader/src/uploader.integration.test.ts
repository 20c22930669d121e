import {
  connectBus,
  dispatchTask,
  ensureEventStream,
  EventWriter,
  positionKey,
  positions,
  readEvents,
  removeEventStream,
  streamFacts,
  type Bus,
} from '@etcd-ops/bus';
import {
  decodeDelta,
  Identities,
  DeltaEncoder,
  listProofs,
  parseObjectKey,
  planRestore,
  readInventory,
  readStoredLeases,
  readRecipients,
  RowBlock,
  RowBlockBuilder,
  STORED_PLAIN,
  type DeltaKeyFacts,
  type ObjectStore,
} from '@etcd-ops/core';
import { EtcdCluster } from '@etcd-ops/etcd-client';
import { eventually, HARD_LOAD_FLAGS, hardLoad, startEtcd } from '@etcd-ops/test-kit';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cutDeltas } from './delta-cutter.ts';
import { runDeltaTask } from './delta-task.ts';
import { createUploaderMetrics } from './metrics.ts';
import {
  CLUSTER,
  deltaTask,
  EVENT_BYTES,
  fullTask,
  liveHash,
  need,
  proxy,
  restoredHash,
  runFull,
  spooledFiles,
  versions,
  World,
  worldParts,
  writeEvents,
  writeLease,
} from './testing/world.ts';

/** Its key protects nothing but these tests. */
const RECIPIENT = 'age1dkz87g2keu3rt4lnx2aga9yjsh7dj7vzqyzczvu074a790d49d5se3pvla';
const IDENTITY = 'AGE-SECRET-KEY-1SW7C7HYVELFGJEAFVT4MY24KY9A3XW8H335CACSF4W5WK3K6502QZ0KWRN';

/** What an undisturbed uploader makes of the stream. */
async function expectedDeltas(world: World): Promise<Map<string, string>> {
  const { lastSequence } = await streamFacts(world.bus, CLUSTER);
  const events = readEvents(world.bus, CLUSTER, { from: 1, to: lastSequence });
  const deltas = new Map<string, string>();
  for await (const step of cutDeltas({
    cluster: CLUSTER,
    from: undefined,
    events,
    deltaObjectBytesMax: 3_000,
    onUnanchored: () => undefined,
  })) {
    if (step.kind === 'delta') deltas.set(step.key, step.delta.bytes.toString('base64'));
  }
  return deltas;
}

describe('delta tasks', () => {
  it('give the same objects whatever is killed between any two steps', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await World.open(['127.0.0.1:1']);
    await writeEvents(world.bus, 20);
    const expected = await expectedDeltas(world);
    expect(expected.size).toBeGreaterThan(5);
    const { lastSequence } = await streamFacts(world.bus, CLUSTER);
    const crash = (): never => {
      throw new Error('crash');
    };
    const { store, bus } = world;
    const beforePut = proxy<ObjectStore>(store, { put: () => Promise.reject(new Error('crash')) });
    const afterPut = proxy<ObjectStore>(store, { put: (...args) => store.put(...args).then(crash) });
    const beforeTrim = proxy<Bus>(bus, { slowJsm: () => Promise.reject(new Error('crash')) });
    const metrics = createUploaderMetrics(world.context.metrics);
    const afterTrim = { ...metrics, durableRevision: { ...metrics.durableRevision, set: crash } };
    // Each of them dies at its place in the first object or start that it meets; then the next one comes.
    for (const overrides of [{ store: beforePut }, { store: afterPut }, { bus: beforeTrim }, { metrics: afterTrim }]) {
      for (let round = 0; round < 2; round++) {
        await expect(runDeltaTask(deltaTask(lastSequence), world.taskOptions(overrides))).rejects.toThrow('crash');
      }
    }
    const outcome = await runDeltaTask(deltaTask(lastSequence), world.taskOptions());
    expect(outcome).toMatchObject({ changed: true, summary: { revision: 30 } });
    expect(await world.deltas()).toEqual(expected);
    expect(await streamFacts(bus, CLUSTER)).toMatchObject({ messages: 1, lastSequence });
    expect((await positions(bus).get(positionKey(CLUSTER)))?.value).toMatchObject({
      timeline: 1,
      revision: 30,
      sequence: lastSequence,
    });
    // Once more, and nothing happens.
    expect(await runDeltaTask(deltaTask(lastSequence), world.taskOptions())).toMatchObject({ changed: false });
    expect(await world.deltas()).toEqual(expected);
  });

  it('of two uploaders give one set of objects', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await World.open(['127.0.0.1:1']);
    await using other = await connectBus({ url: world.nats.url, name: 'other' });
    await writeEvents(world.bus, 25);
    const expected = await expectedDeltas(world);
    const { lastSequence } = await streamFacts(world.bus, CLUSTER);
    const task = deltaTask(lastSequence);
    const outcomes = await Promise.all([
      runDeltaTask(task, world.taskOptions()),
      runDeltaTask(task, world.taskOptions({ bus: other })),
    ]);
    expect(outcomes.some(({ changed }) => changed)).toBe(true);
    expect(await world.deltas()).toEqual(expected);
  });

  it('refuse to stand beside an object with other rows', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await World.open(['127.0.0.1:1']);
    await writeEvents(world.bus, 1);
    const [key] = [...(await expectedDeltas(world)).keys()];
    await runDeltaTask(deltaTask(1), world.taskOptions());
    const other = new DeltaEncoder({ clusterId: 7n, timeline: 1, epoch: '00'.repeat(16) });
    const builder = new RowBlockBuilder();
    builder.append(11, 0, false, Buffer.from('somebody else'));
    other.addRows(RowBlock.parse(builder.take()));
    other.addTime(11, 1_011);
    const { bytes } = other.finish();
    await world.store.put(key!, bytes);
    const { lastSequence } = await streamFacts(world.bus, CLUSTER);
    await expect(runDeltaTask(deltaTask(lastSequence), world.taskOptions())).rejects.toMatchObject({
      code: 'STORE_EXISTS',
    });
    expect((await positions(world.bus).get(positionKey(CLUSTER)))?.value.revision).toBe(10);
    expect([...(await world.deltas()).values()]).toEqual([bytes.toString('base64')]);
  });

  it('are not held up by what nobody can read: it stays, and the delta is stored beside it', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await World.open(['127.0.0.1:1']);
    await writeEvents(world.bus, 10);
    const expected = await expectedDeltas(world);
    const keys = [...expected.keys()];
    // Where it stands is known: only then nothing of the repository is read first.
    await runDeltaTask(deltaTask(1), world.taskOptions());
    const damaged = Buffer.from(expected.get(keys[0]!)!, 'base64');
    damaged[damaged.length >> 1]! ^= 1;
    await world.store.put(keys[0]!, damaged);
    await world.store.put(keys[1]!, Buffer.from('foreign'));
    const { lastSequence } = await streamFacts(world.bus, CLUSTER);
    const outcome = await runDeltaTask(deltaTask(lastSequence), world.taskOptions());
    expect(outcome).toMatchObject({ changed: true, summary: { revision: 20, objects: expected.size } });
    const found = await world.deltas();
    expect(found.size).toBe(expected.size + 2);
    expect(found.get(keys[0]!)).toBe(damaged.toString('base64'));
    expect(found.get(keys[1]!)).toBe(Buffer.from('foreign').toString('base64'));
    const { timelines } = await readInventory(world.store, CLUSTER);
    for (const key of keys.slice(0, 2)) {
      const { first, last, lastObservedMs } = parseObjectKey(key) as DeltaKeyFacts;
      const beside = timelines[0]!.deltas.find((delta) => delta.first === first && delta.key !== key)!;
      expect(beside).toMatchObject({ last, lastObservedMs: lastObservedMs + 1 });
      const { facts, rowBlocks } = await decodeDelta(Buffer.from(found.get(beside.key)!, 'base64'));
      expect(facts).toMatchObject({ firstRevision: first, lastRevision: last, lastObservedMs: lastObservedMs + 1 });
      const own = await decodeDelta(Buffer.from(expected.get(key)!, 'base64'));
      expect(Buffer.concat(rowBlocks.map(({ bytes }) => bytes))).toEqual(
        Buffer.concat(own.rowBlocks.map(({ bytes }) => bytes)),
      );
    }
  });

  it.for(['none', 'age'] as const)(
    'of an uploader that died before its position hold up no calm cluster when more is learned of leases (encryption: %s)',
    async (encryption, ctx) => {
      need(ctx, 'nats-server');
      await using world = await World.open(['127.0.0.1:1']);
      const packing =
        encryption === 'none'
          ? STORED_PLAIN
          : { codec: 'none' as const, recipients: await readRecipients({ recipients: [RECIPIENT] }) };
      await writeEvents(world.bus, 2);
      const before = await streamFacts(world.bus, CLUSTER);
      const dying = proxy<ObjectStore>(world.store, {
        put: async (key, ...rest) => {
          const outcome = await world.store.put(key, ...rest);
          if (parseObjectKey(key)?.kind === 'delta') throw new Error('crash');
          return outcome;
        },
      });
      await expect(
        runDeltaTask(deltaTask(before.lastSequence), world.taskOptions({ packing, store: dying })),
      ).rejects.toThrow('crash');
      const [[key, object]] = [...(await world.deltas())] as [[string, string]];
      await writeLease(world.bus, 77n);
      const { lastSequence } = await streamFacts(world.bus, CLUSTER);
      expect(lastSequence).toBe(before.lastSequence + 1);
      await runDeltaTask(deltaTask(lastSequence), world.taskOptions({ packing }));
      expect(await world.deltas()).toEqual(new Map([[key, object]]));
      const { revision, sequence } = (await positions(world.bus).get(positionKey(CLUSTER)))!.value;
      // What was learned meanwhile is stored by itself.
      expect({ revision, sequence }).toEqual({ revision: 12, sequence: lastSequence });
      const [timeline] = (await readInventory(world.store, CLUSTER)).timelines;
      expect(timeline?.leases).toMatchObject([{ revision: 12 }]);
      await writeFile(join(world.dir, 'identity'), IDENTITY);
      const identities = await Identities.fromFiles([join(world.dir, 'identity')]);
      const { records } = await readStoredLeases(world.store, timeline!.leases![0]!, { identities });
      expect(records).toMatchObject([{ id: 77n, grantedTtlSeconds: 60 }]);
    },
  );

  it('go on when the stream was lost and its sequences begin anew', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await World.open(['127.0.0.1:1']);
    await writeEvents(world.bus, 20);
    await runDeltaTask(deltaTask((await streamFacts(world.bus, CLUSTER)).lastSequence), world.taskOptions());
    await removeEventStream(world.bus, CLUSTER);
    await ensureEventStream(world.bus, CLUSTER, { bytesMax: EVENT_BYTES });
    // The watcher goes on at the recorded position, and repeats a little.
    await writeEvents(world.bus, 5, 29);
    const { lastSequence } = await streamFacts(world.bus, CLUSTER);
    expect(lastSequence).toBeLessThan(20);
    await runDeltaTask(deltaTask(lastSequence), world.taskOptions());
    const [timeline] = (await readInventory(world.store, CLUSTER)).timelines;
    expect(timeline!.deltas[0]!.first).toBe(11);
    expect(timeline!.deltas.at(-1)!.last).toBe(33);
    timeline!.deltas.reduce((previous, delta) => (expect(delta.first).toBe(previous.last + 1), delta));
  });
});

describe('a position that was lost', () => {
  it('is found again in the repository: what was stored and trimmed beyond it is no hole', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await World.open(['127.0.0.1:1']);
    await writeEvents(world.bus, 10);
    await runDeltaTask(deltaTask((await streamFacts(world.bus, CLUSTER)).lastSequence), world.taskOptions());
    const old = (await positions(world.bus).get(positionKey(CLUSTER)))!;
    await writeEvents(world.bus, 10, 21);
    await runDeltaTask(deltaTask((await streamFacts(world.bus, CLUSTER)).lastSequence), world.taskOptions());
    // As a server without power may have it: the stream is trimmed, the newest position is gone.
    await positions(world.bus).put(positionKey(CLUSTER), old.value);
    await writeEvents(world.bus, 5, 31);
    const { lastSequence } = await streamFacts(world.bus, CLUSTER);
    await runDeltaTask(deltaTask(lastSequence), world.taskOptions());
    expect((await positions(world.bus).get(positionKey(CLUSTER)))?.value).toMatchObject({ revision: 35 });
    const [timeline] = (await readInventory(world.store, CLUSTER)).timelines;
    timeline!.deltas.reduce((previous, delta) => (expect(delta.first).toBe(previous.last + 1), delta));
    expect(timeline!.deltas.at(-1)!.last).toBe(35);
  });

  it('forgets the sequences of a tail that the stream lost', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await World.open(['127.0.0.1:1']);
    await writeEvents(world.bus, 5);
    const { lastSequence } = await streamFacts(world.bus, CLUSTER);
    await runDeltaTask(deltaTask(lastSequence), world.taskOptions());
    const recorded = (await positions(world.bus).get(positionKey(CLUSTER)))!.value;
    await positions(world.bus).put(positionKey(CLUSTER), { ...recorded, sequence: lastSequence + 9 });
    await runDeltaTask(deltaTask(lastSequence), world.taskOptions());
    expect((await positions(world.bus).get(positionKey(CLUSTER)))?.value).toMatchObject({
      revision: recorded.revision,
      sequence: lastSequence,
    });
  });

  it('covers what a writer repeated behind it, so that nobody looks again, and what was learned of leases, once that is stored', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await World.open(['127.0.0.1:1']);
    const cut = async (changed = false) => {
      const { lastSequence } = await streamFacts(world.bus, CLUSTER);
      expect((await runDeltaTask(deltaTask(lastSequence), world.taskOptions())).changed).toBe(changed);
      const { value, revision } = (await positions(world.bus).get(positionKey(CLUSTER)))!;
      expect(value.revision).toBe(15);
      return { version: revision, behind: lastSequence - value.sequence };
    };
    await writeEvents(world.bus, 5);
    await runDeltaTask(deltaTask((await streamFacts(world.bus, CLUSTER)).lastSequence), world.taskOptions());
    await writeEvents(world.bus, 2, 13);
    const repeated = await cut();
    expect(repeated.behind).toBe(0);
    // Also under the recorded sequence: that the record is a new one says that what lies there now was looked at.
    const again = await cut();
    expect(again.behind).toBe(0);
    expect(again.version).toBeGreaterThan(repeated.version);
    await writeLease(world.bus, 78n);
    const learned = await cut(true);
    expect(learned.behind).toBe(0);
    const [timeline] = (await readInventory(world.store, CLUSTER)).timelines;
    expect(timeline?.leases).toMatchObject([{ revision: 15 }]);
    const { records } = await readStoredLeases(world.store, timeline!.leases![0]!);
    expect(records).toMatchObject([{ id: 78n, source: 'ttl' }]);
    await writeEvents(world.bus, 1, 18);
    expect(await cut(), 'behind a hole').toEqual({ version: learned.version, behind: 1 });
  });
});

describe.each(versions.length === 0 ? ['none'] : versions)('uploader on etcd %s', (version) => {
  it('stores fulls and deltas under a hard load that restore to what the cluster holds', async (ctx) => {
    need(ctx, 'etcd');
    need(ctx, 'nats-server');
    await using etcd = await startEtcd({ version, extraFlags: HARD_LOAD_FLAGS });
    await etcd.etcdctl('put', 'first', 'value');
    await using world = await World.open(etcd.endpoints, { snapshots: { deltaBytesMax: 400_000 } });
    await using _uploader = await world.startUploader();
    let watcher = await world.spawnWatcher();
    const load = (seed: number) =>
      hardLoad({
        endpoints: etcd.endpoints,
        seed,
        operations: 200,
        valueBytesMax: 100_000,
        txnOpsMax: 2_000,
        without: ['compact'],
      });
    try {
      await eventually(async () => (await readInventory(world.store, CLUSTER)).timelines[0]?.fulls.length === 1, {
        timeoutMs: 30_000,
      });
      await load(1);
      const loading = load(2);
      expect(await dispatchTask(world.bus, fullTask())).toBe('accepted');
      await loading;
      await watcher.kill();
      const while_away = load(3);
      watcher = await world.spawnWatcher();
      await while_away;
      const witness = await liveHash(etcd);
      await eventually(async () => (await world.capturedRevision()) >= witness.revision, { timeoutMs: 30_000 });
      await world.flush(witness.revision);
      const inventory = await readInventory(world.store, CLUSTER);
      expect(inventory).toMatchObject({ foreign: [], incomplete: [], damaged: [] });
      expect(inventory.timelines).toHaveLength(1);
      // Cuts by bytes came without anybody asking for them.
      expect(inventory.timelines[0]!.deltas.length).toBeGreaterThan(1);
      expect(await restoredHash(world, witness)).toBe(witness.hash);
      // A full behind it all is held against the deltas, row for row.
      expect(await dispatchTask(world.bus, fullTask())).toBe('accepted');
      const edges = async () => await listProofs(world.store, CLUSTER);
      await eventually(async () => (await edges()).some(({ revision }) => revision >= witness.revision), {
        timeoutMs: 30_000,
      });
      expect((await edges()).map(({ proof, verdict }) => `${proof} ${verdict}`)).toContain('edge ok');
      expect((await edges()).every(({ verdict }) => verdict === 'ok')).toBe(true);
      await eventually(async () => (await spooledFiles(world)).length === 0);
    } finally {
      await watcher.kill();
    }
  });

  it('stores deltas while a full is on its way', async (ctx) => {
    need(ctx, 'etcd');
    need(ctx, 'nats-server');
    await using etcd = await startEtcd({ version });
    await using world = await World.open(etcd.endpoints);
    const reached = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const { store } = world;
    const putFile: ObjectStore['putFile'] = async (...args) => {
      reached.resolve();
      await gate.promise;
      await store.putFile(...args);
    };
    const slow = proxy<ObjectStore>(store, { putFile });
    await using _uploader = await world.startUploader({}, { openStore: () => Promise.resolve(slow) });
    const watcher = await world.spawnWatcher();
    try {
      await reached.promise;
      for (let index = 0; index < 3; index++) await etcd.etcdctl('put', `a${index}`, 'x');
      await eventually(async () => (await world.capturedRevision()) === 4);
      await world.flush(4);
      const [during] = (await readInventory(store, CLUSTER)).timelines;
      expect([during!.fulls.length, during!.deltas.at(-1)!.last]).toEqual([0, 4]);
      gate.resolve();
      await eventually(async () => (await readInventory(store, CLUSTER)).timelines[0]!.fulls.length === 1);
      const witness = await liveHash(etcd);
      expect(await restoredHash(world, witness)).toBe(witness.hash);
    } finally {
      gate.resolve();
      await watcher.kill();
    }
  });

  it('leaves a full without its manifest for nothing when it dies there', async (ctx) => {
    need(ctx, 'etcd');
    need(ctx, 'nats-server');
    await using etcd = await startEtcd({ version });
    await using world = await World.open(etcd.endpoints);
    await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
    const { store } = world;
    const put: ObjectStore['put'] = (key, ...rest) =>
      key.endsWith('.db.json') ? Promise.reject(new Error('crash')) : store.put(key, ...rest);
    await expect(runFull({ ...worldParts(world), store: proxy<ObjectStore>(store, { put }) }, cluster)).rejects.toThrow(
      'crash',
    );
    expect(await readInventory(store, CLUSTER)).toMatchObject({
      incomplete: [{ missing: 'manifest' }],
      timelines: [{ fulls: [] }],
    });
    await runFull(worldParts(world), cluster);
    const inventory = await readInventory(store, CLUSTER);
    expect(inventory.timelines[0]!.fulls).toHaveLength(1);
    expect(planRestore(inventory, { kind: 'latest' }).full.key).toBe(inventory.timelines[0]!.fulls[0]!.key);
    expect(await spooledFiles(world)).toEqual([]);
  });

  it('lets a watcher go on from the repository when the bus lost everything', async (ctx) => {
    need(ctx, 'etcd');
    need(ctx, 'nats-server');
    await using etcd = await startEtcd({ version });
    await using world = await World.open(etcd.endpoints);
    await using _uploader = await world.startUploader();
    let watcher = await world.spawnWatcher();
    try {
      await eventually(async () => (await readInventory(world.store, CLUSTER)).timelines[0]?.fulls.length === 1, {
        timeoutMs: 30_000,
      });
      for (let index = 0; index < 10; index++) await etcd.etcdctl('put', `a${index}`, 'x');
      await eventually(async () => (await world.capturedRevision()) === 11);
      await world.flush(11);
      await watcher.kill();
      await removeEventStream(world.bus, CLUSTER);
      await ensureEventStream(world.bus, CLUSTER, { bytesMax: EVENT_BYTES });
      await positions(world.bus).delete(positionKey(CLUSTER));
      for (let index = 0; index < 10; index++) await etcd.etcdctl('put', `b${index}`, 'x');
      watcher = await world.spawnWatcher();
      await eventually(async () => (await world.capturedRevision()) === 21, { timeoutMs: 20_000 });
      await world.flush(21);
      const witness = await liveHash(etcd);
      const inventory = await readInventory(world.store, CLUSTER);
      expect(inventory.timelines).toHaveLength(1);
      expect(inventory.timelines[0]!.fulls).toHaveLength(1);
      expect(await restoredHash(world, witness)).toBe(witness.hash);
    } finally {
      await watcher.kill();
    }
  });

  it('stores no full of a cluster that does not hold what was captured', async (ctx) => {
    need(ctx, 'etcd');
    need(ctx, 'nats-server');
    await using etcd = await startEtcd({ version });
    for (let index = 0; index < 5; index++) await etcd.etcdctl('put', `a${index}`, 'x');
    await using world = await World.open(etcd.endpoints);
    const { writer } = await EventWriter.open(world.bus, CLUSTER);
    await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
    const { clusterId } = cluster;
    const start = { kind: 'start', timeline: 1, cause: 'first', clusterId, observedMs: 1_000 } as const;
    const attempt = (signal = new AbortController().signal) => runFull(world, cluster, signal);
    // Other rows of a revision that it has, a revision that it does not have, another cluster.
    for (const event of [
      { ...start, revision: 4, digest: 'ab'.repeat(32) },
      { ...start, timeline: 2, revision: 40, digest: null },
      { ...start, timeline: 3, revision: 4, digest: null, clusterId: clusterId + 1n },
    ]) {
      await writer.publish(event);
      await expect(attempt()).rejects.toMatchObject({ code: 'CLUSTER_FORKED' });
      expect(await world.keys()).toEqual([]);
    }
    await writer.publish({ ...start, timeline: 4, revision: 4, digest: null });
    await expect(attempt(AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await world.keys()).toEqual([]);
    await attempt();
    expect(await world.keys()).toHaveLength(3);
  });

  it('stores no full that lacks what is durable, though the stream lost its tail', async (ctx) => {
    need(ctx, 'etcd');
    need(ctx, 'nats-server');
    await using etcd = await startEtcd({ version });
    for (let index = 0; index < 5; index++) await etcd.etcdctl('put', `a${index}`, 'x');
    await using world = await World.open(etcd.endpoints);
    const { writer } = await EventWriter.open(world.bus, CLUSTER);
    await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
    const { clusterId } = cluster;
    const start = { kind: 'start', timeline: 1, cause: 'first', digest: null, clusterId, observedMs: 1_000 } as const;
    await writer.publish({ ...start, revision: 4 });
    const updatedAt = new Date().toISOString();
    const position = { version: 1, timeline: 1, revision: 40, digest: null, sequence: 9, updatedAt } as const;
    await positions(world.bus).put(positionKey(CLUSTER), position);
    await expect(runFull(world, cluster)).rejects.toMatchObject({ code: 'CLUSTER_FORKED' });
  });

  it('says how a timeline began though its full came before its first delta, and never that it began later', async (ctx) => {
    need(ctx, 'etcd');
    need(ctx, 'nats-server');
    await using etcd = await startEtcd({ version });
    for (let index = 0; index < 5; index++) await etcd.etcdctl('put', `a${index}`, 'x');
    await using world = await World.open(etcd.endpoints);
    const { writer } = await EventWriter.open(world.bus, CLUSTER);
    await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
    const { clusterId } = cluster;
    const start = { kind: 'start', timeline: 1, digest: null, clusterId } as const;
    const recorded = async () => (await readInventory(world.store, CLUSTER)).timelines[0]!.record;
    await writer.publish({ ...start, revision: 4, cause: 'first', observedMs: 1_000 });
    await runFull(world, cluster);
    expect(await recorded()).toBeUndefined();
    await runDeltaTask(deltaTask(1), world.taskOptions());
    const began = { startedAtRevision: 4, startedAt: new Date(1_000).toISOString() };
    expect(await recorded()).toMatchObject(began);
    // Without that record, a later start of the same timeline must not pass for its beginning: no older time would be found in it.
    await world.store.delete([`${CLUSTER}/t00000001/timeline.json`]);
    const gap = { ...start, revision: 40, cause: 'gap', after: 6, compacted: 30, observedMs: 90_000 } as const;
    const { sequence } = await writer.publish(gap);
    await runDeltaTask(deltaTask(sequence), world.taskOptions());
    expect((await positions(world.bus).get(positionKey(CLUSTER)))?.value).toMatchObject({ revision: 40 });
    expect((await recorded()) ?? began).toMatchObject(began);
  });

  it('makes deltas of what was captured though a full was faster than the first of them', async (ctx) => {
    need(ctx, 'etcd');
    need(ctx, 'nats-server');
    await using etcd = await startEtcd({ version });
    await using world = await World.open(etcd.endpoints);
    await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
    const watcher = await world.spawnWatcher();
    await eventually(async () => (await world.capturedRevision()) >= 1, { timeoutMs: 30_000 });
    for (let index = 0; index < 5; index++) await etcd.etcdctl('put', `a${index}`, 'x');
    await eventually(async () => (await world.capturedRevision()) >= 6, { timeoutMs: 30_000 });
    await watcher.stop();
    await runFull(world, cluster);
    const { lastSequence } = await streamFacts(world.bus, CLUSTER);
    await runDeltaTask(deltaTask(lastSequence), world.taskOptions());
    expect((await positions(world.bus).get(positionKey(CLUSTER)))?.value).toMatchObject({ revision: 6 });
    const deltas = async () => (await readInventory(world.store, CLUSTER)).timelines[0]!.deltas;
    expect((await deltas()).map(({ first, last }) => [first, last])).toEqual([[2, 6]]);
    // A full that is ahead of the deltas, and a bus that forgot how far they are: what follows them is still cut.
    await positions(world.bus).delete(positionKey(CLUSTER));
    const again = await world.spawnWatcher();
    for (let index = 0; index < 3; index++) await etcd.etcdctl('put', `b${index}`, 'x');
    await eventually(async () => (await world.capturedRevision()) >= 9, { timeoutMs: 30_000 });
    await again.stop();
    await runFull(world, cluster);
    await runDeltaTask(deltaTask((await streamFacts(world.bus, CLUSTER)).lastSequence), world.taskOptions());
    expect((await positions(world.bus).get(positionKey(CLUSTER)))?.value).toMatchObject({ revision: 9 });
    expect((await deltas()).at(-1)).toMatchObject({ first: 7, last: 9 });
  });

  it('begins a new timeline itself when a cluster forks that nobody watches', async (ctx) => {
    need(ctx, 'etcd');
    need(ctx, 'nats-server');
    await using before = await startEtcd({ version });
    for (let index = 0; index < 5; index++) await before.etcdctl('put', `a${index}`, 'x');
    await using world = await World.open(before.endpoints, { snapshots: { deltaPeriodMs: 0 } });
    await using cluster = await EtcdCluster.connect({ endpoints: before.endpoints });
    await runFull(world, cluster);
    await using after = await startEtcd({ version });
    await after.etcdctl('put', 'b', 'y');
    await using fork = await EtcdCluster.connect({ endpoints: after.endpoints });
    for (let count = 0; count < 2; count++) await runFull(world, fork);
    const { timelines } = await readInventory(world.store, CLUSTER);
    expect(timelines.map(({ timeline, fulls }) => [timeline, fulls.map(({ revision }) => revision)])).toEqual([
      [1, [6]],
      [2, [2, 2]],
    ]);
    expect(timelines[1]!.record).toMatchObject({ cause: 'fork', previousTimeline: 1, previousRevision: 6 });
  });

  it.for(['gzip', 'zlib', 'zstd'] as const)('stores a full with %s that restores', async (codec, ctx) => {
    need(ctx, 'etcd');
    need(ctx, 'nats-server');
    await using etcd = await startEtcd({ version });
    for (let index = 0; index < 5; index++) await etcd.etcdctl('put', `a${index}`, 'x'.repeat(1_000));
    await using world = await World.open(etcd.endpoints, { snapshots: { codec } });
    await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
    await runFull(world, cluster);
    const witness = await liveHash(etcd);
    const [full] = (await readInventory(world.store, CLUSTER)).timelines[0]!.fulls;
    expect(full!.bytes).toBeLessThan(full!.manifest.plainBytes);
    expect(await restoredHash(world, witness)).toBe(witness.hash);
  });
});
