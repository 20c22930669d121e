import { EtcdOpsError } from '@etcd-ops/core';
import { cutTail, eventually, NATS_VERSIONS, natsOrSkip, type TestNats } from '@etcd-ops/test-kit';
import { JSONCodec } from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { Bus } from '../connection.ts';
import { deadLetterSchema, type DeadLetter } from '../messages/dead-letter.ts';
import { progressSchema, type Progress } from '../messages/progress.ts';
import { taskResultSchema, type TaskResult } from '../messages/task-result.ts';
import type { TaskInput } from '../messages/task.ts';
import { DEAD_STREAM, HISTORY_STREAM, lastDoneKey, PROGRESS_SUBJECTS, TASKS_STREAM } from '../names.ts';
import { pull } from '../pull-request.ts';
import { lastDone } from '../state.ts';
import { connectTo } from '../testing/connect-to.ts';
import { ensureTopology } from '../topology.ts';
import { dispatchTask } from './dispatch-task.ts';
import { runTasks, type RunTasksOptions } from './run-tasks.ts';
import { ensureTaskConsumer } from './task-consumer.ts';
import type { TaskEvent } from './task-events.ts';

let counter = 0;
function gcTask(cluster: string, extra: { tick?: string; id?: string } = {}): TaskInput {
  const id = extra.id ?? `task-${++counter}`;
  return { version: 1, id, kind: 'gc', cluster, createdAt: new Date().toISOString(), cause: 'request', ...extra };
}

describe.each(NATS_VERSIONS)('nats-server %s', (version) => {
  const stacks: AsyncDisposableStack[] = [];
  afterEach(async () => {
    for (const stack of stacks.splice(0)) await stack.disposeAsync();
  });

  async function setUp(context: Parameters<typeof natsOrSkip>[0]) {
    const stack = new AsyncDisposableStack();
    stacks.push(stack);
    const server: TestNats = stack.use(await natsOrSkip(context, version));
    const bus = stack.use(await connectTo(server));
    await ensureTopology(bus);
    /** A worker that stops with the test. */
    const work = (options: Partial<RunTasksOptions<'gc'>> & Pick<RunTasksOptions<'gc'>, 'handler'>) => {
      const events: TaskEvent[] = [];
      const stop = new AbortController();
      const running = runTasks(bus, {
        kind: 'gc',
        concurrencyMax: 4,
        backoffMs: 50,
        signal: stop.signal,
        onEvent: (event) => events.push(event),
        ...options,
      });
      const end = async () => {
        stop.abort();
        await running;
      };
      stack.defer(end);
      return { events, end, count: (type: TaskEvent['type']) => events.filter((event) => event.type === type).length };
    };
    return { server, bus, work };
  }

  const queued = async (bus: Bus) => (await (await bus.jsm()).streams.info(TASKS_STREAM)).state.messages;

  async function deadLetters(bus: Bus): Promise<DeadLetter[]> {
    return stored(bus, DEAD_STREAM, (json) => deadLetterSchema.parse(json));
  }

  async function history(bus: Bus): Promise<TaskResult[]> {
    return stored(bus, HISTORY_STREAM, (json) => taskResultSchema.parse(json));
  }

  test('a cluster has one task of a kind in the queue, and the next only when that one is done', async (context) => {
    const { bus, work } = await setUp(context);
    const go = Promise.withResolvers<void>();
    expect(await dispatchTask(bus, gcTask('a'))).toBe('accepted');
    expect(await dispatchTask(bus, gcTask('a'))).toBe('busy');
    const { count } = work({ handler: async () => (await go.promise, {}) });
    await eventually(() => count('started') === 1);
    expect(await dispatchTask(bus, gcTask('a'))).toBe('busy');
    expect(await dispatchTask(bus, gcTask('b'))).toBe('accepted');
    go.resolve();
    await eventually(() => count('done') === 2);
    expect(await dispatchTask(bus, gcTask('a'))).toBe('accepted');
  });

  test('of many schedulers one dispatches a tick', async (context) => {
    const { bus } = await setUp(context);
    const tick = '2026-11-20T06:00:00Z';
    const same = await Promise.all(Array.from({ length: 20 }, () => dispatchTask(bus, gcTask('a', { tick }))));
    expect(same.toSorted()).toEqual(['accepted', ...Array.from({ length: 19 }, () => 'duplicate')]);
    const others = await Promise.all(Array.from({ length: 20 }, () => dispatchTask(bus, gcTask('b'))));
    expect(others.toSorted()).toEqual(['accepted', ...Array.from({ length: 19 }, () => 'busy')]);
  });

  test('a tick that was refused because the task before still ran may come again', async (context) => {
    const { bus, work } = await setUp(context);
    const tick = '2026-11-20T06:00:00Z';
    await dispatchTask(bus, gcTask('a'));
    expect(await dispatchTask(bus, gcTask('a', { tick }))).toBe('busy');
    const { count } = work({ handler: () => Promise.resolve({}) });
    await eventually(() => count('done') === 1);
    expect(await dispatchTask(bus, gcTask('a', { tick }))).toBe('accepted');
    await eventually(() => count('done') === 2);
  });

  test('a done tick is done once, whoever brings it again', async (context) => {
    const { bus, work } = await setUp(context);
    const ticks: string[] = [];
    const { count } = work({
      handler: (task) => (ticks.push(task.tick!), Promise.resolve({ summary: { removed: 3 } })),
    });
    const bring = async (tick: string, messageId: string) => {
      await eventually(async () => (await queued(bus)) === 0);
      return dispatchTask(bus, gcTask('a', { tick }), { messageId });
    };
    await bring('2026-11-20T06:20:00Z', 'one');
    await eventually(() => count('done') === 1);
    await bring('2026-11-20T06:20:00Z', 'two');
    await bring('2026-11-20T06:00:00Z', 'three');
    await bring('2026-11-20T06:40:00Z', 'four');
    await eventually(() => count('done') === 2);
    expect(count('already-done')).toBe(2);
    expect(ticks).toEqual(['2026-11-20T06:20:00Z', '2026-11-20T06:40:00Z']);
    const last = await lastDone(bus).get(lastDoneKey('gc', 'a'));
    expect(last?.value).toMatchObject({ ok: true, tick: '2026-11-20T06:40:00Z', summary: { removed: 3 } });
  });

  test('tasks of one tick have one id in all clusters, and each has its line in the history', async (context) => {
    const { bus, work } = await setUp(context);
    const { count } = work({ handler: () => Promise.resolve({}) });
    const tick = '2026-11-20T06:20:00Z';
    for (const cluster of ['a', 'b', 'c']) await dispatchTask(bus, gcTask(cluster, { tick, id: `gc-${tick}` }));
    await eventually(() => count('done') === 3);
    expect((await history(bus)).map(({ cluster }) => cluster).toSorted()).toEqual(['a', 'b', 'c']);
  });

  test('a long task is not given to anybody else', async (context) => {
    const { bus, work } = await setUp(context);
    const starts: number[] = [];
    const { count } = work({
      ackWaitMs: 2_500,
      handler: async (_, { attempt }) => (starts.push(attempt), await delay(6_000), {}),
    });
    await dispatchTask(bus, gcTask('a'));
    await eventually(() => count('done') === 1);
    expect(starts).toEqual([1]);
  });

  test('a task that fails again and again becomes a dead letter, and its subject is free', async (context) => {
    const { bus, work } = await setUp(context);
    const attempts: number[] = [];
    const { events, count } = work({
      attemptsMax: 3,
      handler: (_, { attempt }) => {
        attempts.push(attempt);
        return Promise.reject(new EtcdOpsError('STORE_FAILED', { message: 'The store is full' }));
      },
    });
    const task = gcTask('a');
    await dispatchTask(bus, task);
    await eventually(() => count('dead') === 1);
    expect(attempts).toEqual([1, 2, 3]);
    expect(events.filter((event) => event.type === 'failed').map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    const failure = { code: 'STORE_FAILED', message: 'The store is full' };
    expect(await deadLetters(bus)).toMatchObject([{ task: { id: task.id }, attempts: 3, cause: failure }]);
    expect(await history(bus)).toMatchObject([{ taskId: task.id, ok: false, failure }]);
    expect(await queued(bus)).toBe(0);
    expect(await dispatchTask(bus, gcTask('a'))).toBe('accepted');
  });

  test('one dead letter tells of an outage: the task after it stays until it can be done, whatever fails', async (context) => {
    const { bus, work } = await setUp(context);
    const attempts: number[] = [];
    const { count } = work({
      attemptsMax: (last) => (last?.ok === false ? Infinity : 2),
      handler: (task, { attempt }) => {
        if (task.tick === undefined) attempts.push(attempt);
        if (attempts.length > 3) return Promise.resolve({});
        const code = attempts.length === 2 ? 'STORE_DENIED' : 'STORE_FAILED';
        return Promise.reject(new EtcdOpsError(code, { message: 'The store is away' }));
      },
    });
    await dispatchTask(bus, { ...gcTask('a'), tick: new Date(0).toISOString() });
    await eventually(() => count('dead') === 1);
    await dispatchTask(bus, gcTask('a'));
    await eventually(() => count('done') === 1);
    expect(attempts).toEqual([1, 2, 3, 4]);
    expect(await deadLetters(bus)).toHaveLength(1);
    expect(await queued(bus)).toBe(0);
  });

  test('what no repetition can mend is given up at once; the words of strangers are kept', async (context) => {
    const { bus, work } = await setUp(context);
    const { count } = work({
      attemptsMax: 1,
      handler: (task) =>
        Promise.reject(
          task.cluster === 'a'
            ? new EtcdOpsError('NO_BACKUP', { message: 'Nothing there' })
            : new Error('password=hunter2'),
        ),
    });
    await dispatchTask(bus, gcTask('a'));
    await dispatchTask(bus, gcTask('b'));
    await eventually(() => count('dead') === 2);
    const letters = await deadLetters(bus);
    expect(letters.map(({ cause }) => cause.code).toSorted()).toEqual(['INTERNAL', 'NO_BACKUP']);
    expect(JSON.stringify(letters)).not.toContain('hunter2');
  });

  test('a task that takes its workers with it is buried before anybody works on it again', async (context) => {
    const { bus, work } = await setUp(context);
    const consumer = await ensureTaskConsumer(bus, { kind: 'gc', pool: 'any', ackWaitMs: 300 });
    await dispatchTask(bus, gcTask('a'));
    for (let vanished = 0; vanished < 2; vanished++) {
      const { messages } = await pull(bus, { stream: TASKS_STREAM, consumer, batch: 1, expiresMs: 5_000 });
      expect(messages).toHaveLength(1);
    }
    const { count } = work({ attemptsMax: 2, ackWaitMs: 300, handler: () => Promise.resolve({}) });
    await eventually(() => count('dead') === 1);
    expect(count('started')).toBe(0);
    expect((await deadLetters(bus))[0]).toMatchObject({ attempts: 2, cause: { code: 'WORKER_VANISHED' } });
    expect(await queued(bus)).toBe(0);
  });

  test('a task that nobody can read does not stay', async (context) => {
    const { bus, work } = await setUp(context);
    const { count } = work({ handler: () => Promise.resolve({}) });
    await bus.js.publish('etcdops.task.gc.any.a', 'no json');
    await bus.js.publish('etcdops.task.gc.any.b', JSON.stringify({ ...gcTask('b'), cause: 'nonsense' }));
    await eventually(() => count('dead') === 2);
    expect((await deadLetters(bus)).map(({ cause }) => cause.code)).toEqual([
      'BUS_MESSAGE_INVALID',
      'BUS_MESSAGE_INVALID',
    ]);
    expect(await queued(bus)).toBe(0);
  });

  test('a poisoned cluster holds up nobody else', async (context) => {
    const { bus, work } = await setUp(context);
    const { count } = work({
      concurrencyMax: 1,
      backoffMs: 60_000,
      handler: (task) => (task.cluster.startsWith('bad') ? Promise.reject(new Error('poison')) : Promise.resolve({})),
    });
    for (const cluster of ['bad1', 'bad2', 'good1', 'good2']) await dispatchTask(bus, gcTask(cluster));
    // Long before the poison is due again.
    await eventually(() => count('done') === 2, { timeoutMs: 30_000 });
    expect(count('failed')).toBe(2);
  });

  test('no more tasks at the same time than wanted', async (context) => {
    const { bus, work } = await setUp(context);
    let now = 0;
    let most = 0;
    const { count } = work({
      concurrencyMax: 3,
      handler: async () => {
        most = Math.max(most, ++now);
        await delay(50);
        now--;
        return {};
      },
    });
    for (let cluster = 0; cluster < 12; cluster++) await dispatchTask(bus, gcTask(`c${cluster}`));
    await eventually(() => count('done') === 12);
    expect(most).toBe(3);
  });

  test('who stops finishes what it has, and hands back what it cannot finish', async (context) => {
    const { bus, work } = await setUp(context);
    const first = work({
      drainTimeoutMs: 400,
      handler: async (task, { signal }) => {
        if (task.cluster === 'short') await delay(200);
        else await delay(60_000, undefined, { signal });
        return {};
      },
    });
    await dispatchTask(bus, gcTask('short'));
    await dispatchTask(bus, gcTask('long'));
    await eventually(() => first.count('started') === 2);
    const begun = performance.now();
    await first.end();
    // Not when the long one would have ended.
    expect(performance.now() - begun).toBeLessThan(30_000);
    expect([first.count('done'), first.count('released')]).toEqual([1, 1]);
    const attempts: number[] = [];
    const second = work({ handler: (_, { attempt }) => (attempts.push(attempt), Promise.resolve({})) });
    // Not when its time is over, and not as if the task had failed.
    await eventually(() => second.count('done') === 1, { timeoutMs: 20_000 });
    expect(attempts).toEqual([1]);
  });

  test('a consumer that was deleted is made again', async (context) => {
    const { bus, work } = await setUp(context);
    const { count } = work({ concurrencyMax: 2, handler: () => Promise.resolve({}) });
    await dispatchTask(bus, gcTask('a'));
    await eventually(() => count('done') === 1);
    await (await bus.jsm()).consumers.delete(TASKS_STREAM, 'gc');
    await eventually(() => count('consumer-gone') > 0);
    await dispatchTask(bus, gcTask('b'));
    await eventually(() => count('done') === 2);
  });

  test('a worker that begins while nobody serves the queue waits for it', async (context) => {
    const { server, bus, work } = await setUp(context);
    await dispatchTask(bus, gcTask('a'));
    await server.pause();
    const { count } = work({ handler: () => Promise.resolve({}) });
    await eventually(() => count('bus-failed') > 0, { timeoutMs: 60_000 });
    server.resume();
    await eventually(() => count('done') === 1, { timeoutMs: 30_000 });
  });

  test('tasks done before a server was killed are not done again', async (context) => {
    const { server, bus, work } = await setUp(context);
    const done = new Map<string, number>();
    const { count } = work({
      handler: (task) => (done.set(task.cluster, (done.get(task.cluster) ?? 0) + 1), Promise.resolve({})),
    });
    for (let cluster = 0; cluster < 20; cluster++) await dispatchTask(bus, gcTask(`c${cluster}`));
    await eventually(() => count('done') === 20);
    // 2.9 forgets acknowledgements of the last moments: the tasks come again, and are recognised.
    await server.kill();
    await server.start();
    await dispatchTask(bus, gcTask('after')).catch(() => eventually(() => dispatchTask(bus, gcTask('after'))));
    await eventually(async () => done.get('after') === 1 && (await queued(bus)) === 0, { timeoutMs: 20_000 });
    expect([...done.values()].every((times) => times === 1)).toBe(true);
  });

  test('what ended well while NATS was away is told when it is back, and not done again', async (context) => {
    const { server, bus, work } = await setUp(context);
    let calls = 0;
    const { count } = work({
      ackWaitMs: 1_000,
      // Two attempts more would bury it.
      attemptsMax: 1,
      handler: async () => {
        calls++;
        await server.kill();
        return { summary: { dataDir: '/restored' } };
      },
    });
    await dispatchTask(bus, gcTask('a', { id: 'once' }));
    await eventually(() => count('bus-failed') > 0, { timeoutMs: 60_000 });
    await server.start();
    await eventually(() => count('done') === 1, { timeoutMs: 60_000 });
    expect([calls, count('started'), count('dead')]).toEqual([1, 1, 0]);
    expect(await history(bus)).toMatchObject([{ taskId: 'once', ok: true, summary: { dataDir: '/restored' } }]);
    expect(await queued(bus)).toBe(0);
  });

  test('progress is published, a quiet end leaves no line in the history', async (context) => {
    const { bus, work } = await setUp(context);
    const seen: Progress[] = [];
    bus.nc.subscribe(PROGRESS_SUBJECTS, {
      callback: (_, message) => seen.push(progressSchema.parse(JSONCodec().decode(message.data))),
    });
    const { count } = work({
      handler: (task, { progress }) => {
        for (let bytesDone = 0; bytesDone <= 100; bytesDone++) progress({ phase: 'copy', bytesDone, bytesTotal: 100 });
        return Promise.resolve({ changed: task.cluster === 'a' });
      },
    });
    await dispatchTask(bus, gcTask('a'));
    await dispatchTask(bus, gcTask('b'));
    await eventually(() => count('done') === 2 && seen.length >= 4);
    expect(seen).toHaveLength(4);
    expect(seen.at(-1)).toMatchObject({ phase: 'copy', bytesDone: 100, bytesTotal: 100 });
    expect((await history(bus)).map(({ cluster }) => cluster)).toEqual(['a']);
  });

  test.for([
    { atWork: false, looked: false, indexed: false },
    { atWork: false, looked: true, indexed: false },
    { atWork: false, looked: true, indexed: true },
    { atWork: true, looked: false, indexed: false },
    { atWork: true, looked: true, indexed: false },
  ])(
    'a server that lost the tail of its queue blocks no subject (at work: $atWork, looked at: $looked, indexed: $indexed)',
    { timeout: 90_000 },
    async ({ atWork, looked, indexed }, context) => {
      const { server, bus, work } = await setUp(context);
      const done: string[] = [];
      const go = Promise.withResolvers<void>();
      const { end, count } = work({
        // 2.9 may have lost acknowledgements as well: such a task comes again when its time is over.
        ackWaitMs: 1_000,
        handler: async ({ id }) => {
          if (id === 'slow') await go.promise;
          done.push(id);
          return {};
        },
      });
      // Nobody works on it: with it the queue's file stays.
      const createdAt = new Date().toISOString();
      await dispatchTask(bus, { version: 1, id: 'full', kind: 'full', cluster: 'a', createdAt, cause: 'request' });
      for (let n = 1; n <= 5; n++) {
        await dispatchTask(bus, gcTask('a', { id: `before-${n}` }));
        await eventually(async () => (await queued(bus)) === 1);
        // So slow that 2.9 writes its index behind each: it then knows of deletions whose messages are lost.
        if (indexed) await delay(600);
      }
      if (atWork) await dispatchTask(bus, gcTask('b', { id: 'slow' }));
      await eventually(() => count('started') >= (atWork ? 6 : 5));
      const lastSequence = async () => (await (await bus.jsm()).streams.info(TASKS_STREAM)).state.last_seq;
      await server.kill();
      expect(await cutTail(server.storeDir, atWork ? 600 : 100, (stream) => stream === TASKS_STREAM)).toBe(1);
      await server.start();
      await eventually(() => bus.connected);
      const hasLooked = async () => {
        const { delivered, num_waiting } = await (await bus.jsm()).consumers.info(TASKS_STREAM, 'gc');
        return num_waiting > 0 && delivered.stream_seq <= (await lastSequence());
      };
      // Before that, the worker has to find out about a queue in which no task of his lies.
      if (looked) await eventually(hasLooked, { timeoutMs: 20_000 });
      // Its sequence is one that the consumer has delivered before. What comes before anybody looked, 2.9 may have lost as well.
      let tries = 0;
      const isFree = async () => {
        if (done.some((id) => id.startsWith('after'))) return true;
        await dispatchTask(bus, gcTask('a', { id: `after-${++tries}` }));
        return false;
      };
      // It may be the look of a worker that was idle for long which finds it.
      await eventually(isFree, { timeoutMs: 50_000, intervalMs: 50 });
      go.resolve();
      await eventually(async () => (await queued(bus)) === 1);
      await end();
    },
  );
});

async function stored<T>(bus: Bus, stream: string, parse: (json: unknown) => T): Promise<T[]> {
  const jsm = await bus.jsm();
  const { state } = await jsm.streams.info(stream);
  const found: T[] = [];
  for (let sequence = state.first_seq; sequence <= state.last_seq; sequence++) {
    const message = await jsm.streams.getMessage(stream, { seq: sequence });
    found.push(parse(JSON.parse(message.string())));
  }
  return found;
}
