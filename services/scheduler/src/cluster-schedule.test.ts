import {
  clusterSpecSchema,
  type ClusterSpec,
  type DispatchOutcome,
  type LastDone,
  type TaskInput,
} from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import { createLogger, createMetrics, ManualClock } from '@etcd-ops/service-kit';
import { describe, expect, it } from 'vitest';
import { runClusterSchedule } from './cluster-schedule.ts';
import type { StreamState } from './decisions.ts';
import type { SchedulerPort } from './scheduler-port.ts';
import { createSchedulerMetrics } from './metrics.ts';
import { schedulerSettings } from './settings.ts';
import { TickDispatcher } from './tick-dispatcher.ts';

const logger = createLogger({ level: 'silent', name: 'test' });
const START = Date.parse('2026-11-20T09:03:00Z');

type Section = 'snapshots' | 'retention' | 'defrag' | 'proof' | 'merging';

/** Without what each test would have to heed: proofs and merges have tests of their own. */
function makeSpec(changes: Partial<Record<Section, object>> & { destinations?: object[] } = {}): ClusterSpec {
  return clusterSpecSchema.parse({
    version: 1,
    name: 'prod',
    endpoints: ['127.0.0.1:1'],
    store: { provider: 'Local', bucket: '/b' },
    retention: { gcPeriodMs: 86_400_000 },
    proof: { enabled: false, witnesses: 'off' },
    merging: { enabled: false },
    ...changes,
  });
}

/** The queue as JetStream is: one task per kind, message ids remembered. */
class FakePort implements SchedulerPort {
  readonly accepted: string[] = [];
  readonly done = new Map<string, LastDone>();
  readonly busy = new Set<string>();
  stream: StreamState = { headSequence: 0, bytes: 0, recordedSequence: 0 };
  broken = false;
  readonly #ids = new Set<string>();

  dispatch(task: TaskInput, messageId: string): Promise<DispatchOutcome> {
    if (this.broken) return Promise.reject(new EtcdOpsError('BUS_UNREACHABLE', { message: 'away' }));
    const lane = task.kind === 'copy' ? `${task.kind} ${task.destination}` : task.kind;
    if (this.busy.has(lane)) return Promise.resolve('busy');
    if (this.#ids.has(messageId)) return Promise.resolve('duplicate');
    this.#ids.add(messageId);
    const at = task.tick === undefined ? '' : ` ${task.tick.slice(11, 19)}`;
    const cut = task.kind === 'delta' ? ` to ${task.cutSequence}` : '';
    this.accepted.push(`${lane} ${'cause' in task ? task.cause : ''}${at}${cut}`);
    return Promise.resolve('accepted');
  }

  lastDone(kind: string, _cluster: string, destination?: string): Promise<LastDone | undefined> {
    const lane = destination === undefined ? kind : `${kind} ${destination}`;
    return this.broken
      ? Promise.reject(new EtcdOpsError('BUS_UNREACHABLE', { message: 'away' }))
      : Promise.resolve(this.done.get(lane));
  }

  streamState(): Promise<StreamState> {
    return this.broken
      ? Promise.reject(new EtcdOpsError('BUS_UNREACHABLE', { message: 'away' }))
      : Promise.resolve(this.stream);
  }

  finish(kind: string, iso: string, changes: Partial<LastDone> = {}): void {
    this.done.set(kind, { version: 1, taskId: 'x', finishedAt: iso, ok: true, summary: {}, ...changes });
  }
}

interface Setup {
  spec?: ClusterSpec;
  port?: FakePort;
  clock?: ManualClock;
  caredForUntilMs?: number;
  fleet?: number;
}

function start({
  spec = makeSpec(),
  port = new FakePort(),
  clock = new ManualClock(START),
  caredForUntilMs,
  fleet = 1,
}: Setup = {}) {
  const stop = new AbortController();
  const metrics = createMetrics('test');
  const dispatcher = new TickDispatcher({ port, clock, logger, metrics });
  const gauges = createSchedulerMetrics(metrics);
  const settings = schedulerSettings.parse({});
  const options = { spec, settings, port, dispatcher, gauges, clock, logger, signal: stop.signal };
  const ended = runClusterSchedule({ ...options, fleetSize: () => fleet, caredForUntilMs });
  return {
    port,
    clock,
    metrics,
    end: async () => {
      stop.abort();
      await ended;
    },
  };
}

describe('fulls', () => {
  it('takes one at each tick', async () => {
    const { port, clock, end } = start();
    await clock.advance(45 * 60_000);
    expect(port.accepted).toEqual(['full schedule 09:20:00', 'full schedule 09:40:00']);
    await end();
  });

  it('shows when the next one of each kind comes, and 0 where there is no schedule', async () => {
    const { metrics, clock, end } = start();
    await clock.advance(1_000);
    const next = async (kind: string): Promise<string | undefined> =>
      new RegExp(`^etcdops_next_tick_timestamp_seconds{cluster="[^"]+",kind="${kind}"} (.*)$`, 'm').exec(
        await metrics.exposition(),
      )?.[1];
    expect(await next('full')).toBe(String(Date.parse('2026-11-20T09:20:00.000Z') / 1_000));
    expect(await next('defrag')).toBe('0');
    await clock.advance(20 * 60_000);
    expect(await next('full')).toBe(String(Date.parse('2026-11-20T09:40:00.000Z') / 1_000));
    await end();
  });

  it('makes up for missed ticks once, with the newest', async () => {
    const port = new FakePort();
    port.finish('full', '2026-11-20T05:10:00.000Z');
    const { clock, end } = start({ port });
    await clock.advance(1_000);
    expect(port.accepted).toEqual(['full schedule 09:00:00']);
    await end();
  });

  it('waits for the next tick when the newest one is done, or when none was ever taken', async () => {
    const port = new FakePort();
    port.finish('full', '2026-11-20T09:01:00.000Z');
    const runs = [start({ port }), start()];
    for (const { clock, port: each, end } of runs) {
      await clock.advance(16 * 60_000);
      expect(each.accepted).toEqual([]);
      await clock.advance(60_000);
      expect(each.accepted).toEqual(['full schedule 09:20:00']);
      await end();
    }
  });

  it('judges by the newest good tick when the last full failed', async () => {
    const port = new FakePort();
    port.finish('full', '2026-11-20T09:02:00.000Z', { ok: false, tick: '2026-11-20T08:40:00.000Z' });
    const { clock, end } = start({ port });
    await clock.advance(0);
    expect(port.accepted).toEqual(['full schedule 09:00:00']);
    await end();
  });

  it('does not take the ticks of a new schedule for missed ones after a hot change', async () => {
    const port = new FakePort();
    port.finish('full', '2026-11-20T00:10:00.000Z');
    const { clock, end } = start({ port, caredForUntilMs: START - 10_000 });
    await clock.advance(1_000);
    expect(port.accepted).toEqual([]);
    await end();
  });

  it('is dispatched once by two schedulers', async () => {
    const port = new FakePort();
    const runs = [start({ port }), start({ port, clock: new ManualClock(START + 1_500) })];
    for (const { clock } of runs) await clock.advance(45 * 60_000);
    expect(port.accepted).toEqual(['full schedule 09:20:00', 'full schedule 09:40:00']);
    for (const { end } of runs) await end();
  });

  it('drops a tick while the one before is still at work', async () => {
    const { port, clock, end } = start();
    await clock.advance(0);
    port.busy.add('full');
    await clock.advance(20 * 60_000);
    port.busy.clear();
    await clock.advance(20 * 60_000);
    expect(port.accepted).toEqual(['full schedule 09:40:00']);
    await end();
  });

  it('asks again when the bus was away at the tick', async () => {
    const port = new FakePort();
    port.finish('full', '2026-11-20T09:01:00.000Z');
    const { clock, end } = start({ port });
    await clock.advance(16 * 60_000);
    port.broken = true;
    await clock.advance(4 * 60_000);
    port.broken = false;
    await clock.advance(60_000);
    expect(port.accepted).toEqual(['full schedule 09:20:00']);
    await end();
  });

  it('waits behind its tick in a fleet, with the tick still in its name', async () => {
    const port = new FakePort();
    port.finish('full', '2026-11-20T09:01:00.000Z');
    const { clock, end } = start({ port, fleet: 200 });
    await clock.advance(17 * 60_000);
    expect(port.accepted).toEqual([]);
    await clock.advance(60_000);
    expect(port.accepted).toEqual(['full schedule 09:20:00']);
    await end();
  });
});

describe('deltas', () => {
  const quiet = () => {
    const port = new FakePort();
    port.finish('full', '2026-11-20T09:01:00.000Z');
    return port;
  };

  it('asks each period, but only while the head is ahead of what is recorded', async () => {
    const port = quiet();
    const { clock, end } = start({ port });
    await clock.advance(30_000);
    expect(port.accepted).toEqual([]);
    port.stream = { headSequence: 7, bytes: 900, recordedSequence: 3 };
    await clock.advance(10_000);
    port.stream = { headSequence: 7, bytes: 100, recordedSequence: 7 };
    await clock.advance(30_000);
    port.stream = { headSequence: 9, bytes: 100, recordedSequence: 7 };
    await clock.advance(20_000);
    expect(port.accepted).toEqual([
      'delta period 09:03:40 to 7',
      'delta period 09:04:20 to 9',
      'delta period 09:04:30 to 9',
    ]);
    await end();
  });

  it('asks early when much waits', async () => {
    const port = quiet();
    const { clock, end } = start({ port });
    await clock.advance(11_000);
    port.stream = { headSequence: 50, bytes: 11 * 1024 * 1024, recordedSequence: 7 };
    await clock.advance(2_000);
    expect(port.accepted).toEqual(['delta bytes to 50']);
    await end();
  });

  it('goes on after an outage, with the tick that is due then', async () => {
    const port = quiet();
    const { clock, end } = start({ port });
    port.broken = true;
    port.stream = { headSequence: 7, bytes: 1, recordedSequence: 3 };
    await clock.advance(65_000);
    port.broken = false;
    await clock.advance(2_000);
    expect(port.accepted).toEqual(['delta period 09:04:00 to 7']);
    await end();
  });

  it('asks for none when they are turned off', async () => {
    const port = quiet();
    port.stream = { headSequence: 7, bytes: 900_000_000, recordedSequence: 3 };
    const { clock, end } = start({ port, spec: makeSpec({ snapshots: { deltaPeriodMs: 0 } }) });
    await clock.advance(60_000);
    expect(port.accepted).toEqual([]);
    await end();
  });
});

describe('garbage collection and defragmentation', () => {
  it('collects in the period that follows a new full', async () => {
    const port = new FakePort();
    port.finish('full', '2026-11-20T09:01:00.000Z');
    port.finish('gc', '2026-11-20T09:02:00.000Z');
    const { clock, end } = start({ port, spec: makeSpec({ retention: { gcPeriodMs: 60_000 } }) });
    await clock.advance(5 * 60_000);
    expect(port.accepted).toEqual([]);
    port.finish('full', '2026-11-20T09:08:30.000Z');
    await clock.advance(60_000);
    expect(port.accepted).toEqual(['gc schedule 09:09:00']);
    await end();
  });

  it('comes back for what the last collection had to leave, when its grace is over', async () => {
    const port = new FakePort();
    port.finish('full', '2026-11-20T09:01:00.000Z');
    port.finish('gc', '2026-11-20T09:02:00.000Z', { summary: { marked: { count: 3 }, waiting: 0, held: 0 } });
    const { clock, end } = start({ port, spec: makeSpec({ retention: { gcPeriodMs: 60_000, graceMs: 300_000 } }) });
    await clock.advance(3 * 60_000);
    expect(port.accepted).toEqual([]);
    await clock.advance(60_000);
    expect(port.accepted).toEqual(['gc schedule 09:07:00']);
    await end();
  });

  it('defragments on its schedule, and only where that is turned on', async () => {
    const port = new FakePort();
    port.finish('full', '2026-11-20T09:01:00.000Z');
    const defrag = { enabled: true, schedule: '5 * * * *' };
    const { clock, end } = start({ port, spec: makeSpec({ defrag }) });
    await clock.advance(3 * 60_000);
    expect(port.accepted).toEqual(['defrag schedule 09:05:00']);
    await end();
  });

  it('lets one wrong schedule stop nothing else', async () => {
    const defrag = { enabled: true, schedule: '99 * * * *' };
    const { port, clock, end } = start({ spec: makeSpec({ defrag }) });
    await clock.advance(17 * 60_000);
    expect(port.accepted).toEqual(['full schedule 09:20:00']);
    await end();
  });
});

describe('proofs, merges and witnesses', () => {
  const daily = { schedule: '0 3 * * *', witnesses: 'off' };

  it('happen on their schedules, and only where they are turned on', async () => {
    const proof = { schedule: '30 9 * * *', witnessPeriodMs: 600_000 };
    const { port, clock, end } = start({ spec: makeSpec({ proof, merging: { periodMs: 900_000 } }) });
    await clock.advance(16 * 60_000);
    expect(port.accepted).toEqual(['witness schedule 09:10:00', 'merge schedule 09:15:00']);
    await clock.advance(12 * 60_000);
    expect(port.accepted).toContain('verify schedule 09:30:00');
    await end();
  });

  it('merge nothing where nothing is captured', async () => {
    const { port, clock, end } = start({ spec: makeSpec({ merging: {}, snapshots: { deltaPeriodMs: 0 } }) });
    await clock.advance(16 * 60_000);
    expect(port.accepted).toEqual([]);
    await end();
  });

  it('make up for a proof that was missed, once; the first one of all waits for its schedule', async () => {
    const port = new FakePort();
    port.finish('verify', '2026-11-19T03:01:00.000Z', { tick: '2026-11-19T03:00:00.000Z' });
    const late = start({ port, spec: makeSpec({ proof: daily }) });
    await late.clock.advance(1_000);
    expect(port.accepted).toEqual(['verify schedule 03:00:00']);
    await late.end();
    const first = start({ spec: makeSpec({ proof: daily }) });
    await first.clock.advance(60_000);
    expect(first.port.accepted).toEqual([]);
    await first.end();
  });
});

describe('copies', () => {
  const destinations = [
    { name: 'near', store: { provider: 'Local', bucket: '/near' }, periodMs: 600_000 },
    { name: 'far', store: { provider: 'S3', bucket: 'far' }, periodMs: 600_000 },
  ];

  it('go into each destination by itself, when something is new: one that waits or failed holds up no other', async () => {
    const port = new FakePort();
    const { clock, end } = start({ port, spec: makeSpec({ destinations, snapshots: { schedule: '0 0 1 1 *' } }) });
    const copies = (): string[] => port.accepted.splice(0).filter((said) => said.startsWith('copy'));
    await clock.advance(8 * 60_000);
    expect(copies()).toEqual([]);

    port.finish('full', '2026-11-20T09:12:00.000Z');
    port.busy.add('copy far');
    await clock.advance(10 * 60_000);
    expect(copies()).toEqual(['copy near schedule 09:20:00']);

    port.finish('copy near', '2026-11-20T09:20:10.000Z', { tick: '2026-11-20T09:20:00.000Z' });
    port.finish('copy far', '2026-11-20T09:29:00.000Z', { ok: false });
    port.busy.clear();
    await clock.advance(10 * 60_000);
    expect(copies()).toEqual(['copy far schedule 09:30:00']);

    port.finish('copy far', '2026-11-20T09:31:00.000Z', { tick: '2026-11-20T09:30:00.000Z' });
    port.finish('delta', '2026-11-20T09:35:00.000Z');
    await clock.advance(10 * 60_000);
    expect(copies().toSorted()).toEqual(['copy far schedule 09:40:00', 'copy near schedule 09:40:00']);
    await end();
  });
});
