import { setTimeout as delay } from 'node:timers/promises';
import { lastDone, lastDoneKey } from '@etcd-ops/bus';
import { etcdVersions, eventually, findBinary, missingBinary, startEtcd } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { CLUSTER, put, World } from './testing/world.ts';

const AUTH_POLL_MS = 200;

test('a change of users leads to a full snapshot that holds it, once', { timeout: 90_000 }, async (ctx) => {
  // etcd 3.4 has no AuthStatus.
  const version = etcdVersions().findLast((one) => !one.startsWith('3.4.'));
  if (version === undefined) ctx.skip(missingBinary('etcd', '3.5'));
  if (findBinary('nats-server') === undefined) ctx.skip(missingBinary('nats-server'));
  await using etcd = await startEtcd({ version: version! });
  await put(etcd, 3);
  await using world = await World.open(etcd, { snapshots: { schedule: '0 0 1 1 *' } });
  await using uploader = await world.spawnUploader();
  await using watcher = await world.startWatcher({ authPollMs: AUTH_POLL_MS });
  await watcher.watching();
  const lastFull = async () => {
    const found = await lastDone(world.bus).get(lastDoneKey('full', CLUSTER));
    if (found?.value.ok !== true) throw new Error(`no full yet: ${uploader.log().slice(-500)}`);
    return found.value;
  };
  const first = await eventually(lastFull, { timeoutMs: 30_000 });
  // As the file says, so does the cluster: nothing is asked for.
  await delay(AUTH_POLL_MS * 4);
  expect((await lastFull()).taskId).toBe(first.taskId);

  await etcd.etcdctl('user', 'add', 'somebody:secret');
  const second = await eventually(
    async () => {
      const last = await lastFull();
      return last.taskId === first.taskId ? false : last;
    },
    { timeoutMs: 30_000 },
  );
  expect(second.summary['authRevision']).toBeGreaterThan(Number(first.summary['authRevision']));
  await delay(AUTH_POLL_MS * 4);
  expect((await lastFull()).taskId).toBe(second.taskId);
});
