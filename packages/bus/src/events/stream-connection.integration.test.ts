import { NATS_VERSIONS, natsOrSkip } from '@etcd-ops/test-kit';
import { describe, expect, test } from 'vitest';
import { eventsStream } from '../names.ts';
import { connectTo } from '../testing/connect-to.ts';
import { CLUSTER_ID, rowsEvent, startEvent } from '../testing/rows.ts';
import { ensureEventStream } from '../topology.ts';
import { EventWriter } from './event-writer.ts';
import { readEvents } from './read-events.ts';
import { connectStream, isReached, type StreamConnection } from './stream-connection.ts';
import type { Skipped } from './part-joiner.ts';

const CLUSTER = 'prod.eu';

describe.each(NATS_VERSIONS)('nats-server %s', (version) => {
  /** A start at revision 10 and a message for each of the next twenty, at the sequences 2 to 21. */
  async function written(context: Parameters<typeof natsOrSkip>[0]) {
    await using stack = new AsyncDisposableStack();
    const server = stack.use(await natsOrSkip(context, version));
    const bus = stack.use(await connectTo(server));
    await ensureEventStream(bus, CLUSTER, { bytesMax: 64 * 1024 * 1024 });
    const { writer } = await EventWriter.open(bus, CLUSTER);
    await writer.publish(startEvent(10));
    for (let revision = 11; revision <= 30; revision++) await writer.publish(rowsEvent(revision, revision));
    const moved = stack.move();
    const lose = async (sequences: number[]): Promise<void> => {
      const jsm = await bus.jsm();
      for (const sequence of sequences) await jsm.streams.deleteMessage(eventsStream(CLUSTER), sequence, true);
    };
    return { bus, writer, lose, [Symbol.asyncDispose]: () => moved.disposeAsync() };
  }

  test('a whole stream is reached by who knows nothing, and by who knows a part of it', async (context) => {
    await using world = await written(context);
    for (const known of [undefined, { timeline: 1, revision: 17 }, { timeline: 1, revision: 30 }]) {
      const connection = await connectStream(world.bus, CLUSTER, known);
      expect(isReached(connection, { timeline: 1, revision: 30 })).toBe(true);
      expect(isReached(connection, { timeline: 1, revision: 31 })).toBe(false);
      expect(connection.first?.kind).toBe('start');
    }
  });

  test('behind lost messages nothing is reached', async (context) => {
    await using world = await written(context);
    await world.lose([9, 10, 11]);
    const end = { timeline: 1, revision: 30 };
    const before = await connectStream(world.bus, CLUSTER, { timeline: 1, revision: 12 });
    expect(isReached(before, end)).toBe(false);
    expect(before.last).toMatchObject({ last: 17, sequence: 8 });
    const skipped: Skipped[] = [];
    const expected = { timeline: 1, clusterId: CLUSTER_ID, revision: 13 };
    const range = { from: 1, to: 21, expected, onSkipped: (one: Skipped) => skipped.push(one) };
    for await (const _ of readEvents(world.bus, CLUSTER, range));
    // One word for a stretch, however many messages it has.
    expect(skipped.filter(({ reason }) => reason !== 'overlap')).toEqual([
      { reason: 'missing', firstSequence: 9, lastSequence: 11 },
      { reason: 'beyond', firstSequence: 12, lastSequence: 21 },
    ]);
  });

  test('rows without a start hang on nothing for who knows nothing', async (context) => {
    await using world = await written(context);
    await world.lose([1]);
    const connection = await connectStream(world.bus, CLUSTER, undefined);
    expect(connection.expected).toBeUndefined();
    expect(connection.first).toMatchObject({ kind: 'rows', first: 11 });
  });

  test('what was gone through is not gone through again, unless anything of it is another', async (context) => {
    await using world = await written(context);
    const { bus, writer } = world;
    const known = { timeline: 1, revision: 12 };
    /** And how many messages it took. */
    const look = async (earlier: StreamConnection | undefined) => {
      const before = bus.nc.stats().inMsgs;
      const connection = await connectStream(bus, CLUSTER, known, { earlier });
      const took = bus.nc.stats().inMsgs - before;
      const { seen: _, ...found } = connection;
      const { seen: _all, ...expected } = await connectStream(bus, CLUSTER, known);
      expect(found).toEqual(expected);
      return { connection, took };
    };
    const all = await look(undefined);
    expect(all.took).toBeGreaterThan(21);
    for (let revision = 31; revision <= 33; revision++) await writer.publish(rowsEvent(revision, revision));
    const more = await look(all.connection);
    expect(more.took).toBeLessThan(12);
    expect(isReached(more.connection, { timeline: 1, revision: 33 })).toBe(true);
    expect((await look(more.connection)).took).toBeLessThan(6);
    // A message in the middle of what was seen is lost.
    await world.lose([9]);
    const holed = await look(more.connection);
    expect(holed.took).toBeGreaterThan(21);
    expect(isReached(holed.connection, { timeline: 1, revision: 33 })).toBe(false);
    expect(holed.connection.seen).toBeUndefined();
  });

  test('a writer goes on before the hole, and readers come to its end', async (context) => {
    await using world = await written(context);
    await world.lose([9, 10, 11]);
    const known = { timeline: 1, revision: 12 };
    const { expected } = await connectStream(world.bus, CLUSTER, known);
    const { writer } = await EventWriter.open(world.bus, CLUSTER);
    writer.writeFor(expected);
    await writer.publish(startEvent(17, { cause: 'resume', after: 17 }));
    for (let revision = 18; revision <= 32; revision++) await writer.publish(rowsEvent(revision, revision));
    expect(isReached(await connectStream(world.bus, CLUSTER, known), { timeline: 1, revision: 32 })).toBe(true);
  });
});
