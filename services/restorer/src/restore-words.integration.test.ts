import {
  callApi,
  jobAnswerSchema,
  planAnswerSchema,
  restoreAnswerSchema,
  type Bus,
  type JobAnswer,
} from '@etcd-ops/bus';
import { deltaKey } from '@etcd-ops/core';
import { eventually, freePorts, initialClusterOf, startEtcd } from '@etcd-ops/test-kit';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CLUSTER, need, openWorld, storeFull } from './testing/world.ts';

test('every word of `etcd-ops restore` is understood over NATS: a plan says what is chosen, and the restore does it', async (ctx) => {
  need(ctx, 'etcd', 'nats-server');
  await using source = await startEtcd();
  const [, lease] = /lease (\w+) granted/.exec(await source.etcdctl('lease', 'grant', '3600'))!;
  for (const key of ['a', 'b', 'c']) await source.etcdctl('put', `/p/${key}`, 'v', `--lease=${lease}`);
  await source.etcdctl('put', 'other', 'v');
  await source.etcdctl('del', '/p/', '--prefix');
  await source.etcdctl('put', 'later', 'v');
  await using world = await openWorld(source.endpoints);
  const { bus } = world;
  const full = await storeFull(world, source);
  const [clientPort, peerPort] = await freePorts(2);
  const member = { name: 'm1', clientPort: clientPort!, peerPort: peerPort!, dataDir: `${world.root}/m1` };
  const request = {
    cluster: CLUSTER,
    beforeDelete: '/p/',
    prefix: true,
    timeline: 1,
    leases: 'drop',
    safeBump: true,
    clearAlarms: true,
    maxFetchers: 2,
    dataDirs: [{ member: 'm1', dataDir: member.dataDir }],
    initialCluster: initialClusterOf([member]),
    token: 'restored',
  };
  // Four keys were put, then three of them deleted at once.
  const beforeDelete = { prefix: '/p/', timeline: 1, revision: 5, keysBefore: 3, keysAfter: 0 };

  const plan = await callApi(bus, 'plan', request, { answer: planAnswerSchema });
  expect(plan).toMatchObject({
    revision: 5,
    cutFull: true,
    beforeDelete,
    safeBump: { highestCaptured: full.revision },
  });
  expect(plan.bumped!.revision).toBe(5 + plan.bumped!.by);
  expect(plan.safeBump!.explanation).toContain(`bumped by ${plan.bumped!.by}`);
  expect(existsSync(member.dataDir)).toBe(false);
  // The other way to say it.
  const { prefix: _, beforeDelete: below, ...rest } = request;
  const again = await callApi(bus, 'plan', { ...rest, beforeDeletePrefix: below }, { answer: planAnswerSchema });
  expect(again).toMatchObject({ revision: 5, beforeDelete });

  const { id, target } = await callApi(bus, 'restore', request, { answer: restoreAnswerSchema });
  expect(target).toEqual({ kind: 'before-delete-prefix', prefix: '/p/', timeline: 1 });
  const job = await endOf(bus, id);
  expect(job).toMatchObject({ state: 'done', summary: { revision: 5, beforeDelete, leases: { dropped: 1, kept: 0 } } });
  const { bumped } = job.summary as { bumped: { by: number; revision: number } };
  expect(bumped.revision).toBeGreaterThan(full.revision);

  await using restored = await startEtcd({ members: [member], token: 'restored', version: source.version });
  const keys = await restored.etcdctl('get', '', '--from-key', '--keys-only');
  expect(keys.split(/\s+/).filter((key) => key !== '')).toEqual(['/p/a', '/p/b', '/p/c', 'other']);
  expect(await restored.etcdctl('lease', 'list')).toMatch(/found 0 leases/);
  const { header } = JSON.parse(await restored.etcdctl('get', 'other', '-w', 'json')) as {
    header: { revision: number };
  };
  expect(header.revision).toBe(bumped.revision);
});

test('words that contradict each other are refused at once, by plan and restore alike', async (ctx) => {
  need(ctx, 'nats-server');
  await using world = await openWorld();
  const { bus, root } = world;
  for (const [words, says] of [
    [{ bumpRevision: 5 }, 'bumpRevision needs markCompacted'],
    [{ bumpRevision: 5, markCompacted: true, safeBump: true }, 'contradict each other'],
    [{ leases: 'drop', leaseUnknownTtl: '60s' }, 'contradict each other'],
    [{ leaseUnknownTtl: '1500ms' }, 'is not possible'],
    [{ beforeDelete: 'a', revision: 3 }, 'Name one of'],
    [{ prefix: true }, 'prefix says what beforeDelete means'],
    [{ destination: 'elsewhere' }, 'has no destination elsewhere'],
  ] as const) {
    const request = { cluster: CLUSTER, dataDir: `${root}/x`, ...words };
    const refused = expect.objectContaining({ message: expect.stringContaining(says) as string }) as Error;
    await expect(callApi(bus, 'plan', request, { answer: planAnswerSchema })).rejects.toEqual(refused);
    await expect(callApi(bus, 'restore', request, { answer: restoreAnswerSchema })).rejects.toEqual(refused);
  }
});

test('the newest with a hole before it is refused, by plan and restore, unless less is asked for', async (ctx) => {
  need(ctx, 'etcd', 'nats-server');
  await using source = await startEtcd();
  await source.etcdctl('put', 'a', '1');
  await using world = await openWorld(source.endpoints);
  const { bus, root, store } = world;
  const { revision } = await storeFull(world, source);
  // A delta whose predecessor is missing: more was captured than can be restored.
  const times = { firstObservedMs: 1_000, lastObservedMs: 2_000 };
  const key = deltaKey({
    ...{ cluster: CLUSTER, timeline: 1, first: revision + 5, last: revision + 9, ...times },
    ...{ codec: 'none', sha256: '0'.repeat(64) },
  });
  await store.put(key, Buffer.alloc(100));
  const request = { cluster: CLUSTER, dataDir: `${root}/m1` };
  const refused = expect.objectContaining({ code: 'NEWEST_NOT_RESTORABLE' }) as Error;
  await expect(callApi(bus, 'plan', request, { answer: planAnswerSchema })).rejects.toEqual(refused);
  const { id } = await callApi(bus, 'restore', request, { answer: restoreAnswerSchema });
  expect(await endOf(bus, id)).toMatchObject({ state: 'failed', failure: { code: 'NEWEST_NOT_RESTORABLE' } });

  const less = { ...request, allowOlder: true };
  const plan = await callApi(bus, 'plan', less, { answer: planAnswerSchema });
  expect(plan).toMatchObject({ revision, latestObserved: expect.any(String) as string });
  const { latestObserved } = plan;
  const again = await callApi(bus, 'restore', less, { answer: restoreAnswerSchema });
  expect(await endOf(bus, again.id)).toMatchObject({ state: 'done', summary: { revision, latestObserved } });
});

async function endOf(bus: Bus, id: string): Promise<JobAnswer> {
  const ended = async (): Promise<JobAnswer | false> => {
    const told = await callApi(bus, 'job', { id }, { answer: jobAnswerSchema });
    return ['done', 'failed'].includes(told.state) && told;
  };
  return await eventually(ended, { timeoutMs: 60_000 });
}
