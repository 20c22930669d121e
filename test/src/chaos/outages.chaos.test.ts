import { streamFacts } from '@etcd-ops/bus';
import { readInventory } from '@etcd-ops/core';
import { eventually, findBinary, hardLoad, missingBinary } from '@etcd-ops/test-kit';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, type TestContext } from 'vitest';
import { checkWorld } from './checks/check-world.ts';
import { StreamAudit } from './checks/stream-audit.ts';
import { chaosSeed, isLongForm } from './world/chaos-env.ts';
import { ChaosWorld, type WorldOptions } from './world/chaos-world.ts';
import { NO_FAULTS } from './world/process-faults.ts';
import { StormLoad } from './world/storm-load.ts';
import { ownerOf } from './world/watchers.ts';

const MIB = 1024 * 1024;
const REPLICAS = { scheduler: 1, watcher: 1, uploader: 2, 'garbage-collector': 0, restorer: 0, maintainer: 0 };
const WAIT_MS = 60_000;
/** The budget of the design; the engine keeps some of what a burst took. */
const WATCHER_BYTES_MAX = 200 * 1.25 * MIB;
/** A minute in the long form; long enough here that every timeout of the services runs out several times. */
const OUTAGE_MS = isLongForm() ? 60_000 : 8_000;
const seed = chaosSeed();

async function worldOrSkip(context: TestContext, options: WorldOptions = {}): Promise<ChaosWorld> {
  for (const name of ['etcd', 'nats-server'] as const) {
    if (findBinary(name) === undefined) context.skip(missingBinary(name));
  }
  const world = await ChaosWorld.open({ ...options, replicas: { ...REPLICAS, ...options.replicas } });
  await eventually(() => ownerOf(world), { timeoutMs: WAIT_MS });
  return world;
}

test('NATS is away for long, and nothing lacks afterwards', async (context) => {
  await using world = await worldOrSkip(context);
  await using audit = new StreamAudit(world);
  audit.start();
  const load = new StormLoad(world, { seed, compact: false });
  await delay(500);
  await world.natsServers[0]!.kill();
  await delay(OUTAGE_MS);
  await world.natsServers[0]!.start();
  await load.stop();
  const { rows, gaps } = await checkWorld({ world, audit });
  expect(gaps).toBe(0);
  expect(rows).toBeGreaterThan(500);
  expect((await world.servicesOf('watcher')[0]!.use()).rssBytesPeak).toBeLessThan(WATCHER_BYTES_MAX);
});

test('a store that is dead and then slow holds up the stream, which drains when it is well', async (context) => {
  await using world = await worldOrSkip(context);
  await using audit = new StreamAudit(world);
  audit.start();
  const load = new StormLoad(world, { seed: seed + 1, compact: false });
  const uploaders = world.servicesOf('uploader');
  const setAll = async (faults: typeof NO_FAULTS): Promise<void> => {
    for (const uploader of uploaders) await uploader.setFaults(faults);
  };
  await setAll({ ...NO_FAULTS, diskFull: [world.bucket] });
  const waiting = async () => (await streamFacts(world.bus, world.cluster)).bytes;
  await eventually(async () => (await waiting()) > MIB, { timeoutMs: WAIT_MS });
  await setAll({ ...NO_FAULTS, diskDelayMs: 500 });
  await delay(2_000);
  await load.stop();
  await setAll(NO_FAULTS);
  const { gaps } = await checkWorld({ world, audit });
  expect(gaps).toBe(0);
  await eventually(async () => (await streamFacts(world.bus, world.cluster)).messages <= 1, { timeoutMs: WAIT_MS });
});

test('a full event stream holds the watcher back, and nothing is dropped', async (context) => {
  await using world = await worldOrSkip(context, { spec: { eventBytesMax: 2 * MIB } });
  await using audit = new StreamAudit(world);
  audit.start();
  const [watcher] = world.servicesOf('watcher');
  await Promise.all(world.servicesOf('uploader').map((uploader) => uploader.kill()));
  const isFull = () => watcher!.log().includes('The event stream is full');
  let seen = 0;
  for (let burst = 0; burst < 40; burst++) {
    const { endpoints } = world.etcd;
    await hardLoad({ endpoints, seed: seed + burst, operations: 100, valueBytesMax: 200_000, without: ['compact'] });
    if (isFull()) seen++;
    // A few more on top of a full one.
    if (seen > 5) break;
  }
  expect(isFull()).toBe(true);
  expect((await streamFacts(world.bus, world.cluster)).bytes).toBeLessThanOrEqual(2 * MIB);
  expect((await watcher!.use()).rssBytesPeak).toBeLessThan(WATCHER_BYTES_MAX);
  await world.heal();
  const { gaps, rows } = await checkWorld({ world, audit });
  expect(gaps).toBe(0);
  expect(rows).toBeGreaterThan(1_000);
});

test('two uploaders at work on one delta task make one object of each revision', async (context) => {
  await using world = await worldOrSkip(context);
  await using audit = new StreamAudit(world);
  audit.start();
  const uploaders = world.servicesOf('uploader');
  const load = new StormLoad(world, { seed: seed + 3, compact: false });
  // Whoever has the task sleeps over its time in the middle of a slow write; the other one gets it, and then both are at it.
  for (const uploader of uploaders) await uploader.setFaults({ ...NO_FAULTS, diskDelayMs: 300 });
  for (const sleeper of uploaders) {
    await delay(400);
    sleeper.pause();
    await delay(3_500);
    sleeper.resume();
  }
  await load.stop();
  await world.heal();
  for (const uploader of uploaders) await uploader.setFaults(NO_FAULTS);
  await checkWorld({ world, audit });
  const { deltas } = (await readInventory(world.store, world.cluster)).timelines[0]!;
  deltas.reduce((previous, delta) => (expect(delta.first).toBe(previous.last + 1), delta));
});
