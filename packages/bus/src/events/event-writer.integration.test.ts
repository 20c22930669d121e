import { isEtcdOpsError } from '@etcd-ops/core';
import { eventually, NATS_VERSIONS, natsOrSkip } from '@etcd-ops/test-kit';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Bus } from '../connection.ts';
import { apiErrorCode } from '../bus-error.ts';
import { eventsSubject } from '../names.ts';
import { checkContiguous, CLUSTER_ID, rowsEvent, startEvent } from '../testing/rows.ts';
import { connectTo } from '../testing/connect-to.ts';
import { ensureEventStream } from '../topology.ts';
import type { EventRead } from './event-assembler.ts';
import { encodeHeaders, encodePayload } from './event-codec.ts';
import { headersOf } from './event-message.ts';
import { EventWriter, type Blocked } from './event-writer.ts';
import { lastEvent, tailState } from './last-event.ts';
import type { Skipped } from './part-joiner.ts';
import { isAlarming, readEvents } from './read-events.ts';
import { streamFacts } from './stream-facts.ts';
import { trimEvents } from './trim-events.ts';

const CLUSTER = 'prod.eu';
const MIB = 1024 * 1024;

async function readAll(bus: Bus, from = 1): Promise<{ events: EventRead[]; skipped: Skipped[] }> {
  const events: EventRead[] = [];
  const skipped: Skipped[] = [];
  const { lastSequence } = await streamFacts(bus, CLUSTER);
  for await (const event of readEvents(bus, CLUSTER, {
    from,
    to: lastSequence,
    onSkipped: (one) => skipped.push(one),
  })) {
    events.push(event);
  }
  return { events, skipped };
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (isEtcdOpsError(error) ? error.code : error),
  );

describe.each(NATS_VERSIONS)('nats-server %s', (version) => {
  const stacks: AsyncDisposableStack[] = [];
  afterEach(async () => {
    for (const stack of stacks.splice(0)) await stack.disposeAsync();
  });

  async function setUp(context: Parameters<typeof natsOrSkip>[0], bytesMax = 64 * MIB) {
    const stack = new AsyncDisposableStack();
    stacks.push(stack);
    const server = stack.use(await natsOrSkip(context, version));
    const bus = stack.use(await connectTo(server));
    await ensureEventStream(bus, CLUSTER, { bytesMax });
    const connect = async () => stack.use(await connectTo(server));
    return { server, bus, connect };
  }

  test('an empty stream begins with a start, and a successor goes on where the history ends', async (context) => {
    const { bus } = await setUp(context);
    const { writer, last } = await EventWriter.open(bus, CLUSTER);
    expect(last).toBeUndefined();
    await expect(writer.publish(rowsEvent(1, 2))).rejects.toThrow(/start/);
    await writer.publish(startEvent(4));
    await expect(writer.publish(rowsEvent(6, 6))).rejects.toThrow(/beyond/);
    expect(await writer.publish(rowsEvent(5, 9))).toEqual({ sequence: 2 });
    const event = rowsEvent(10, 12, { leases: [{ id: 3n, grantedTtlSeconds: 9, askedAtRevision: 12, source: 'ttl' }] });
    await writer.publish(event);
    const successor = await EventWriter.open(bus, CLUSTER);
    expect(successor.last).toMatchObject({
      kind: 'rows',
      first: 10,
      last: 12,
      digest: event.digest,
      digestRows: 1,
      timeline: 1,
      clusterId: CLUSTER_ID,
      sequence: 3,
    });
    const { events, skipped } = await readAll(bus);
    expect(checkContiguous(events)).toEqual({ first: 5, last: 12 });
    expect(events[2]).toMatchObject(event);
    expect(skipped).toEqual([]);
  });

  test('of two writers one is refused, and nothing of it lands behind the other', async (context) => {
    const { bus, connect } = await setUp(context);
    const stale = await EventWriter.open(bus, CLUSTER);
    await stale.writer.publish(startEvent(0));
    await stale.writer.publish(rowsEvent(1, 3));
    const fresh = await EventWriter.open(await connect(), CLUSTER);
    await fresh.writer.publish(rowsEvent(4, 4));
    expect(await codeOf(stale.writer.publish(rowsEvent(4, 6)))).toBe('BUS_FENCED');
    // And it stays refused, though the sequence that it would expect next is the right one by now.
    expect(await codeOf(stale.writer.publish(rowsEvent(4, 6)))).toBe('BUS_FENCED');
    expect(stale.writer.usable).toBe(false);
    expect((await streamFacts(bus, CLUSTER)).lastSequence).toBe(3);
    await fresh.writer.publish(rowsEvent(5, 5));
    expect(checkContiguous((await readAll(bus)).events).last).toBe(5);
  });

  test('what the fence is against: with several in flight the later ones land behind a foreign message', async (context) => {
    const { bus } = await setUp(context);
    const { writer } = await EventWriter.open(bus, CLUSTER);
    await writer.publish(startEvent(0));
    const foreign = bus.js.publish(eventsSubject(CLUSTER), 'B', { expect: { lastSequence: 1 } });
    const pipelined = [1, 2, 3].map((lastSequence) =>
      bus.js.publish(eventsSubject(CLUSTER), `A${lastSequence}`, { expect: { lastSequence } }).then(
        () => 'stored',
        (error: unknown) => apiErrorCode(error),
      ),
    );
    await foreign;
    expect(await Promise.all(pipelined)).toEqual([10071, 'stored', 'stored']);
    // A writer of ours cannot be brought to do so.
    const { writer: other } = await EventWriter.open(bus, CLUSTER);
    const first = other.publish(rowsEvent(1, 1));
    await expect(other.publish(rowsEvent(2, 2))).rejects.toThrow(/one message at a time/);
    await first;
  });

  test('large messages behind many small ones are read within the bytes of a pull, each once', async (context) => {
    const { bus } = await setUp(context);
    const { writer } = await EventWriter.open(bus, CLUSTER);
    await writer.publish(startEvent(0));
    for (let revision = 1; revision <= 40; revision++) await writer.publish(rowsEvent(revision, revision));
    for (let revision = 41; revision <= 52; revision++) {
      await writer.publish(rowsEvent(revision, revision, { bytes: 0.9 * MIB }));
    }
    const subscribe = vi.spyOn(bus.nc, 'subscribe');
    const addConsumer = vi.spyOn((await bus.quickJsm()).consumers, 'add');
    const { events, skipped } = await readAll(bus);
    expect(checkContiguous(events)).toEqual({ first: 1, last: 52 });
    expect(skipped).toEqual([]);
    // Two of the large ones at a time, and no consumer had to be made anew.
    expect(subscribe.mock.calls.length).toBeGreaterThanOrEqual(6);
    expect(addConsumer).toHaveBeenCalledTimes(1);
  });

  test('a message above the limit of the server goes in parts and comes back whole', async (context) => {
    const { bus } = await setUp(context);
    const { writer } = await EventWriter.open(bus, CLUSTER);
    await writer.publish(startEvent(0));
    await writer.publish(rowsEvent(1, 5, { bytes: MIB }));
    const parts = Math.ceil(encodePayload(rowsEvent(1, 5, { bytes: MIB })).length / (bus.maxPayloadBytes - 4096));
    expect(writer.lastSequence).toBe(1 + parts);
    // Also when more parts follow one another than are looked at in one go.
    expect((await tailState(bus, CLUSTER, { scannedMessagesMax: 2 })).last).toMatchObject({ first: 1, last: 5 });
    await writer.publish(rowsEvent(6, 6));
    const { events, skipped } = await readAll(bus);
    expect(skipped).toEqual([]);
    expect(events[1]).toMatchObject({ first: 1, last: 5, sequence: 2, lastPartSequence: 1 + parts });
    expect(checkContiguous(events).last).toBe(6);
    // The last part alone, which is what trimming leaves, still tells a successor where to go on.
    const { writer: next } = await EventWriter.open(bus, CLUSTER);
    await next.publish(rowsEvent(7, 9, { bytes: MIB }));
    await trimEvents(bus, CLUSTER, next.lastSequence);
    expect((await streamFacts(bus, CLUSTER)).messages).toBe(1);
    expect(await lastEvent(bus, CLUSTER)).toMatchObject({ first: 7, last: 9 });
  });

  test('the beginning of a message whose writer was lost does not count', async (context) => {
    const { bus } = await setUp(context);
    const { writer } = await EventWriter.open(bus, CLUSTER);
    await writer.publish(startEvent(0));
    await writer.publish(rowsEvent(1, 3));
    const event = rowsEvent(4, 8);
    const facts = headersOf(event, 'a'.repeat(32), encodePayload(event).length, 3);
    for (const part of [1, 2]) {
      await bus.js.publish(eventsSubject(CLUSTER), encodePayload(event).subarray(0, 100), {
        headers: encodeHeaders({ ...facts, part }),
      });
    }
    const { writer: successor, last } = await EventWriter.open(bus, CLUSTER);
    expect(last).toMatchObject({ last: 3, sequence: 2 });
    expect(successor.lastSequence).toBe(4);
    await successor.publish(event);
    const { events, skipped } = await readAll(bus);
    expect(checkContiguous(events).last).toBe(8);
    expect(skipped).toEqual([{ reason: 'incomplete', firstSequence: 3, lastSequence: 4 }]);
    expect(skipped.some(isAlarming)).toBe(false);
  });

  test('a successor does not go on from a message behind a hole', async (context) => {
    const { bus } = await setUp(context);
    const { writer } = await EventWriter.open(bus, CLUSTER);
    await writer.publish(startEvent(0));
    await writer.publish(rowsEvent(1, 3));
    const stray = rowsEvent(7, 9);
    await bus.js.publish(eventsSubject(CLUSTER), encodePayload(stray), {
      headers: encodeHeaders(headersOf(stray, 'b'.repeat(32), encodePayload(stray).length, 1)),
    });
    const { writer: successor, last } = await EventWriter.open(bus, CLUSTER);
    expect(last).toMatchObject({ last: 3, sequence: 2 });
    await successor.publish(rowsEvent(4, 9));
    const { events, skipped } = await readAll(bus);
    expect(checkContiguous(events).last).toBe(9);
    expect(skipped).toEqual([{ reason: 'beyond', firstSequence: 3, lastSequence: 3 }]);
    expect(skipped.every(isAlarming)).toBe(true);
  });

  test('a full stream holds the writer back until it is trimmed, and loses nothing', async (context) => {
    const { bus } = await setUp(context, 3 * MIB);
    const { writer } = await EventWriter.open(bus, CLUSTER);
    await writer.publish(startEvent(0));
    const blocked: Blocked[] = [];
    const seen: EventRead[] = [];
    let next = 1;
    let trimmed = 0;
    while (blocked.length === 0 || next < 20) {
      const publishing = writer.publish(rowsEvent(next, next, { bytes: 700 * 1024 }), {
        onBlocked: (one) => blocked.push(one),
      });
      const before = blocked.length;
      await Promise.race([
        publishing,
        eventually(() => blocked.length > before || !writer.usable, { timeoutMs: 5_000 }).catch(() => {}),
      ]);
      if (blocked.length > before) {
        const facts = await streamFacts(bus, CLUSTER);
        const { events } = await readAll(bus, trimmed + 1);
        seen.push(...events);
        trimmed = facts.lastSequence;
        await trimEvents(bus, CLUSTER, trimmed);
      }
      await publishing;
      next++;
    }
    seen.push(...(await readAll(bus, trimmed + 1)).events);
    expect(blocked[0]!.reason).toMatch(/maximum bytes/);
    expect(checkContiguous(seen)).toEqual({ first: 1, last: next - 1 });
  });

  test('the wait for room ends with the signal', async (context) => {
    const { bus } = await setUp(context, 2 * MIB);
    const { writer } = await EventWriter.open(bus, CLUSTER);
    await writer.publish(startEvent(0));
    await writer.publish(rowsEvent(1, 1, { bytes: 900 * 1024 }));
    await writer.publish(rowsEvent(2, 2, { bytes: 900 * 1024 }));
    const abort = new AbortController();
    const publishing = writer.publish(rowsEvent(3, 3, { bytes: 900 * 1024 }), {
      signal: abort.signal,
      onBlocked: () => abort.abort(),
    });
    expect(await codeOf(publishing)).toBe('CANCELLED');
    const { writer: next, last } = await EventWriter.open(bus, CLUSTER);
    expect(last).toMatchObject({ last: 2 });
    expect(await codeOf(next.publish(rowsEvent(3, 3, { bytes: 4 * MIB })))).toBe('BUS_FAILED');
  });

  test('a disconnect ends the writer, though nothing was in flight', async (context) => {
    const { server, bus } = await setUp(context);
    const { writer } = await EventWriter.open(bus, CLUSTER);
    await writer.publish(startEvent(0));
    await server.kill();
    await server.start();
    await eventually(() => bus.disconnects > 0 && bus.connected);
    expect(writer.usable).toBe(false);
    expect(await codeOf(writer.publish(rowsEvent(1, 1)))).toBe('BUS_UNREACHABLE');
    const { writer: next } = await EventWriter.open(bus, CLUSTER);
    await next.publish(rowsEvent(1, 1));
    expect(checkContiguous((await readAll(bus)).events).last).toBe(1);
  });

  test('what was stored after its writer had given up is known to the next one', async (context) => {
    const { server, bus } = await setUp(context);
    const { writer } = await EventWriter.open(bus, CLUSTER);
    await writer.publish(startEvent(0));
    await server.pause();
    const outcome = codeOf(writer.publish(rowsEvent(1, 4)));
    await eventually(() => !writer.usable || bus.disconnects > 0, { timeoutMs: 8_000 });
    expect(await outcome).toBe('BUS_UNREACHABLE');
    server.resume();
    await eventually(async () => {
      await bus.whenConnected();
      const { writer: next, last } = await EventWriter.open(bus, CLUSTER);
      await next.publish(rowsEvent(1, 6));
      expect([0, 4]).toContain(last?.last);
    });
    expect(checkContiguous((await readAll(bus)).events).last).toBe(6);
  });

  test('long and short ranges read the same, from anywhere', async (context) => {
    const { bus } = await setUp(context);
    const { writer } = await EventWriter.open(bus, CLUSTER);
    await writer.publish(startEvent(0));
    for (let revision = 1; revision <= 700; revision++) await writer.publish(rowsEvent(revision, revision));
    const { events } = await readAll(bus);
    expect(checkContiguous(events)).toEqual({ first: 1, last: 700 });
    await trimEvents(bus, CLUSTER, 300);
    const skipped: Skipped[] = [];
    const rest: EventRead[] = [];
    const expected = { timeline: 1, clusterId: CLUSTER_ID, revision: 300 };
    for await (const event of readEvents(bus, CLUSTER, {
      from: 298,
      to: 9_999,
      expected,
      onSkipped: (one) => skipped.push(one),
    })) {
      rest.push(event);
    }
    expect(skipped).toEqual([{ reason: 'missing', firstSequence: 298, lastSequence: 300 }]);
    expect(rest[0]).toMatchObject({ first: 300, sequence: 301 });
    expect(rest).toHaveLength(401);
    const few: EventRead[] = [];
    for await (const event of readEvents(bus, CLUSTER, { from: 695, to: 699 })) few.push(event);
    expect(few.map((event) => event.sequence)).toEqual([695, 696, 697, 698, 699]);
  });

  test('trimming keeps the last message, and the sequence goes on', async (context) => {
    const { bus } = await setUp(context);
    const { writer } = await EventWriter.open(bus, CLUSTER);
    await writer.publish(startEvent(0));
    await writer.publish(rowsEvent(1, 1));
    await writer.publish(rowsEvent(2, 2));
    expect(await trimEvents(bus, CLUSTER, 1)).toBe(1);
    expect(await trimEvents(bus, CLUSTER, 1_000_000)).toBe(1);
    expect(await trimEvents(bus, CLUSTER, 1_000_000)).toBe(0);
    expect(await streamFacts(bus, CLUSTER)).toMatchObject({ messages: 1, firstSequence: 3, lastSequence: 3 });
    await writer.publish(rowsEvent(3, 3));
    expect((await streamFacts(bus, CLUSTER)).lastSequence).toBe(4);
  });
});
