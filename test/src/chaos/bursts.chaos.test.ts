import { streamFacts } from '@etcd-ops/bus';
import { openEtcd3 } from '@etcd-ops/etcd-client';
import { eventually, findBinary, missingBinary } from '@etcd-ops/test-kit';
import { expect, test, type TestContext } from 'vitest';
import { checkWorld } from './checks/check-world.ts';
import { StreamAudit } from './checks/stream-audit.ts';
import { isLongForm } from './world/chaos-env.ts';
import { ChaosWorld, type WorldOptions } from './world/chaos-world.ts';
import { NO_FAULTS, type ProcessFaults } from './world/process-faults.ts';
import { metricOf, ownerOf } from './world/watchers.ts';

const MIB = 1024 * 1024;
const REPLICAS = { scheduler: 1, watcher: 1, uploader: 1, 'garbage-collector': 0, restorer: 0, maintainer: 0 };
const WAIT_MS = 120_000;
const STREAM_BYTES_MAX = 64 * MIB;
/** The budget of the design: whatever comes, in whatever state store and NATS are. */
const WATCHER_BYTES_MAX = 200 * MIB;
const UPLOADER_BYTES_MAX = 256 * MIB;
const BURST = { count: 1_000, bytes: 100_000 };
/** A thousand of them are 1.4 GB. */
const LARGE = { count: isLongForm() ? 1_000 : 30, bytes: 1_400_000 };
const WIDE_OPERATIONS = 10_000;
/** All of them stay below etcd's limit of a request. */
const WIDE_BYTES = 100;
const WRITERS = 32;
/** etcd's own first revision, before anything was written. */
const REVISION_BEFORE = 1;

async function worldOrSkip(context: TestContext, options: WorldOptions = {}): Promise<ChaosWorld> {
  for (const name of ['etcd', 'nats-server'] as const) {
    if (findBinary(name) === undefined) context.skip(missingBinary(name));
  }
  const world = await ChaosWorld.open({ ...options, replicas: REPLICAS });
  await eventually(() => ownerOf(world), { timeoutMs: WAIT_MS });
  return world;
}

/** As fast as etcd takes them. */
async function write(world: ChaosWorld, prefix: string, { count, bytes }: typeof BURST): Promise<void> {
  const client = await openEtcd3({ endpoints: world.etcd.endpoints });
  let started = 0;
  const writer = async (): Promise<void> => {
    while (started < count) {
      const serial = started++;
      await client.put(`${prefix}/${serial}`).value(Buffer.alloc(bytes, `${prefix} ${serial} `));
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
  client.close();
}

async function writeWide(world: ChaosWorld): Promise<void> {
  const client = await openEtcd3({ endpoints: world.etcd.endpoints });
  const success = Array.from({ length: WIDE_OPERATIONS }, (_, index) => ({
    request_put: { key: Buffer.from(`wide/${index}`), value: Buffer.alloc(WIDE_BYTES, 'w') },
  }));
  await client.kv.txn({ success });
  client.close();
}

async function setStore(world: ChaosWorld, faults: Partial<ProcessFaults>): Promise<void> {
  for (const uploader of world.servicesOf('uploader')) await uploader.setFaults({ ...NO_FAULTS, ...faults });
}

/** Everything is restorable and equal, nothing waits any more, and nobody ever held more than allowed. */
async function expectDrainedInBounds(world: ChaosWorld, audit: StreamAudit): Promise<void> {
  const [watcher] = world.servicesOf('watcher');
  const [uploader] = world.servicesOf('uploader');
  const { gaps, rows } = await checkWorld({ world, audit, after: REVISION_BEFORE });
  expect(gaps).toBe(0);
  expect(rows).toBe(BURST.count + WIDE_OPERATIONS + LARGE.count);
  await eventually(async () => (await metricOf(watcher!, 'watcher_lag_revisions')) === 0, { timeoutMs: WAIT_MS });
  await eventually(async () => (await streamFacts(world.bus, world.cluster)).messages <= 1, { timeoutMs: WAIT_MS });
  // None of them was started again: it is the memory of the whole time.
  expect([watcher!.starts, uploader!.starts]).toEqual([1, 1]);
  expect((await watcher!.use()).rssBytesPeak).toBeLessThan(WATCHER_BYTES_MAX);
  expect((await uploader!.use()).rssBytesPeak).toBeLessThan(UPLOADER_BYTES_MAX);
}

test('100 MB at once, one revision of 10,000 operations and values of 1.4 MB, with the store dead and then slow', async (context) => {
  await using world = await worldOrSkip(context, { spec: { eventBytesMax: STREAM_BYTES_MAX } });
  await using audit = new StreamAudit(world);
  audit.start();
  const [watcher] = world.servicesOf('watcher');
  await setStore(world, { diskFull: [world.bucket] });
  await write(world, 'burst', BURST);
  // The stream takes what it may, the rest waits in etcd, and that is seen.
  await eventually(async () => (await metricOf(watcher!, 'watcher_lag_revisions')) > 0, { timeoutMs: WAIT_MS });
  await eventually(() => watcher!.log().includes('The event stream is full'), { timeoutMs: WAIT_MS });
  expect((await streamFacts(world.bus, world.cluster)).bytes).toBeLessThanOrEqual(STREAM_BYTES_MAX);
  await writeWide(world);
  await setStore(world, { diskDelayMs: 20 });
  await write(world, 'large', LARGE);
  await setStore(world, {});
  await expectDrainedInBounds(world, audit);
});

test('100 MB at once, one revision of 10,000 operations and values of 1.4 MB while NATS is away', async (context) => {
  await using world = await worldOrSkip(context, { spec: { eventBytesMax: STREAM_BYTES_MAX } });
  await using audit = new StreamAudit(world);
  audit.start();
  const [watcher] = world.servicesOf('watcher');
  await eventually(() => audit.events > 0, { timeoutMs: WAIT_MS });
  await world.natsServers[0]!.kill();
  await write(world, 'burst', BURST);
  await writeWide(world);
  await write(world, 'large', LARGE);
  const revisions = BURST.count + 1 + LARGE.count;
  await eventually(async () => (await metricOf(watcher!, 'watcher_lag_revisions')) === revisions, {
    timeoutMs: WAIT_MS,
  });
  await world.natsServers[0]!.start();
  await expectDrainedInBounds(world, audit);
});
