import { dispatchTask, lastDone, lastDoneKey } from '@etcd-ops/bus';
import { readInventory } from '@etcd-ops/core';
import { eventually, startEtcd } from '@etcd-ops/test-kit';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { CLUSTER, fullTask, need, World } from './testing/world.ts';

/** Loaded into the uploader before all else: SIGKILL right behind the commit of a full, before the queue hears of it. */
const DIE_BEHIND_THE_MANIFEST = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
for (const name of ['rename', 'link']) {
  const original = fs.promises[name];
  fs.promises[name] = async (from, to) => {
    await original(from, to);
    if (String(to).endsWith('.db.json')) process.kill(process.pid, 'SIGKILL');
  };
}
syncBuiltinESMExports();
`;

it('a full whose uploader was killed between its manifest and the record of the task is not taken again', async (ctx) => {
  need(ctx, 'etcd');
  need(ctx, 'nats-server');
  await using etcd = await startEtcd();
  await etcd.etcdctl('put', 'a', 'x');
  await using world = await World.open(etcd.endpoints, { snapshots: { codec: 'none' } });
  const hook = join(world.dir, 'die-behind-the-manifest.mjs');
  await writeFile(hook, DIE_BEHIND_THE_MANIFEST);
  const killed = await world.spawnUploader({ NODE_OPTIONS: `--import=${pathToFileURL(hook).href}` });
  const task = { ...fullTask(), tick: '2026-11-20T06:00:00Z' };
  await dispatchTask(world.bus, task);
  await eventually(() => !killed.running, { timeoutMs: 60_000 });
  const fulls = async () => (await readInventory(world.store, CLUSTER)).timelines[0]?.fulls ?? [];
  const done = async () => (await lastDone(world.bus).get(lastDoneKey('full', CLUSTER)))?.value;
  expect((await fulls()).map(({ manifest }) => [manifest.taskId, manifest.tick])).toEqual([
    [task.id, '2026-11-20T06:00:00.000Z'],
  ]);
  expect(await done()).toBeUndefined();
  const uploader = await world.spawnUploader();
  await eventually(async () => (await done()) !== undefined, { timeoutMs: 60_000 });
  await uploader.stop();
  const [full, ...others] = await fulls();
  expect(others).toEqual([]);
  expect(await done()).toMatchObject({ taskId: task.id, ok: true, summary: { key: full!.key, revision: 2 } });
});
