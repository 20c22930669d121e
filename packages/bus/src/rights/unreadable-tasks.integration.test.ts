import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cutTail, eventually, findBinary, missingBinary } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { TASKS_STREAM } from '../names.ts';
import { dispatchTask } from '../tasks/dispatch-task.ts';
import { runTasks } from '../tasks/run-tasks.ts';
import type { TaskEvent } from '../tasks/task-events.ts';
import { connectAs, refusalsOf, startTwoAccounts } from '../testing/two-accounts.ts';
import { ensureTopology } from '../topology.ts';

/** Whose index of deletions outlives what it indexes. */
const VERSION = '2.9';
/** Of more than 200 bytes each. */
const TASKS = 24;

test(
  'a service that may not empty the queue tells the operator what to do, and works off all that can be read',
  { timeout: 180_000 },
  async (context) => {
    if (findBinary('nats-server', VERSION) === undefined) return context.skip(missingBinary('nats-server', VERSION));
    await using server = await startTwoAccounts(VERSION);
    await using operator = await connectAs(server, 'operator');
    await ensureTopology(operator, { part: 'core' });
    await using scheduler = await connectAs(server, 'scheduler');
    await using bus = await connectAs(server, 'garbage-collector');
    const refused = refusalsOf(bus);
    const events: TaskEvent[] = [];
    const done: string[] = [];
    const stop = new AbortController();
    const running = runTasks(bus, {
      kind: 'gc',
      concurrencyMax: 1,
      signal: stop.signal,
      onEvent: (event) => void events.push(event),
      handler: ({ cluster }) => (done.push(cluster), Promise.resolve({})),
    });
    const ask = async (cluster: string, kind: 'gc' | 'full' = 'gc'): Promise<void> => {
      const createdAt = new Date().toISOString();
      await dispatchTask(scheduler, { version: 1, id: cluster, kind, cluster, createdAt, cause: 'request' });
    };
    const jsm = await operator.jsm();
    const queued = async (): Promise<number> => (await jsm.streams.info(TASKS_STREAM)).state.messages;
    try {
      // Nobody works on it: with it the queue's file stays.
      await ask('stays', 'full');
      let nearlyAllMs = 0;
      for (let n = 1; n <= TASKS; n++) {
        if (n === TASKS - 1) nearlyAllMs = Date.now();
        await ask(`before-${n}`);
        await eventually(async () => done.length === n && (await queued()) === 1);
      }
      // It has to be written down that they were delivered; the server does that behind its answers.
      const state = join(server.storeDir, 'jetstream', 'CORE', 'streams', TASKS_STREAM, 'obs', 'gc', 'o.dat');
      await eventually(async () => (await stat(state)).mtimeMs > nearlyAllMs);
      await server.kill();
      expect(await cutTail(server.storeDir, 4_000, (stream) => stream === TASKS_STREAM, 'CORE')).toBe(1);
      await server.start();
      await eventually(() => events.some(({ type }) => type === 'tasks-unreadable'), { timeoutMs: 60_000 });
      let asked = 0;
      const isPulled = async (): Promise<boolean> => {
        if (done.some((cluster) => cluster.startsWith('after'))) return true;
        await ask(`after-${++asked}`);
        return false;
      };
      await eventually(isPulled, { timeoutMs: 60_000, intervalMs: 200 });
    } finally {
      stop.abort();
      await running;
    }
    expect(refused).toContain(`publish $JS.API.STREAM.PURGE.${TASKS_STREAM}`);
    const told = events.find((event) => event.type === 'tasks-unreadable');
    expect(told?.error.remedy).toContain(`nats stream purge ${TASKS_STREAM}`);
  },
);
