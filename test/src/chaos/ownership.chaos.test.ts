import { clusterKey, lastEvent, owners } from '@etcd-ops/bus';
import { eventually, findBinary, missingBinary } from '@etcd-ops/test-kit';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, type TestContext } from 'vitest';
import { checkWorld } from './checks/check-world.ts';
import { StreamAudit } from './checks/stream-audit.ts';
import { chaosSeed } from './world/chaos-env.ts';
import { ChaosWorld, type WorldOptions } from './world/chaos-world.ts';
import { StormLoad } from './world/storm-load.ts';
import { clustersOf, ownerOf } from './world/watchers.ts';

const REPLICAS = { scheduler: 1, watcher: 2, uploader: 1, 'garbage-collector': 0, restorer: 0, maintainer: 0 };
const WAIT_MS = 30_000;
const seed = chaosSeed();

async function worldOrSkip(context: TestContext, options: WorldOptions = {}): Promise<ChaosWorld> {
  for (const name of ['etcd', 'nats-server'] as const) {
    if (findBinary(name) === undefined) context.skip(missingBinary(name));
  }
  return await ChaosWorld.open({ ...options, replicas: { ...REPLICAS, ...options.replicas } });
}

test('a watcher that is killed is replaced within 10 s, one that is stopped within 1 s', async (context) => {
  await using world = await worldOrSkip(context);
  await using audit = new StreamAudit(world);
  audit.start();
  const captured = () => eventually(() => ownerOf(world), { timeoutMs: WAIT_MS });
  const epoch = async () => (await lastEvent(world.bus, world.cluster))?.epoch;
  /** How long nothing was captured, with somebody writing all the time. */
  const takeover = async (end: (watcher: Awaited<ReturnType<typeof ownerOf>>) => void): Promise<number> => {
    const owner = await captured();
    const before = await epoch();
    const load = new StormLoad(world, { seed, compact: false });
    try {
      await eventually(async () => (await epoch()) !== undefined, { timeoutMs: WAIT_MS });
      const begunMs = performance.now();
      end(owner);
      await eventually(async () => (await epoch()) !== (before ?? ''), { timeoutMs: WAIT_MS });
      return performance.now() - begunMs;
    } finally {
      await load.stop();
      await world.heal();
    }
  };
  await captured();
  await world.etcd.etcdctl('put', 'a', 'b');
  await eventually(async () => (await epoch()) !== undefined, { timeoutMs: WAIT_MS });
  expect(await takeover((owner) => void owner.kill())).toBeLessThan(10_000);
  await eventually(async () => (await clustersOf(await captured())) > 0, { timeoutMs: WAIT_MS });
  expect(await takeover((owner) => owner.terminate())).toBeLessThan(1_500);
  await checkWorld({ world, audit });
});

test('two watchers that both believe to own a cluster write one history', async (context) => {
  await using world = await worldOrSkip(context);
  await using audit = new StreamAudit(world);
  audit.start();
  await eventually(() => ownerOf(world), { timeoutMs: WAIT_MS });
  const load = new StormLoad(world, { seed, compact: false });
  const key = clusterKey(world.cluster);
  // Who loses its name goes on until it looks at it again: for a second and a half there are two.
  for (let turn = 0; turn < 6; turn++) {
    const owner = await owners(world.bus).get(key);
    if (owner !== undefined) await owners(world.bus).delete(key, owner.revision);
    await delay(700);
  }
  // And one that slept for longer than its name lived, and wakes up with rows in its hands.
  const sleeper = await eventually(() => ownerOf(world), { timeoutMs: WAIT_MS });
  sleeper.pause();
  await eventually(async () => (await ownerOf(world)) !== sleeper, { timeoutMs: WAIT_MS });
  sleeper.resume();
  await delay(1_000);
  await load.stop();
  await checkWorld({ world, audit });
  expect(audit.epochs.size).toBeGreaterThan(3);
  const fenced = world.servicesOf('watcher').some((watcher) => watcher.log().includes('BUS_FENCED'));
  expect(fenced, 'nobody was ever refused: were there two at all?').toBe(true);
});
