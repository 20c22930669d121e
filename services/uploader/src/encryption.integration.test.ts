import { dispatchTask, ensureEventStream, positionKey, positions, removeEventStream, streamFacts } from '@etcd-ops/bus';
import {
  canOpenNewest,
  encodeManifest,
  Identities,
  manifestKey,
  parseObjectKey,
  putDelta,
  readInventory,
  readRecipients,
  repositoryHead,
  SEALED_DIGEST,
  sealDigest,
  type Codec,
  type ObjectStore,
  type Packing,
} from '@etcd-ops/core';
import { EtcdCluster } from '@etcd-ops/etcd-client';
import { eventually, startEtcd } from '@etcd-ops/test-kit';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runDeltaTask } from './delta-task.ts';
import {
  CLUSTER,
  deltaTask,
  EVENT_BYTES,
  liveHash,
  need,
  proxy,
  restoredHash,
  runFull,
  versions,
  World,
  writeEvents,
} from './testing/world.ts';

/** Keys that protect nothing but these tests. */
const OLD = {
  recipient: 'age1dkz87g2keu3rt4lnx2aga9yjsh7dj7vzqyzczvu074a790d49d5se3pvla',
  identity: 'AGE-SECRET-KEY-1SW7C7HYVELFGJEAFVT4MY24KY9A3XW8H335CACSF4W5WK3K6502QZ0KWRN',
};
const NEW = {
  recipient: 'age16a35vhlreum77j9nqttlpv6j24hwply7daucnzsx46ft3wwh04ase6vuzq',
  identity: 'AGE-SECRET-KEY-1L2GNASPP0VMACJEXP50YHP0RKURAGRLDMRPNCXNS7AJ0HNSPPXMS6N72ET',
};

async function identitiesOf(world: Pick<World, 'dir'>, ...keys: { identity: string }[]): Promise<Identities> {
  const path = join(world.dir, 'key.txt');
  writeFileSync(path, keys.map(({ identity }) => identity).join('\n'), { mode: 0o600 });
  return await Identities.fromFiles([path]);
}

async function packingFor(recipient: string, codec: Codec = 'none'): Promise<Packing> {
  return { codec, recipients: await readRecipients({ recipients: [recipient] }) };
}

async function storedBytes(world: World): Promise<Buffer> {
  const all: Buffer[] = [];
  for (const key of await world.keys()) all.push(await world.store.get(key, { bytesMax: 2 ** 30 }));
  return Buffer.concat(all);
}

describe('encrypted deltas', () => {
  it('of two uploaders, and of one that died behind its put, are one object under each key', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await World.open(['127.0.0.1:1']);
    await writeEvents(world.bus, 12);
    const { lastSequence } = await streamFacts(world.bus, CLUSTER);
    const packing = await packingFor(OLD.recipient);
    const { store } = world;
    const afterPut = proxy<ObjectStore>(store, {
      put: (...args) =>
        store.put(...args).then(() => {
          throw new Error('crash');
        }),
    });
    await expect(
      runDeltaTask(deltaTask(lastSequence), world.taskOptions({ packing, store: afterPut })),
    ).rejects.toThrow('crash');
    const [first] = [...(await world.deltas()).entries()];
    // A rotation is under way, and another library compresses: the content is the same all the same.
    const others = [packing, await packingFor(NEW.recipient, 'zstd')];
    await Promise.all(
      others.map((other) => runDeltaTask(deltaTask(lastSequence), world.taskOptions({ packing: other }))),
    );
    const deltas = await world.deltas();
    expect([...deltas.keys()].every((key) => key.endsWith('.delta.age'))).toBe(true);
    if (first !== undefined) expect(deltas.get(first[0])).toBe(first[1]);
    expect((await positions(world.bus).get(positionKey(CLUSTER)))?.value).toMatchObject({ revision: 22 });
    const [timeline] = (await readInventory(store, CLUSTER)).timelines;
    timeline!.deltas.reduce((previous, delta) => (expect(delta.first).toBe(previous.last + 1), delta));
    expect(await repositoryHead(store, CLUSTER)).toMatchObject({ revision: 22, clusterId: 7n });
  });

  it('are not taken for another one under the same key', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await World.open(['127.0.0.1:1']);
    await writeEvents(world.bus, 3);
    const { lastSequence } = await streamFacts(world.bus, CLUSTER);
    const packing = await packingFor(OLD.recipient);
    const { store } = world;
    const forged = proxy<ObjectStore>(store, {
      put: async (key, body, options) => {
        if (parseObjectKey(key)?.kind !== 'delta') return await store.put(key, body, options);
        return await store.put(key, Buffer.from('age-encryption.org/v1\nforeign'), options);
      },
    });
    // The first one to write is somebody else.
    await runDeltaTask(deltaTask(lastSequence), world.taskOptions({ packing, store: forged }));
    await positions(world.bus).delete(positionKey(CLUSTER));
    const [key] = [...(await world.deltas()).keys()];
    const delta = { bytes: Buffer.alloc(1000), facts: FACTS, contentSha256: 'ab'.repeat(32) };
    await expect(putDelta(store, key!, delta, { recipients: packing.recipients })).rejects.toMatchObject({
      code: 'STORE_EXISTS',
    });
    await store.delete([key!]);
    expect(await putDelta(store, key!, delta, { recipients: packing.recipients })).toMatchObject({
      outcome: 'created',
    });
    expect(await putDelta(store, key!, delta, { recipients: packing.recipients })).toMatchObject({ outcome: 'equal' });
    const other = { ...delta, contentSha256: 'ac'.repeat(32) };
    await expect(putDelta(store, key!, other, { recipients: packing.recipients })).rejects.toMatchObject({
      code: 'STORE_EXISTS',
    });
  });

  it('are never stored in clear because there is no sound recipient', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await World.open(['127.0.0.1:1'], { encryption: { recipientsFile: '/nowhere/recipients' } });
    await using _uploader = await world.startUploader({ taskAttemptsMax: 1 });
    await writeEvents(world.bus, 3);
    await dispatchTask(world.bus, deltaTask((await streamFacts(world.bus, CLUSTER)).lastSequence));
    await eventually(async () => {
      const text = await world.context.metrics.exposition();
      return /tasks_total\{[^}]*kind="delta"[^}]*result="failed"[^}]*\} [1-9]/.test(text);
    });
    expect(await world.keys()).toEqual([]);
  });
});

const FACTS = {
  clusterId: 7n,
  timeline: 1,
  epoch: '00'.repeat(16),
  codec: 'none',
  firstRevision: 11,
  lastRevision: 13,
  rowCount: 3,
  rowBytes: 100,
  firstObservedMs: 0,
  lastObservedMs: 0,
  lastRevisionDigest: 'cd'.repeat(32),
  lastRevisionRows: 1,
  bytes: 1000,
  sha256: '00'.repeat(32),
} as const;

describe.each(versions.length === 0 ? ['none'] : versions)('an encrypted repository of etcd %s', (version) => {
  it('goes on over a lost bus and a rotation without a key, and restores with both', async (ctx) => {
    need(ctx, 'etcd');
    need(ctx, 'nats-server');
    await using etcd = await startEtcd({ version });
    await using world = await World.open(etcd.endpoints, {
      snapshots: { codec: 'zstd' },
      encryption: { recipientsFile: 'set-below' },
    });
    const recipientsFile = join(world.dir, 'recipients.txt');
    writeFileSync(recipientsFile, OLD.recipient);
    await world.changeSpec({ encryption: { recipientsFile } });
    await using _uploader = await world.startUploader();
    let watcher = await world.spawnWatcher();
    try {
      await eventually(async () => (await readInventory(world.store, CLUSTER)).timelines[0]?.fulls.length === 1, {
        timeoutMs: 30_000,
      });
      for (let index = 0; index < 5; index++) await etcd.etcdctl('put', `key-marker-${index}`, `value-marker-${index}`);
      await eventually(async () => (await world.capturedRevision()) === 6);
      await world.flush(6);
      await watcher.kill();
      await removeEventStream(world.bus, CLUSTER);
      await ensureEventStream(world.bus, CLUSTER, { bytesMax: EVENT_BYTES });
      await positions(world.bus).delete(positionKey(CLUSTER));
      // From here on to a new key; what is there stays as it is.
      writeFileSync(recipientsFile, `# rotated\n${NEW.recipient}\n`);
      for (let index = 0; index < 5; index++) await etcd.etcdctl('put', `key-marker-b${index}`, 'value-marker');
      watcher = await world.spawnWatcher();
      await eventually(async () => (await world.capturedRevision()) === 11, { timeoutMs: 20_000 });
      await world.flush(11);
      const witness = await liveHash(etcd);
      const inventory = await readInventory(world.store, CLUSTER);
      expect(inventory).toMatchObject({ foreign: [], incomplete: [], damaged: [] });
      // Proven to go on, by a digest that only who has the rows can tell.
      expect(inventory.timelines).toHaveLength(1);
      const [timeline] = inventory.timelines;
      expect(timeline!.fulls.every(({ manifest }) => manifest.encryption?.format === 'age')).toBe(true);
      expect(timeline!.deltas.every(({ encryption }) => encryption === 'age')).toBe(true);
      const stored = await storedBytes(world);
      for (const secret of ['key-marker', 'value-marker']) expect(stored.includes(secret)).toBe(false);

      const both = await identitiesOf(world, OLD, NEW);
      expect(await restoredHash(world, witness, both)).toBe(witness.hash);
      expect(await canOpenNewest(world.store, CLUSTER, both)).toMatchObject({ opens: true, encrypted: true });
      for (const one of [OLD, NEW]) {
        const identities = await identitiesOf(world, one);
        await expect(restoredHash(world, witness, identities)).rejects.toMatchObject({ code: 'IDENTITY_MISSING' });
        expect(await canOpenNewest(world.store, CLUSTER, identities)).toMatchObject({
          opens: false,
          reason: expect.stringContaining((one === OLD ? NEW : OLD).recipient.slice(0, 20)),
        });
      }
      await expect(restoredHash(world, witness)).rejects.toMatchObject({ code: 'IDENTITY_MISSING' });
    } finally {
      await watcher.kill();
    }
  });

  it('compares the next full with a sealed digest, and notices a fork by it alone', async (ctx) => {
    need(ctx, 'etcd');
    need(ctx, 'nats-server');
    await using etcd = await startEtcd({ version });
    for (let index = 0; index < 5; index++) await etcd.etcdctl('put', `a${index}`, 'x');
    await using world = await World.open(etcd.endpoints, {
      snapshots: { deltaPeriodMs: 0 },
      encryption: { recipients: [OLD.recipient] },
    });
    await using cluster = await EtcdCluster.connect({ endpoints: etcd.endpoints });
    const { store } = world;
    for (let count = 0; count < 2; count++) await runFull(world, cluster);
    const [timeline] = (await readInventory(store, CLUSTER)).timelines;
    expect(timeline!.fulls.map(({ manifest }) => manifest.proof)).toEqual([undefined, { kind: 'edge' }]);
    for (const { key, manifest } of timeline!.fulls) {
      expect(manifest.lastRevisionDigest).toMatch(SEALED_DIGEST);
      // As if this had been another history.
      const other = { ...manifest, lastRevisionDigest: await sealDigest('ab'.repeat(32)) };
      await store.delete([manifestKey(key)]);
      await store.put(manifestKey(key), encodeManifest(other));
    }
    await runFull(world, cluster);
    const { timelines } = await readInventory(store, CLUSTER);
    expect(timelines.map(({ timeline: number, fulls }) => [number, fulls.length])).toEqual([
      [1, 2],
      [2, 1],
    ]);
  });
});
