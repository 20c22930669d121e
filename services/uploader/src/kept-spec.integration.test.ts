import { dispatchTask, lastDone, lastDoneKey, streamFacts } from '@etcd-ops/bus';
import { clusterRecordKey, decodeClusterRecord, type ObjectStore } from '@etcd-ops/core';
import { eventually } from '@etcd-ops/test-kit';
import { expect, it } from 'vitest';
import { CLUSTER, deltaTask, need, proxy, World, writeEvents } from './testing/world.ts';

it('a delta keeps the configuration beside the backups when it has changed, and asks the store of it only then', async (ctx) => {
  need(ctx, 'nats-server');
  await using world = await World.open(['127.0.0.1:1']);
  const asked: string[] = [];
  const store: ObjectStore = proxy<ObjectStore>(world.store, {
    get: (key, options) => {
      asked.push(`get ${key}`);
      return world.store.get(key, options);
    },
    put: (key, bytes, options) => {
      asked.push(`put ${key}`);
      return world.store.put(key, bytes, options);
    },
  });
  await using _uploader = await world.startUploader({}, { openStore: () => Promise.resolve(store) });
  const record = clusterRecordKey(CLUSTER);
  const cut = async (): Promise<string[]> => {
    const task = deltaTask((await streamFacts(world.bus, CLUSTER)).lastSequence);
    asked.length = 0;
    await dispatchTask(world.bus, task);
    await eventually(async () => {
      const last = (await lastDone(world.bus).get(lastDoneKey('delta', CLUSTER)))?.value;
      return last?.taskId === task.id && last.ok;
    });
    return asked.filter((request) => request.endsWith(record));
  };
  const kept = async () => decodeClusterRecord(await world.store.get(record)).spec;

  await writeEvents(world.bus, 3);
  // The first put says how the repository began.
  expect(await cut()).toEqual([`put ${record}`, `get ${record}`, `put ${record}`]);
  expect(await kept()).toEqual(world.spec);

  await writeEvents(world.bus, 3, 14);
  expect(await cut()).toEqual([]);

  const snapshots = { ...world.spec.snapshots, schedule: '@weekly' };
  await world.changeSpec({ snapshots });
  await writeEvents(world.bus, 3, 17);
  expect(await cut()).toEqual([`get ${record}`, `put ${record}`]);
  expect(await kept()).toEqual({ ...world.spec, snapshots });
});
