import {
  callApi,
  jobAnswerSchema,
  jobKey,
  jobs,
  lastDone,
  lastDoneKey,
  restoreAnswerSchema,
  taskSubject,
} from '@etcd-ops/bus';
import { eventually } from '@etcd-ops/test-kit';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { assertStillExpected } from './start-deadline.ts';
import { CLUSTER, need, openWorld, type World } from './testing/world.ts';

const LONG_AGO = '2026-01-01T00:00:00.000Z';

/** A restore as it lies in the queue, its deadline long over. */
async function queueOld({ bus, root }: World, id: string, pool: string): Promise<void> {
  const task = {
    version: 1,
    id,
    kind: 'restore',
    cluster: CLUSTER,
    pool,
    requestId: id,
    createdAt: LONG_AGO,
    startBefore: LONG_AGO,
    to: { kind: 'latest' },
    dataDirs: [{ member: 'default', dataDir: `${root}/${id}` }],
    initialCluster: 'default=http://a:1',
  };
  const job = { version: 1 as const, id, kind: 'restore', cluster: CLUSTER, pool, acceptedAt: LONG_AGO };
  await jobs(bus).put(jobKey(id), { ...job, startBefore: LONG_AGO });
  await bus.js.publish(taskSubject({ id, kind: 'restore', cluster: CLUSTER, pool }), JSON.stringify(task));
}

describe('a restore that nobody takes', () => {
  it('is refused at once when its pool has no restorer', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await openWorld();
    const request = { cluster: CLUSTER, pool: 'nopool', dataDir: '/anywhere' };
    await expect(callApi(world.bus, 'restore', request, { answer: restoreAnswerSchema })).rejects.toMatchObject({
      code: 'BUS_UNREACHABLE',
      message: expect.stringContaining('No restorer serves the pool "nopool"') as string,
    });
    expect((await (await world.bus.jsm()).streams.info('ETCDOPS_TASKS')).state.messages).toBe(0);
  });

  it('is not begun by a restorer that has come behind its deadline', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await openWorld();
    await queueOld(world, 'late', 'any');
    const done = await eventually(
      async () => (await lastDone(world.bus).get(lastDoneKey('restore', CLUSTER)))?.value ?? false,
    );
    expect(done).toMatchObject({ taskId: 'late', ok: false, summary: { failure: { code: 'REQUEST_EXPIRED' } } });
    expect(existsSync(`${world.root}/late`)).toBe(false);
  });

  it('is told as failed by its job, though it lies in the queue', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await openWorld();
    await queueOld(world, 'lost', 'nopool');
    expect(await callApi(world.bus, 'job', { id: 'lost' }, { answer: jobAnswerSchema })).toMatchObject({
      state: 'failed',
      failure: { code: 'REQUEST_EXPIRED', message: expect.stringContaining('"nopool"') as string },
    });
  });
});

describe('assertStillExpected', () => {
  const startBefore = '2026-11-20T06:15:00.000Z';
  const at = (iso: string, attempt = 1) => ({ servingSinceMs: Date.parse(iso), attempt });
  const task = { pool: 'any', startBefore };

  it.each([
    ['a restorer that was there: it waited behind others', at('2026-11-20T06:14:00.000Z')],
    ['a second attempt, a while later', at('2026-11-20T09:00:00.000Z', 2)],
  ])('lets %s begin', (_, serving) => {
    expect(() => assertStillExpected(task, serving)).not.toThrow();
  });

  it.each([
    ['a restorer that came later', at('2026-11-20T06:16:00.000Z')],
    ['a second attempt weeks later', at('2026-12-11T06:16:00.000Z', 2)],
  ])('refuses %s', (_, serving) => {
    expect(() => assertStillExpected(task, serving)).toThrow(expect.objectContaining({ code: 'REQUEST_EXPIRED' }));
  });

  it('knows no deadline in what an older version queued', () => {
    expect(() => assertStillExpected({ pool: 'any' }, at('2030-01-01T00:00:00.000Z'))).not.toThrow();
  });
});
