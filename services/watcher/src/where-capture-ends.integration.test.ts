import {
  clusterSpecSchema,
  connectBus,
  ensureEventStream,
  ensureTopology,
  eventsStream,
  EventWriter,
  positionKey,
  positions,
  type Bus,
} from '@etcd-ops/bus';
import { deltaKey, fullKey, LocalStore, manifestKey, RowBlockBuilder } from '@etcd-ops/core';
import { createLogger, type ServiceContext } from '@etcd-ops/service-kit';
import { NATS_VERSIONS, natsOrSkip, tempDir } from '@etcd-ops/test-kit';
import { expect, test, type TestContext } from 'vitest';
import { CaptureMemory } from './capture-memory.ts';
import type { CaptureVoice } from './metrics.ts';
import { whereCaptureEnds, type CaptureEnd } from './where-capture-ends.ts';

const CLUSTER = 'prod';
const CLUSTER_ID = 0xc1n;
const DIGEST = 'ab'.repeat(32);
const FULL = fullKey({ cluster: CLUSTER, timeline: 1, revision: 10, createdAtMs: 1, codec: 'none' });
/** Its end lies before the beginning in the stream. */
const EARLIER = fullKey({ cluster: CLUSTER, timeline: 1, revision: 5, createdAtMs: 1, codec: 'none' });
const delta = (timeline: number, first: number, last: number): string =>
  deltaKey({ cluster: CLUSTER, timeline, first, last, lastObservedMs: 1 });

/** A stream that begins at revision 10 and ends at 20, and names in a store, behind which there is nothing sound. */
class Stage implements AsyncDisposable {
  readonly bus: Bus;
  readonly store: LocalStore;
  readonly #stack: AsyncDisposableStack;
  /** Keys that were read. */
  readonly read: string[] = [];

  private constructor(bus: Bus, store: LocalStore, stack: AsyncDisposableStack) {
    this.bus = bus;
    this.store = store;
    this.#stack = stack;
  }

  static async open(context: TestContext): Promise<Stage> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(tempDir());
    const { url } = stack.use(await natsOrSkip(context, NATS_VERSIONS[0]));
    const bus = stack.use(await connectBus({ url, name: 'test' }));
    await ensureTopology(bus);
    await ensureEventStream(bus, CLUSTER, { bytesMax: 2 ** 26 });
    const { writer } = await EventWriter.open(bus, CLUSTER);
    const common = { timeline: 1, clusterId: CLUSTER_ID, observedMs: 1, digest: DIGEST };
    await writer.publish({ ...common, kind: 'start', revision: 10, cause: 'first' });
    for (let revision = 11; revision <= 20; revision++) {
      const rowBlock = new RowBlockBuilder().take();
      const place = { first: revision, last: revision, rowBlock, leases: [], digestRows: 1 };
      await writer.publish({ ...common, ...place, kind: 'rows' });
    }
    return new Stage(bus, new LocalStore(dir.file('store')), stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async name(...keys: string[]): Promise<void> {
    for (const key of keys) await this.store.put(key, Buffer.from('junk'));
  }

  async position(timeline: number, revision: number): Promise<void> {
    const updatedAt = new Date().toISOString();
    const place = { version: 1, timeline, revision, digest: DIGEST, sequence: 1, updatedAt } as const;
    await positions(this.bus).put(positionKey(CLUSTER), place);
  }

  async lose(...sequences: number[]): Promise<void> {
    const jsm = await this.bus.jsm();
    for (const sequence of sequences) await jsm.streams.deleteMessage(eventsStream(CLUSTER), sequence);
  }

  async look(): Promise<CaptureEnd> {
    const { store, read, bus } = this;
    const spied = new Proxy(store, {
      get: (target, name) => {
        const found: unknown = Reflect.get(target, name);
        if (typeof found !== 'function') return found;
        return (key: string, ...rest: unknown[]): unknown => {
          if (name !== 'list') read.push(key);
          return Reflect.apply(found, target, [key, ...rest]) as unknown;
        };
      },
    });
    const { writer, ...tail } = await EventWriter.open(bus, CLUSTER);
    const logger = createLogger({ level: 'silent', name: 'test' });
    return await whereCaptureEnds(tail, {
      context: { bus, openStore: () => Promise.resolve(spied) } as unknown as ServiceContext,
      spec: clusterSpecSchema.parse({
        version: 1,
        name: CLUSTER,
        endpoints: ['a:1'],
        store: { provider: 'Local', bucket: '/b' },
      }),
      voice: { cluster: CLUSTER, logger } as CaptureVoice,
      memory: new CaptureMemory(),
      writer,
      signal: new AbortController().signal,
    });
  }
}

test('the end of the stream is believed by names alone, where the repository has a base and is not ahead', async (context) => {
  await using stage = await Stage.open(context);
  await stage.name(FULL, manifestKey(FULL), delta(1, 11, 15));
  await stage.position(1, 15);
  expect(await stage.look()).toMatchObject({
    resume: { revision: 20, timeline: 1, clusterId: CLUSTER_ID, digest: DIGEST, source: 'stream', newestTimeline: 1 },
    state: { revision: 15 },
    repository: 'as-named',
    revisionBytes: 4 / 5,
  });
  expect(stage.read).toEqual([]);
  // Trimmed, as after each delta.
  await stage.lose(1, 2, 3, 4, 5, 6);
  expect(await stage.look()).toMatchObject({ resume: { revision: 20 }, repository: 'as-named' });
  expect(stage.read).toEqual([]);
});

test('a history that has just begun is believed without a position, too', async (context) => {
  await using stage = await Stage.open(context);
  await stage.name(FULL, manifestKey(FULL));
  expect(await stage.look()).toMatchObject({ resume: { revision: 20 }, repository: 'as-named' });
  // Its beginning is lost: rows alone hang on nothing.
  await stage.lose(1);
  expect((await stage.look()).repository).not.toBe('as-named');
});

test.for([
  ['deltas beyond the end of the stream', [FULL, manifestKey(FULL), delta(1, 11, 21)], [1, 15]],
  ['a newer timeline', [FULL, manifestKey(FULL), delta(2, 16, 17)], [1, 15]],
  ['no full at all', [delta(1, 11, 15)], [1, 15]],
  ['half a full', [FULL, delta(1, 11, 15)], [1, 15]],
  ['a full that ends before the history began', [EARLIER, manifestKey(EARLIER), delta(1, 6, 15)], [1, 15]],
  ['a position beyond the end of the stream', [FULL, manifestKey(FULL)], [1, 21]],
  ['a position in a newer timeline', [FULL, manifestKey(FULL)], [2, 15]],
] as const)('the repository is looked into where there is %s', async ([, keys, [timeline, revision]], context) => {
  await using stage = await Stage.open(context);
  await stage.name(...keys);
  await stage.position(timeline, revision);
  expect((await stage.look()).repository).not.toBe('as-named');
});

test('what lies behind a hole never counts, whatever the names say', async (context) => {
  await using stage = await Stage.open(context);
  await stage.name(FULL, manifestKey(FULL), delta(1, 11, 12));
  await stage.position(1, 12);
  // Revision 17.
  await stage.lose(8);
  expect((await stage.look()).resume).toMatchObject({ revision: 16, source: 'stream' });
  // All up to revision 15: the stream begins behind what is durable.
  await stage.lose(1, 2, 3, 4, 5, 6);
  const { repository, resume } = await stage.look();
  expect(repository).not.toBe('as-named');
  expect(resume).toMatchObject({ revision: 12, source: 'state' });
});
