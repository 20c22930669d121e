import { generateKeyPairSync } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  etcdVersions,
  eventually,
  startEtcd,
  tempDir,
  WatchRows,
  type TempDir,
  type TestEtcd,
} from '@etcd-ops/test-kit';
import { EtcdCluster, EtcdMember, type EtcdAuth } from './index.ts';

const ROOT: EtcdAuth = { username: 'root', password: 'geheim' };
const READER: EtcdAuth = { username: 'reader', password: 'nur-lesen' };
const NOBODY: EtcdAuth = { username: 'nobody', password: 'nichts' };

async function enableAuth(etcd: TestEtcd): Promise<(...args: string[]) => Promise<string>> {
  for (const { username, password } of [ROOT, READER, NOBODY]) {
    await etcd.etcdctl('user', 'add', `${username}:${password}`);
  }
  await etcd.etcdctl('user', 'grant-role', 'root', 'root');
  await etcd.etcdctl('role', 'add', 'reader');
  await etcd.etcdctl('role', 'grant-permission', 'reader', 'read', '', '--from-key=true');
  await etcd.etcdctl('user', 'grant-role', 'reader', 'reader');
  await etcd.etcdctl('auth', 'enable');
  return (...args) => etcd.etcdctl('--user=root:geheim', ...args);
}

/** Tokens that etcd does not keep: they end by the clock, and with each change of users. */
async function jwtOf(dir: TempDir): Promise<string> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  await writeFile(dir.file('public.pem'), publicKey);
  await writeFile(dir.file('private.pem'), privateKey);
  return `jwt,pub-key=${dir.file('public.pem')},priv-key=${dir.file('private.pem')},sign-method=RS256,ttl=1s`;
}

/** A watch from revision 1 that must go on. */
async function openWatch(member: EtcdMember): Promise<{ rows: WatchRows; ended: () => unknown; cancel: () => void }> {
  const rows = new WatchRows();
  const watch = member.watch({ startRevision: 1, sink: rows });
  let end: unknown;
  void watch.closed.then((how) => {
    end = how;
  });
  await eventually(() => rows.createdAt.length === 1);
  return { rows, ended: () => end, cancel: () => watch.cancel() };
}

describe.each(etcdVersions())('credentials at etcd %s', (version) => {
  const isOld = version.startsWith('3.4.');

  test('each right is tried once, and what is missing is named by call', { timeout: 60_000 }, async () => {
    await using etcd = await startEtcd({ version });
    const { endpoints } = etcd;
    await using open = await EtcdCluster.connect({ endpoints });
    expect(await open.checkRights()).toEqual([]);
    await enableAuth(etcd);
    const missing = async (access: { auth?: EtcdAuth; maintenanceAuth?: EtcdAuth }) => {
      await using cluster = await EtcdCluster.connect({ endpoints, ...access });
      const rights = await cluster.checkRights();
      return {
        calls: rights.map(({ calls }) => calls.join()),
        said: rights.map(({ error }) => error.message).join('\n'),
      };
    };
    for (const access of [{ auth: ROOT }, { maintenanceAuth: ROOT }, { auth: READER, maintenanceAuth: ROOT }]) {
      expect((await missing(access)).calls).toEqual([]);
    }
    const reader = await missing({ auth: READER });
    expect(reader.calls).toEqual(['Snapshot,HashKV,Defragment', ...(isOld ? [] : ['AuthStatus'])]);
    expect(reader.said).toContain('the user reader may not do this: it needs the role root');
    const nobody = await missing({ auth: NOBODY, maintenanceAuth: ROOT });
    expect(nobody.calls).toEqual(['Range', 'Watch']);
    expect(nobody.said).toContain('the user nobody may not do this: it needs read on the whole key space');
    expect((await missing({})).said).toContain('etcd asks for a login, and no credentials are given');
    const wrong = { username: 'reader', password: 'falsch' };
    const unknown = 'etcd does not know the user reader with this password';
    await expect(missing({ auth: wrong })).rejects.toThrow(unknown);
    const half = await missing({ auth: wrong, maintenanceAuth: ROOT });
    expect(half.calls).toEqual(['Range', 'Watch', 'LeaseTimeToLive']);
    expect(half.said).toContain(unknown);
  });

  test('capture and maintenance calls use their own credential', { timeout: 60_000 }, async () => {
    await using etcd = await startEtcd({ version });
    await using dir = tempDir();
    const asRoot = await enableAuth(etcd);
    const maintenance = dir.file('root');
    await writeFile(maintenance, 'geheim\n');
    const { endpoints } = etcd;
    const maintenanceAuth = { username: 'root', passwordFile: maintenance };
    await using cluster = await EtcdCluster.connect({ endpoints, auth: READER, maintenanceAuth });
    const { member, stale } = await cluster.chooseForSnapshot();
    expect(stale).toBe(false);
    for await (const part of member.snapshot()) expect(part.length).toBeGreaterThan(0);
    expect(await cluster.authRevision()).toEqual(isOld ? undefined : expect.any(Number));
    // A changed role of the reader shows that capture is not done as root.
    await asRoot('user', 'revoke-role', 'reader', 'reader');
    await expect(member.linearizableRead()).rejects.toThrow('the user reader may not do this');
    await asRoot('user', 'grant-role', 'reader', 'reader');
    await member.linearizableRead();

    // A host that has only the reader's password, and one that has only root's.
    await rm(maintenance);
    await using watcher = await EtcdCluster.connect({ endpoints, auth: READER, maintenanceAuth });
    await (await watcher.pickForWatch()).status();
    await expect(watcher.members()[0]!.hashKV()).rejects.toThrow(
      new RegExp(
        `the user reader may not do this: it needs the role root. The password file ${maintenance}.*cannot be read`,
      ),
    );
    await writeFile(maintenance, 'geheim');
    const auth = { username: 'reader', passwordFile: dir.file('none') };
    await using uploader = await EtcdCluster.connect({ endpoints, auth, maintenanceAuth });
    await uploader.chooseForSnapshot();
  });

  test.each(['simple', 'jwt'])('%s tokens run out under a watch and a snapshot', { timeout: 60_000 }, async (kind) => {
    await using dir = tempDir();
    const flag = kind === 'simple' ? '--auth-token-ttl=1' : `--auth-token=${await jwtOf(dir)}`;
    await using etcd = await startEtcd({ version, extraFlags: [flag] });
    await etcd.etcdctl('put', 'a', 'x'.repeat(100_000));
    const asRoot = await enableAuth(etcd);
    using member = new EtcdMember(etcd.endpoint, { endpoints: etcd.endpoints, auth: READER, maintenanceAuth: ROOT });
    const { rows, ended, cancel } = await openWatch(member);
    const snapshot = member.snapshot()[Symbol.asyncIterator]();
    let bytes = ((await snapshot.next()).value as Buffer).length;
    // Longer than the TTL; etcd looks for old tokens each second.
    await delay(3_500);
    await asRoot('put', 'b', '1');
    await eventually(() => rows.rows.size === 2);
    for (let part = await snapshot.next(); part.done !== true; part = await snapshot.next()) bytes += part.value.length;
    expect(bytes % 512).toBe(32);
    expect(ended()).toBeUndefined();
    cancel();
    // A JWT is bound to the auth revision, too.
    await asRoot('user', 'add', 'somebody:else');
    await Promise.all([
      member.linearizableRead(),
      member.hashKV(),
      member.leases(),
      openWatch(member).then((it) => it.cancel()),
    ]);
  });

  test('what changes about users while a watch is open', { timeout: 60_000 }, async () => {
    await using etcd = await startEtcd({ version });
    await using dir = tempDir();
    const asRoot = await enableAuth(etcd);
    const passwordFile = dir.file('reader');
    await writeFile(passwordFile, 'nur-lesen');
    const auth = { username: 'reader', passwordFile };
    using member = new EtcdMember(etcd.endpoint, { endpoints: etcd.endpoints, auth, maintenanceAuth: ROOT });
    const before = isOld ? undefined : await member.authStatus();
    const { rows, ended, cancel } = await openWatch(member);
    let puts = 0;
    const goesOn = async (put: (...args: string[]) => Promise<string>) => {
      await put('put', 'key', String(++puts));
      await eventually(() => rows.rows.size === puts);
      expect(ended()).toBeUndefined();
    };
    await asRoot('auth', 'disable');
    await goesOn((...args) => etcd.etcdctl(...args));
    await member.linearizableRead();
    await etcd.etcdctl('auth', 'enable');
    await goesOn(asRoot);
    await member.linearizableRead();
    await asRoot('user', 'delete', 'reader');
    await goesOn(asRoot);
    await expect(member.linearizableRead()).rejects.toThrow('etcd does not know the user reader with this password');
    expect(await member.watch({ startRevision: 1, sink: new WatchRows() }).closed).toMatchObject({
      kind: 'error',
      error: { code: 'ETCD_AUTH', message: expect.stringContaining('reader') },
    });
    // It comes back with another password; the file follows.
    await asRoot('user', 'add', 'reader:neu');
    await asRoot('user', 'grant-role', 'reader', 'reader');
    await writeFile(passwordFile, 'neu\n');
    await member.linearizableRead();
    await goesOn(asRoot);
    cancel();
    if (before !== undefined) expect((await member.authStatus())!.authRevision).toBeGreaterThan(before.authRevision);
  });
});
