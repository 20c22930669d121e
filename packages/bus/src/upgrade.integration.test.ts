import { eventually, NATS_VERSIONS, natsOrSkip } from '@etcd-ops/test-kit';
import { afterEach, describe, expect, test } from 'vitest';
import type { Bus } from './connection.ts';
import { headersOf } from './events/event-message.ts';
import { encodeHeaders, encodePayload } from './events/event-codec.ts';
import { EventWriter } from './events/event-writer.ts';
import { readEvents } from './events/read-events.ts';
import {
  bucketStream,
  DEAD_STREAM,
  eventsStream,
  eventsSubject,
  STATE_BUCKET,
  taskSubject,
  TASKS_STREAM,
} from './names.ts';
import { ensureTaskConsumer } from './tasks/task-consumer.ts';
import { runTasks } from './tasks/run-tasks.ts';
import type { TaskEvent } from './tasks/task-events.ts';
import { connectTo } from './testing/connect-to.ts';
import { rowsEvent, startEvent } from './testing/rows.ts';
import { ensureEventStream, ensureTopology } from './topology.ts';
import { TOPOLOGY_VERSION } from './topology-version.ts';

const LATER = `etcd-ops topology ${TOPOLOGY_VERSION + 1}`;
const TASK = { version: 1, kind: 'gc', pool: 'any', createdAt: '2026-11-20T06:00:00Z', cause: 'request' };

/** This version beside a later one, whose part is played by what it would put on the wire. */
describe.each(NATS_VERSIONS)('an upgrade on nats-server %s', (version) => {
  const stacks: AsyncDisposableStack[] = [];
  afterEach(async () => {
    for (const stack of stacks.splice(0)) await stack.disposeAsync();
  });

  async function setUp(context: Parameters<typeof natsOrSkip>[0]): Promise<{ bus: Bus; stack: AsyncDisposableStack }> {
    const stack = new AsyncDisposableStack();
    stacks.push(stack);
    const server = stack.use(await natsOrSkip(context, version));
    return { bus: stack.use(await connectTo(server)), stack };
  }

  test('what a later version has configured is not changed back, and what people chose still is', async (context) => {
    const { bus } = await setUp(context);
    const jsm = await bus.jsm();
    await ensureTopology(bus);
    await ensureEventStream(bus, 'prod', { bytesMax: 1_000_000 });
    const config = async (stream: string) => (await jsm.streams.info(stream)).config;
    for (const stream of [TASKS_STREAM, bucketStream(STATE_BUCKET), eventsStream('prod')]) {
      expect((await config(stream)).description).toBe(`etcd-ops topology ${TOPOLOGY_VERSION}`);
    }
    const later = { description: LATER, duplicate_window: 60_000_000_000 };
    await jsm.streams.update(TASKS_STREAM, { ...later, max_bytes: 40_000_000 });
    await jsm.streams.update(eventsStream('prod'), { ...later, allow_direct: false });
    await ensureTopology(bus);
    await ensureEventStream(bus, 'prod', { bytesMax: 2_000_000 });
    expect(await config(TASKS_STREAM)).toMatchObject({ ...later, max_bytes: 40_000_000 });
    expect(await config(eventsStream('prod'))).toMatchObject({ ...later, max_bytes: 2_000_000 });
    expect((await config(eventsStream('prod'))).allow_direct ?? false).toBe(false);

    // One from before streams were marked is brought up to this version.
    await jsm.streams.update(TASKS_STREAM, { description: '', duplicate_window: 1_000_000_000 });
    await ensureTopology(bus);
    expect(await config(TASKS_STREAM)).toMatchObject({ duplicate_window: 120_000_000_000, max_bytes: 33_554_432 });
  });

  test('the consumer of a later version serves as it is', async (context) => {
    const { bus } = await setUp(context);
    const jsm = await bus.jsm();
    await ensureTopology(bus);
    const durable = await ensureTaskConsumer(bus, { kind: 'gc', pool: 'any', ackWaitMs: 30_000 });
    await jsm.consumers.update(TASKS_STREAM, durable, { description: LATER, ack_wait: 60_000_000_000 });
    await ensureTaskConsumer(bus, { kind: 'gc', pool: 'any', ackWaitMs: 30_000 });
    expect((await jsm.consumers.info(TASKS_STREAM, durable)).config).toMatchObject({ ack_wait: 60_000_000_000 });
  });

  test('a task with new fields is done, one of a later version is left to others and holds up nobody', async (context) => {
    const { bus, stack } = await setUp(context);
    await ensureTopology(bus);
    const events: TaskEvent[] = [];
    const stop = new AbortController();
    const running = runTasks(bus, {
      kind: 'gc',
      concurrencyMax: 1,
      signal: stop.signal,
      handler: () => Promise.resolve(undefined),
      onEvent: (event) => events.push(event),
    });
    stack.defer(async () => {
      stop.abort();
      await running;
    });
    const put = async (task: Record<string, unknown>): Promise<string> => {
      const subject = taskSubject({
        id: String(task['id']),
        kind: 'gc',
        pool: 'any',
        cluster: String(task['cluster']),
      });
      await bus.js.publish(subject, JSON.stringify(task));
      return subject;
    };
    const later = await put({ ...TASK, id: 't2', cluster: 'b', version: 2, cause: { reason: 'something new' } });
    await put({ ...TASK, id: 't1', cluster: 'a', addedLater: true });
    const done = () => events.flatMap((event) => (event.type === 'done' ? [event.task] : []));
    await eventually(() => done().length === 1 && events.some(({ type }) => type === 'newer'), { timeoutMs: 30_000 });
    expect(done()).toEqual([{ ...TASK, id: 't1', cluster: 'a' }]);
    expect(events.find(({ type }) => type === 'newer')).toMatchObject({
      subject: later,
      error: { code: 'BUS_VERSION_UNKNOWN', message: 'The task has version 2, and this etcd-ops reads version 1' },
    });
    const jsm = await bus.jsm();
    expect((await jsm.streams.getMessage(TASKS_STREAM, { last_by_subj: later })).subject).toBe(later);
    expect((await jsm.streams.info(DEAD_STREAM)).state.messages).toBe(0);
  });

  test('events of a later version are never passed over', async (context) => {
    const { bus } = await setUp(context);
    await ensureEventStream(bus, 'prod', { bytesMax: 1_000_000 });
    const { writer } = await EventWriter.open(bus, 'prod');
    await writer.publish(startEvent(0));
    await writer.publish(rowsEvent(1, 5));
    const event = rowsEvent(6, 9);
    const payload = encodePayload(event);
    const headers = encodeHeaders(headersOf(event, 'f'.repeat(32), payload.length, 1));
    headers.set('Etcdops-Version', '2');
    await bus.js.publish(eventsSubject('prod'), payload, { headers });
    const read: number[] = [];
    const reading = (async () => {
      for await (const { sequence } of readEvents(bus, 'prod', { from: 1, to: 10 })) read.push(sequence);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'BUS_VERSION_UNKNOWN' });
    expect(read).toEqual([1, 2]);
    await expect(EventWriter.open(bus, 'prod')).rejects.toMatchObject({ code: 'BUS_VERSION_UNKNOWN' });
  });
});
