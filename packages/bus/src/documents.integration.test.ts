import { isEtcdOpsError } from '@etcd-ops/core';
import { eventually, NATS_VERSIONS, natsOrSkip } from '@etcd-ops/test-kit';
import { DiscardPolicy, RetentionPolicy, StorageType } from 'nats';
import { afterEach, describe, expect, test } from 'vitest';
import type { Bus } from './connection.ts';
import type { Change } from './documents.ts';
import type { Owner } from './messages/owner.ts';
import { bucketStream, eventsStream, OWNERS_BUCKET, STATE_BUCKET, TASKS_STREAM } from './names.ts';
import { owners, positions } from './state.ts';
import { connectTo } from './testing/connect-to.ts';
import { ensureEventStream, ensureTopology, OWNER_TTL_MS, removeEventStream } from './topology.ts';

const OWNER: Owner = { version: 1, watcher: 'w1', since: '2026-11-20T06:00:00Z' };

describe.each(NATS_VERSIONS)('nats-server %s', (version) => {
  const stacks: AsyncDisposableStack[] = [];
  afterEach(async () => {
    for (const stack of stacks.splice(0)) await stack.disposeAsync();
  });

  async function setUp(context: Parameters<typeof natsOrSkip>[0]): Promise<Bus> {
    const stack = new AsyncDisposableStack();
    stacks.push(stack);
    const server = stack.use(await natsOrSkip(context, version));
    return stack.use(await connectTo(server));
  }

  test('the topology is made once, and adjusted where that is harmless', async (context) => {
    const bus = await setUp(context);
    await Promise.all([ensureTopology(bus), ensureTopology(bus), ensureTopology(bus)]);
    await ensureTopology(bus, { tasksBytesMax: 5_000_000 });
    await ensureEventStream(bus, 'a.b', { bytesMax: 1_000_000 });
    await ensureEventStream(bus, 'a.b', { bytesMax: 2_000_000 });
    const jsm = await bus.jsm();
    expect((await jsm.streams.info(TASKS_STREAM)).config).toMatchObject({
      retention: RetentionPolicy.Workqueue,
      storage: StorageType.File,
      max_bytes: 5_000_000,
      max_msgs_per_subject: 1,
      discard: DiscardPolicy.New,
      discard_new_per_subject: true,
    });
    expect((await jsm.streams.info(eventsStream('a.b'))).config).toMatchObject({
      max_bytes: 2_000_000,
      discard: DiscardPolicy.New,
    });
    expect((await jsm.streams.info(bucketStream(OWNERS_BUCKET))).config).toMatchObject({
      max_age: OWNER_TTL_MS * 1_000_000,
    });
    await removeEventStream(bus, 'a.b');
    await removeEventStream(bus, 'a.b');
  });

  test('a stream of another make is refused, not used', async (context) => {
    const bus = await setUp(context);
    const jsm = await bus.jsm();
    await jsm.streams.add({ name: TASKS_STREAM, subjects: ['etcdops.task.>'] });
    await expect(ensureTopology(bus)).rejects.toThrow(/ETCDOPS_TASKS is not as etcd-ops needs it: retention/);
  });

  test('of eight that create or update a document one wins', async (context) => {
    const bus = await setUp(context);
    await ensureTopology(bus);
    const store = owners(bus);
    const created = await Promise.all(Array.from({ length: 8 }, () => store.create('c', OWNER)));
    expect(created.filter((revision) => revision !== undefined)).toHaveLength(1);
    const { revision } = (await store.get('c'))!;
    const updated = await Promise.all(
      Array.from({ length: 8 }, (_, n) => store.update('c', { ...OWNER, watcher: `w${n}` }, revision)),
    );
    expect(updated.filter((answer) => answer !== undefined)).toHaveLength(1);
    expect(await store.delete('c', revision)).toBe(false);
    const now = (await store.get('c'))!;
    expect(await store.delete('c', now.revision)).toBe(true);
    expect(await store.get('c')).toBeUndefined();
    expect(await store.create('c', OWNER)).toBeDefined();
  });

  test('an owner that does not renew is gone after its time, and can only create again', async (context) => {
    const bus = await setUp(context);
    await ensureTopology(bus);
    const ttl = { max_age: 2_000_000_000, duplicate_window: 2_000_000_000 };
    await (await bus.jsm()).streams.update(bucketStream(OWNERS_BUCKET), ttl);
    const store = owners(bus);
    const revision = (await store.create('c', OWNER))!;
    const begun = performance.now();
    await eventually(async () => (await store.get('c')) === undefined, { timeoutMs: 20_000 });
    expect(performance.now() - begun).toBeGreaterThan(1_500);
    expect(await store.update('c', OWNER, revision)).toBeUndefined();
    expect(await store.create('c', OWNER)).toBeDefined();
  });

  test('a watch tells what is there and what comes, until it is told to end', async (context) => {
    const bus = await setUp(context);
    await ensureTopology(bus);
    const store = positions(bus);
    const value = {
      version: 1 as const,
      timeline: 1,
      revision: 5,
      digest: null,
      sequence: 2,
      updatedAt: '2026-11-20T06:00:00Z',
    };
    await store.put('position.a', value);
    const stop = new AbortController();
    const changes: Change<typeof value>[] = [];
    let initialized = false;
    const watching = (async () => {
      for await (const change of store.watch({
        prefix: 'position.',
        signal: stop.signal,
        onInitialized: () => (initialized = true),
      })) {
        changes.push(change as Change<typeof value>);
      }
    })();
    await eventually(() => initialized);
    expect(changes).toMatchObject([{ kind: 'put', entry: { key: 'position.a', value } }]);
    await store.put('position.b', { ...value, revision: 6 });
    await bus.js.publish(`$KV.${STATE_BUCKET}.position.c`, 'no json');
    await bus.js.publish(`$KV.${STATE_BUCKET}.attempt.gc.a`, 'not watched');
    await store.delete('position.a');
    await eventually(() => changes.length === 4);
    expect(changes.map(({ kind }) => kind)).toEqual(['put', 'put', 'invalid', 'deleted']);
    stop.abort();
    await watching;
    expect(await store.keys('position.')).toEqual(['position.b', 'position.c']);
    await expect(store.get('position.c')).rejects.toSatisfy((error) => isEtcdOpsError(error, 'BUS_MESSAGE_INVALID'));
  });

  test('reads ask the leader, never a replica', async (context) => {
    const bus = await setUp(context);
    await ensureTopology(bus);
    const asked: string[] = [];
    bus.nc.subscribe('$JS.API.>', { callback: (_, message) => asked.push(message.subject) });
    await owners(bus).create('c', OWNER);
    await owners(bus).get('c');
    await eventually(() => asked.includes(`$JS.API.STREAM.MSG.GET.${bucketStream(OWNERS_BUCKET)}`));
    expect(asked.filter((subject) => subject.includes('DIRECT'))).toEqual([]);
  });
});
