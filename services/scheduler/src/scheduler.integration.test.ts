import {
  clusterKey,
  clusterSpecs,
  clusterSpecSchema,
  connectBus,
  doneSubject,
  ensureEventStream,
  ensureTopology,
  eventsSubject,
  positionKey,
  positions,
  runTasks,
  TASKS_STREAM,
  type Bus,
  type ClusterSpecInput,
  type Task,
  type TaskResult,
} from '@etcd-ops/bus';
import { createLogger, createMetrics, createServiceContext, runServices } from '@etcd-ops/service-kit';
import { eventually, findBinary, missingBinary, startNats, tempDir } from '@etcd-ops/test-kit';
import { describe, expect, it } from 'vitest';
import { createSchedulerService } from './service.ts';
import { schedulerSettings, type SchedulerSettings } from './settings.ts';

const logger = createLogger({ level: 'silent', name: 'test' });

async function putSpec(bus: Bus, changes: Partial<ClusterSpecInput> = {}): Promise<void> {
  const spec = clusterSpecSchema.parse({
    version: 1,
    name: 'prod',
    endpoints: ['127.0.0.1:1'],
    store: { provider: 'Local', bucket: '/nowhere' },
    snapshots: { schedule: '* * * * * *', deltaPeriodMs: 1_000 },
    retention: { gcPeriodMs: 1_000 },
    proof: { enabled: false, witnesses: 'off' },
    merging: { enabled: false },
    ...changes,
  });
  await ensureEventStream(bus, spec.name, { bytesMax: 16 * 1024 * 1024 });
  await clusterSpecs(bus).put(clusterKey(spec.name), spec);
}

/** A scheduler with a connection of its own, as another process would have. */
async function startScheduler(url: string, settings: Partial<SchedulerSettings> = {}) {
  const bus = await connectBus({ url, name: 'scheduler' });
  const dir = tempDir();
  const metrics = createMetrics('scheduler');
  const context = await createServiceContext({
    bus,
    logger,
    metrics,
    stateDir: dir.file('state'),
    spoolDir: dir.file('spool'),
  });
  const stop = new AbortController();
  const service = createSchedulerService(context, { ...schedulerSettings.parse({}), ...settings });
  const ended = runServices([service], { logger, signal: stop.signal, drainTimeoutMs: 5_000 });
  // Whoever stops it sees its failure; until then it must not count as unhandled.
  ended.catch(() => undefined);
  return {
    metrics,
    service,
    async stop() {
      stop.abort();
      await ended;
      await context[Symbol.asyncDispose]();
      await bus.close();
      await dir.remove();
    },
  };
}

/** Does every task of a kind at once, and notes it. */
function work(
  bus: Bus,
  kind: 'full' | 'delta' | 'gc',
  signal: AbortSignal,
  effect: (task: Task) => Promise<void> = () => Promise.resolve(),
) {
  const seen: Task[] = [];
  const ended = runTasks(bus, {
    kind,
    concurrencyMax: 2,
    signal,
    async handler(task) {
      seen.push(task);
      await effect(task);
      return { summary: { bytes: 1_000 } };
    },
  });
  return { seen, ended };
}

describe.each(['2.9', '2.10'])('two schedulers on nats-server %s', (version) => {
  it('make each tick once, ask for deltas where the head has moved, and collect garbage after a full', async ({
    skip,
  }) => {
    skip(findBinary('nats-server', version) === undefined, missingBinary('nats-server', version));
    await using nats = await startNats({ version });
    await using bus = await connectBus({ url: nats.url, name: 'test' });
    await ensureTopology(bus);
    await putSpec(bus);
    const stop = new AbortController();
    const schedulers = await Promise.all([startScheduler(nats.url), startScheduler(nats.url)]);
    const fulls = work(bus, 'full', stop.signal);
    const collections = work(bus, 'gc', stop.signal);
    const deltas = work(bus, 'delta', stop.signal, async (task) => {
      if (task.kind !== 'delta') return;
      const position = {
        version: 1 as const,
        timeline: 1,
        revision: 5,
        digest: null,
        sequence: task.cutSequence,
        updatedAt: new Date().toISOString(),
      };
      await positions(bus).put(positionKey('prod'), position);
    });

    await eventually(() => expect(fulls.seen.length).toBeGreaterThan(3), { timeoutMs: 20_000 });
    expect(deltas.seen).toEqual([]);
    await bus.js.publish(eventsSubject('prod'), 'a');
    const { seq } = await bus.js.publish(eventsSubject('prod'), 'b');
    await eventually(() => expect(deltas.seen.at(-1)).toMatchObject({ cutSequence: seq }));
    await eventually(() => expect(collections.seen.length).toBeGreaterThan(0));
    const deltasBefore = deltas.seen.length;
    const fullsBefore = fulls.seen.length;
    await eventually(() => expect(fulls.seen.length).toBeGreaterThan(fullsBefore + 2), { timeoutMs: 20_000 });
    expect(deltas.seen.length).toBe(deltasBefore);

    for (const { seen } of [fulls, deltas, collections]) {
      const ticks = seen.map((task) => task.tick).filter((tick) => tick !== undefined);
      expect(new Set(ticks).size).toBe(ticks.length);
      expect(ticks).toEqual(ticks.toSorted());
      for (const tick of ticks) expect(tick).toMatch(/\.000Z$/);
    }
    expect(fulls.seen.filter(({ tick }) => tick === undefined)).toEqual([]);
    const text = await schedulers[0].metrics.exposition();
    expect(text).toMatch(/etcdops_scheduler_tasks_total{cluster="prod",kind="defrag",outcome="failed"} 0/);
    for (const scheduler of schedulers) expect(scheduler.service.health()).toMatchObject({ live: true, ready: true });
    await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
    stop.abort();
    await Promise.all([fulls.ended, deltas.ended, collections.ended]);
  });

  it('follow hot changes, drop ticks while one is at work, and survive a restart of the bus', async ({ skip }) => {
    skip(findBinary('nats-server', version) === undefined, missingBinary('nats-server', version));
    await using nats = await startNats({ version });
    await using bus = await connectBus({ url: nats.url, name: 'test' });
    await ensureTopology(bus);
    const scheduler = await startScheduler(nats.url);
    // Nobody works, so the first task stays and every tick behind it is dropped.
    await putSpec(bus, { snapshots: { schedule: '* * * * * *', deltaPeriodMs: 0 } });
    const waiting = async () => (await (await bus.jsm()).streams.info(TASKS_STREAM)).state.messages;
    await eventually(async () => expect(await waiting()).toBe(1));
    await eventually(
      async () => expect(await scheduler.metrics.exposition()).toMatch(/kind="full",outcome="busy"} [2-9]/),
      { timeoutMs: 20_000 },
    );

    await nats.kill();
    await nats.start();
    await putSpec(bus, { snapshots: { schedule: '0 0 1 1 *', deltaPeriodMs: 0 } });
    const stop = new AbortController();
    const fulls = work(bus, 'full', stop.signal);
    await eventually(() => expect(fulls.seen.length).toBeGreaterThan(0), { timeoutMs: 20_000 });
    const busy = async () => /kind="full",outcome="busy"} (\d+)/.exec(await scheduler.metrics.exposition())?.[1];
    // With a tick each second the count would differ from one look to the next.
    let before = await busy();
    await eventually(
      async () => {
        const now = await busy();
        const isQuiet = now === before;
        before = now;
        return isQuiet;
      },
      { timeoutMs: 30_000, intervalMs: 1_500 },
    );

    // A spec that goes away takes its series along.
    await clusterSpecs(bus).delete(clusterKey('prod'));
    await eventually(async () => expect(await scheduler.metrics.exposition()).not.toContain('cluster="prod"'), {
      timeoutMs: 40_000,
    });
    stop.abort();
    await fulls.ended;
    await scheduler.stop();
  });
});

it('asks for a new base when a chain has grown too long, once for each base', async ({ skip }) => {
  skip(findBinary('nats-server') === undefined, missingBinary('nats-server'));
  await using nats = await startNats();
  await using bus = await connectBus({ url: nats.url, name: 'test' });
  await ensureTopology(bus);
  const record = async (kind: 'full' | 'delta', taskId: string, bytes: number): Promise<void> => {
    const at = new Date().toISOString();
    const result: TaskResult = {
      version: 1,
      taskId,
      kind,
      cluster: 'prod',
      startedAt: at,
      finishedAt: at,
      attempt: 1,
      ok: true,
      summary: { bytes },
      worker: 'test',
    };
    await bus.js.publish(doneSubject(kind, 'prod'), JSON.stringify(result));
  };
  await putSpec(bus, {
    snapshots: { schedule: '0 0 1 1 *', deltaPeriodMs: 0 },
    retention: { gcPeriodMs: 86_400_000 },
  });
  const settings = { schedulerChainBytesMin: 1_000, schedulerChainPercent: 50 };
  await record('full', 'full-1', 4_000);
  for (let delta = 0; delta < 3; delta++) await record('delta', `delta-${delta}`, 600);
  const schedulers = await Promise.all([startScheduler(nats.url, settings), startScheduler(nats.url, settings)]);
  const stop = new AbortController();
  const fulls = work(bus, 'full', stop.signal);
  await eventually(async () =>
    expect(await schedulers[1].metrics.exposition()).toContain('etcdops_chain_delta_bytes{cluster="prod"} 1800'),
  );
  expect(fulls.seen).toEqual([]);
  await record('delta', 'delta-3', 600);
  await record('delta', 'delta-4', 600);
  await eventually(() => expect(fulls.seen).toMatchObject([{ cause: 'delta-bytes' }]));
  // The new full begins the count anew.
  await eventually(async () => {
    for (const { metrics } of schedulers) {
      expect(await metrics.exposition()).toContain('etcdops_chain_delta_bytes{cluster="prod"} 0');
    }
  });
  expect(fulls.seen).toHaveLength(1);
  stop.abort();
  await fulls.ended;
  await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
});
