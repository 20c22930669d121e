import { nanos, nuid, type Msg } from 'nats';
import { eventually, findBinary, missingBinary, NATS_VERSIONS, startNats } from '@etcd-ops/test-kit';
import { describe, expect, test } from 'vitest';
import type { Bus } from '../connection.ts';
import { TASKS_STREAM } from '../names.ts';
import { connectAs, startTwoAccounts } from '../testing/two-accounts.ts';
import { connectTo } from '../testing/connect-to.ts';
import { ensureEventStream, ensureTopology } from '../topology.ts';

/**
 * The server is a deputy without scruples: it delivers what a consumer or a direct get asks for to any subject of the account, whatever the
 * one who asks may publish to. So a service that was broken into can have a restore asked for, though it may not ask itself. The same
 * attacks are run where all is one account, which shows that they are real, and against the two accounts.
 */

const FORGED = JSON.stringify({ cluster: 'prod', dataDir: '/etc', token: 'forged' });
const TARGETS = ['etcdops.restore', 'etcdops.task.restore.any.prod.forged'];

interface Attack {
  by: 'watcher' | 'uploader' | 'scheduler';
  run: (bus: Bus, target: string) => Promise<unknown>;
}

/** Makes a consumer as a client would who chooses every field; answers its name. */
async function consumer(bus: Bus, stream: string, filter: string, config: object): Promise<string> {
  const name = nuid.next();
  const body = {
    stream_name: stream,
    config: { name, filter_subject: filter, deliver_policy: 'all', inactive_threshold: nanos(60_000), ...config },
  };
  const subject = `$JS.API.CONSUMER.CREATE.${stream}.${name}.${filter}`;
  const answer = await bus.nc.request(subject, JSON.stringify(body), { timeout: 2_000 });
  expect(answer.json()).not.toHaveProperty('error');
  return name;
}

const ATTACKS: Readonly<Record<string, Attack>> = {
  'a push consumer over events delivers them as a request': {
    by: 'watcher',
    run: (bus, target) =>
      consumer(bus, 'ETCDOPS_EVENTS_prod', 'etcdops.events.prod', { ack_policy: 'none', deliver_subject: target }),
  },
  'a push consumer over a bucket delivers its values as a request': {
    by: 'scheduler',
    run: (bus, target) =>
      consumer(bus, 'KV_etcdops_clusters', '$KV.etcdops_clusters.>', { ack_policy: 'none', deliver_subject: target }),
  },
  'a direct get answers to the subject of a request': {
    by: 'uploader',
    run: async (bus, target) => {
      bus.nc.publish('$JS.API.DIRECT.GET.ETCDOPS_EVENTS_prod', JSON.stringify({ seq: 1 }), { reply: target });
      await bus.nc.flush();
    },
  },
  'a get answers to the subject of a request': {
    by: 'uploader',
    run: async (bus, target) => {
      bus.nc.publish('$JS.API.STREAM.MSG.GET.ETCDOPS_EVENTS_prod', JSON.stringify({ seq: 1 }), { reply: target });
      await bus.nc.flush();
    },
  },
  'a pull answers to the subject of a request': {
    by: 'uploader',
    run: async (bus, target) => {
      const name = await consumer(bus, 'ETCDOPS_EVENTS_prod', 'etcdops.events.prod', { ack_policy: 'none' });
      bus.nc.publish(`$JS.API.CONSUMER.MSG.NEXT.ETCDOPS_EVENTS_prod.${name}`, JSON.stringify({ batch: 1 }), {
        reply: target,
      });
      await bus.nc.flush();
    },
  },
};

/** Only who may make streams could do these; nobody but the operator may, so the server refuses them outright. */
const STREAMS: Readonly<Record<string, object>> = {
  'a stream that republishes': {
    name: 'TAP',
    subjects: ['tap'],
    republish: { src: '>', dest: 'etcdops.restore' },
    storage: 'memory',
  },
  'a mirror of the specs': { name: 'MIRROR', mirror: { name: 'KV_etcdops_clusters' }, storage: 'memory' },
  'a stream over the requests': { name: 'EAR', subjects: ['etcdops.restore'], storage: 'memory' },
};

describe.each(NATS_VERSIONS)('nats-server %s: a forged restore', (version) => {
  const missing = findBinary('nats-server', version) === undefined ? missingBinary('nats-server', version) : undefined;

  test.for(Object.keys(ATTACKS))('%s: in one account', async (name, context) => {
    if (missing !== undefined) return context.skip(missing);
    await using server = await startNats({ version });
    await using bus = await connectTo(server);
    await ensureTopology(bus);
    await ensureEventStream(bus, 'prod', { bytesMax: 1024 * 1024 });
    await seed(bus, bus);
    for (const target of TARGETS) {
      const heard = listen(bus, target);
      await ATTACKS[name]!.run(bus, target);
      await eventually(() => heard.length > 0);
    }
  });

  test.for(Object.keys(ATTACKS))('%s: between two accounts it never arrives', async (name, context) => {
    if (missing !== undefined) return context.skip(missing);
    await using world = await openWorld(version);
    const { by, run } = ATTACKS[name]!;
    await using attacker = await connectAs(world.server, by);
    const heard = listen(world.restorer, 'etcdops.restore');
    for (const target of TARGETS) await run(attacker, target);
    await world.settle(attacker);
    // In CORE it may lie in the queue: nobody works off restores there.
    await eventually(() => heard.includes('real'));
    expect(heard).toEqual(['real']);
    expect(await queued(world.operator)).toBe(0);
  });

  test.for(Object.keys(STREAMS))('%s is refused to every service', async (name, context) => {
    if (missing !== undefined) return context.skip(missing);
    await using world = await openWorld(version);
    const config = STREAMS[name] as { name: string };
    for (const role of ['watcher', 'uploader', 'scheduler', 'garbage-collector', 'maintainer', 'restorer']) {
      await using bus = await connectAs(world.server, role);
      const asking = bus.nc.request(`$JS.API.STREAM.CREATE.${config.name}`, JSON.stringify(config), { timeout: 2_000 });
      await expect(asking).rejects.toMatchObject({ code: 'PERMISSIONS_VIOLATION' });
    }
  });

  test('progress of CORE is seen in OPS, that of a restore cannot be made up', async (context) => {
    if (missing !== undefined) return context.skip(missing);
    await using world = await openWorld(version);
    await using uploader = await connectAs(world.server, 'uploader');
    const heard = listen(world.operator, 'etcdops.progress.>', (message) => message.subject);
    await world.operator.nc.flush();
    uploader.nc.publish('etcdops.progress.restore.prod.x', FORGED);
    uploader.nc.publish('etcdops.progress.full.prod.x', FORGED);
    await eventually(() => heard.length > 0);
    expect(heard).toEqual(['etcdops.progress.full.prod.x']);
  });
});

async function openWorld(version: string) {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startTwoAccounts(version));
  const core = stack.use(await connectAs(server, 'operator'));
  const operator = stack.use(await connectAs(server, 'operator-ops'));
  const restorer = stack.use(await connectAs(server, 'restorer-ops'));
  const watcher = stack.use(await connectAs(server, 'watcher'));
  await ensureTopology(core, { part: 'core' });
  await ensureEventStream(core, 'prod', { bytesMax: 1024 * 1024 });
  await ensureTopology(operator, { part: 'ops' });
  await seed(watcher, core);
  const kept = stack.move();
  return {
    server,
    core,
    operator,
    restorer,
    /** Whatever the attacks had delivered would have arrived. */
    async settle(attacker: Bus) {
      await attacker.nc.flush();
      await core.nc.flush();
      // A real request behind them, on the same way.
      operator.nc.publish('etcdops.restore', 'real');
      await operator.nc.flush();
      await restorer.nc.flush();
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** What a watcher may store: an event, whose body it chooses freely; and a spec. */
async function seed(watcher: Bus, operator: Bus): Promise<void> {
  await watcher.js.publish('etcdops.events.prod', FORGED);
  await operator.js.publish('$KV.etcdops_clusters.prod', FORGED);
}

function listen(bus: Bus, subject: string, of = (message: Msg): string => message.string()): string[] {
  const heard: string[] = [];
  bus.nc.subscribe(subject, { callback: (_, message) => heard.push(of(message)) }).closed.catch(() => {});
  return heard;
}

/** Restores that wait. */
async function queued(bus: Bus): Promise<number> {
  const jsm = await bus.jsm();
  const { state } = await jsm.streams.info(TASKS_STREAM, { subjects_filter: 'etcdops.task.restore.>' });
  return Object.values(state.subjects ?? {}).reduce((sum, messages) => sum + messages, 0);
}
