import { writeFile } from 'node:fs/promises';
import { lastDone, lastDoneKey } from '@etcd-ops/bus';
import { etcdVersions, eventually, findBinary, missingBinary, startEtcd, tempDir } from '@etcd-ops/test-kit';
import { describe, expect, it } from 'vitest';
import { CLUSTER, World } from './testing/world.ts';

const versions = etcdVersions();

describe.each(versions.length === 0 ? ['none'] : versions)('two credentials at etcd %s', (version) => {
  it('captures as reader, takes fulls as root, and follows users as they change', { timeout: 90_000 }, async (ctx) => {
    if (version === 'none') ctx.skip(missingBinary('etcd'));
    if (findBinary('nats-server') === undefined) ctx.skip(missingBinary('nats-server'));
    await using dir = tempDir();
    const auth = { username: 'reader', passwordFile: dir.file('reader') };
    const maintenanceAuth = { username: 'root', passwordFile: dir.file('root') };
    await writeFile(auth.passwordFile, 'eins\n');
    await writeFile(maintenanceAuth.passwordFile, 'geheim\n');
    await using etcd = await startEtcd({ version });
    const asRoot = (...args: string[]) => etcd.etcdctl('--user=root:geheim', ...args);
    let puts = 0;
    const put = async (how: typeof asRoot) => void (await how('put', 'key', String(++puts)));
    // Nobody logs in yet: the credentials do no harm.
    await put((...args) => etcd.etcdctl(...args));
    await using world = await World.open(etcd, { access: { auth, maintenanceAuth } });
    await using watcher = await world.startWatcher({ authPollMs: 200 });
    await watcher.watching();
    const captured = () =>
      eventually(async () => (await world.capturedRevision()) === puts + 1, { timeoutMs: 20_000, intervalMs: 50 });

    await etcd.etcdctl('user', 'add', 'root:geheim');
    await etcd.etcdctl('user', 'grant-role', 'root', 'root');
    await etcd.etcdctl('role', 'add', 'reader');
    await etcd.etcdctl('role', 'grant-permission', 'reader', 'read', '', '--from-key=true');
    await etcd.etcdctl('user', 'add', 'reader:eins');
    await etcd.etcdctl('user', 'grant-role', 'reader', 'reader');
    await etcd.etcdctl('auth', 'enable');
    await put(asRoot);
    await captured();
    await using uploader = await world.spawnUploader();
    await eventually(
      async () => {
        const full = await lastDone(world.bus).get(lastDoneKey('full', CLUSTER));
        if (full?.value.ok !== true) throw new Error(uploader.log().slice(-800));
      },
      { timeoutMs: 30_000, intervalMs: 100 },
    );

    // The user goes while the watch is open, and the watch is cut: capture waits and says why, until the user is back.
    await asRoot('user', 'delete', 'reader');
    await put(asRoot);
    await captured();
    await etcd.restart();
    await eventually(
      () => watcher.service.health().detail.includes('etcd does not know the user reader with this password'),
      {
        timeoutMs: 20_000,
      },
    );
    await put(asRoot);
    await asRoot('user', 'add', 'reader:zwei');
    await asRoot('user', 'grant-role', 'reader', 'reader');
    await writeFile(auth.passwordFile, 'zwei\n');
    await captured();
    expect((await world.starts()).map(({ cause }) => cause)).toEqual(['first']);
    const { events, skipped } = await world.events();
    expect(skipped).toEqual([]);
    expect(events.length).toBeGreaterThan(1);
  });
});
