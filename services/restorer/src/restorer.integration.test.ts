import {
  callApi,
  EventWriter,
  jobAnswerSchema,
  lastDone,
  lastDoneKey,
  listAnswerSchema,
  planAnswerSchema,
  progressSchema,
  restoreAnswerSchema,
  snapshotAnswerSchema,
  statusAnswerSchema,
  verifyAnswerSchema,
  type Progress,
} from '@etcd-ops/bus';
import { eventually, freePorts, initialClusterOf, startEtcd } from '@etcd-ops/test-kit';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CLUSTER, need, openWorld, storeFull } from './testing/world.ts';

describe('restorer', () => {
  it('restores on request below its root, tells how far it is, and an etcd boots from it', async (ctx) => {
    need(ctx, 'etcd', 'nats-server');
    await using source = await startEtcd();
    for (let index = 0; index < 5; index++) await source.etcdctl('put', `k${index}`, `v${index}`);
    await using world = await openWorld(source.endpoints);
    const { bus } = world;
    const manifest = await storeFull(world, source);
    const [clientPort, peerPort] = await freePorts(2);
    const plan = { name: 'm1', clientPort: clientPort!, peerPort: peerPort!, dataDir: `${world.root}/deep/m1` };
    const initialCluster = initialClusterOf([plan]);

    expect(await callApi(bus, 'list', { cluster: CLUSTER }, { answer: listAnswerSchema })).toMatchObject({
      ranges: [{ timeline: 1, from: 1, to: 6 }],
      fulls: [{ revision: 6, compactRevision: -1, bytes: manifest.storedBytes }],
      deltas: { count: 0, bytes: 0 },
    });
    expect(await callApi(bus, 'plan', { cluster: CLUSTER, revision: 4 }, { answer: planAnswerSchema })).toMatchObject({
      revision: 4,
      cutFull: true,
      deltas: [],
    });

    const heard: Progress[] = [];
    const subscription = bus.nc.subscribe('etcdops.progress.restore.>', {
      callback: (_, message) => heard.push(progressSchema.parse(message.json())),
    });
    const request = {
      cluster: CLUSTER,
      revision: 4,
      dataDirs: [{ member: 'm1', dataDir: plan.dataDir }],
      initialCluster,
      token: 'restored',
    };
    const { id, target } = await callApi(bus, 'restore', request, { answer: restoreAnswerSchema });
    expect(target).toEqual({ kind: 'revision', revision: 4 });
    const done = await eventually(
      async () => (await lastDone(bus).get(lastDoneKey('restore', CLUSTER)))?.value ?? false,
    );
    subscription.unsubscribe();
    expect(done).toMatchObject({ taskId: id, ok: true, summary: { revision: 4, deltas: 0, dataDirs: [plan.dataDir] } });
    expect(heard.map(({ taskId, cluster }) => [taskId, cluster])).toEqual(heard.map(() => [id, CLUSTER]));
    expect(heard.map(({ phase }) => phase)).toEqual(expect.arrayContaining(['plan', 'full', 'publish']));

    await using restored = await startEtcd({ members: [plan], token: 'restored', version: source.version });
    expect(await restored.etcdctl('get', '', '--from-key', '--keys-only')).toMatch(/k0\s+k1\s+k2\s*$/);

    expect(await callApi(bus, 'job', { id }, { answer: jobAnswerSchema })).toMatchObject({
      id,
      kind: 'restore',
      cluster: CLUSTER,
      state: 'done',
      attempts: 0,
      progress: { phase: 'publish' },
      summary: { revision: 4, dataDirs: [plan.dataDir] },
    });

    // The same directory again: refused by the restore itself, and nothing is touched.
    const again = await callApi(bus, 'restore', request, { answer: restoreAnswerSchema });
    const refused = await eventually(async () => {
      const last = (await lastDone(bus).get(lastDoneKey('restore', CLUSTER)))?.value;
      return last?.taskId === again.id && last;
    });
    expect(refused).toMatchObject({ ok: false, summary: { failure: { code: 'TARGET_OCCUPIED' } } });
    expect(await callApi(bus, 'job', { id: again.id }, { answer: jobAnswerSchema })).toMatchObject({
      state: 'failed',
      failure: { code: 'TARGET_OCCUPIED' },
    });
  });

  it('refuses at once what it must not or cannot do', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await openWorld();
    const { bus, dir, root } = world;
    mkdirSync(dir.file('outside'));
    symlinkSync(dir.file('outside'), `${root}/link`);
    const restore = (request: object) =>
      callApi(bus, 'restore', { cluster: CLUSTER, ...request }, { answer: restoreAnswerSchema });
    for (const dataDir of [dir.file('outside', 'x'), `${root}/link/x`, `${root}/../outside/x`, root]) {
      await expect(restore({ dataDir })).rejects.toMatchObject({ code: 'TARGET_REFUSED' });
    }
    const walDir = dir.file('outside', 'wal');
    await expect(restore({ dataDirs: [{ member: 'default', dataDir: `${root}/x`, walDir }] })).rejects.toMatchObject({
      code: 'TARGET_REFUSED',
    });
    await expect(restore({ dataDir: `${root}/x`, revison: 5 })).rejects.toMatchObject({
      code: 'USAGE',
      remedy: expect.stringContaining('Did you mean revision?') as string,
    });
    await expect(restore({ dataDir: `${root}/x`, revision: 5, time: new Date(0).toISOString() })).rejects.toMatchObject(
      { code: 'USAGE' },
    );
    await expect(restore({ cluster: 'nobody', dataDir: `${root}/x` })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(callApi(bus, 'plan', { cluster: CLUSTER }, { answer: planAnswerSchema })).rejects.toMatchObject({
      code: 'NO_BACKUP',
    });
    const queue = await (await bus.jsm()).streams.info('ETCDOPS_TASKS');
    expect(queue.state.messages).toBe(0);
    expect(existsSync(dir.file('outside', 'x'))).toBe(false);
  });

  it('refuses a task that came into the queue by another way', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await openWorld();
    const { bus, dir } = world;
    const id = randomUUID();
    const dataDirs = [{ member: 'm1', dataDir: dir.file('outside') }];
    const task = {
      version: 1,
      id,
      kind: 'restore',
      cluster: CLUSTER,
      pool: 'any',
      requestId: id,
      createdAt: new Date().toISOString(),
      to: { kind: 'latest' },
      dataDirs,
      initialCluster: 'm1=http://a:1',
      token: 't',
    };
    await bus.js.publish(`etcdops.task.restore.any.prod=2Eeu.${id}`, JSON.stringify(task));
    const done = await eventually(
      async () => (await lastDone(bus).get(lastDoneKey('restore', CLUSTER)))?.value ?? false,
    );
    expect(done).toMatchObject({ taskId: id, ok: false, summary: { failure: { code: 'TARGET_REFUSED' } } });
    expect(existsSync(dir.file('outside'))).toBe(false);
  });

  it('verifies on request, and says what came of it', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await openWorld();
    const { bus } = world;
    const verify = (request: object) =>
      callApi(bus, 'verify', { cluster: CLUSTER, ...request }, { answer: verifyAnswerSchema });
    await expect(verify({ revision: 4, all: true })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(verify({ depth: 'deep' })).rejects.toMatchObject({ code: 'USAGE' });
    const { id } = await verify({ depth: 'quick' });
    const ended = await eventually(async () => {
      const job = await callApi(bus, 'job', { id }, { answer: jobAnswerSchema });
      return ['done', 'failed'].includes(job.state) && job;
    });
    expect(ended).toMatchObject({ id, kind: 'verify', cluster: CLUSTER });
  });

  it('queues snapshots under their own ids, and tells the status', async (ctx) => {
    need(ctx, 'nats-server');
    await using world = await openWorld();
    const { bus } = world;
    const snapshot = (kind: string) =>
      callApi(bus, 'snapshot', { cluster: CLUSTER, kind }, { answer: snapshotAnswerSchema });
    await expect(snapshot('delta')).rejects.toMatchObject({ code: 'NOTHING_TO_DO' });
    const { writer } = await EventWriter.open(bus, CLUSTER);
    await writer.publish({
      kind: 'start',
      timeline: 1,
      clusterId: 7n,
      revision: 3,
      digest: null,
      cause: 'first',
      observedMs: 1,
    });
    const first = await snapshot('full');
    const second = await snapshot('full');
    expect([first.outcome, second.outcome]).toEqual(['accepted', 'busy']);
    expect(first.id).not.toBe(second.id);
    expect((await snapshot('delta')).outcome).toBe('accepted');
    const job = (id: string) => callApi(bus, 'job', { id }, { answer: jobAnswerSchema });
    expect(await job(first.id)).toMatchObject({ kind: 'full', cluster: CLUSTER, state: 'waiting', attempts: 0 });
    await expect(job(second.id)).rejects.toMatchObject({ code: 'STORE_NOT_FOUND' });
    await expect(job('nobody-gave-it')).rejects.toMatchObject({ code: 'STORE_NOT_FOUND' });
    const status = await callApi(bus, 'status', { cluster: CLUSTER }, { answer: statusAnswerSchema });
    expect(status).toEqual({
      clusters: [
        {
          cluster: CLUSTER,
          events: { messages: 1, bytes: expect.any(Number), lastSequence: 1 },
          last: {},
          schedules: { timezone: 'UTC', full: '*/20 * * * *', deltaPeriodMs: 10_000, gcPeriodMs: 60_000 },
          failures: [],
        },
      ],
    });
    expect(await callApi(bus, 'status', {}, { answer: statusAnswerSchema })).toEqual(status);
  });
});
