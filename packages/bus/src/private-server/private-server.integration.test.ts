import { isEtcdOpsError } from '@etcd-ops/core';
import { eventually, findBinary, missingBinary, NATS_VERSIONS, tempDir } from '@etcd-ops/test-kit';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { describe, expect, test, type TestContext } from 'vitest';
import { connectBus } from '../connection.ts';
import { findNatsServer } from './find-nats-server.ts';
import { processCommand, processStart } from './process-facts.ts';
import { readConnectionFile, startPrivateServer } from './start-private-server.ts';
import { lockStateDir } from './state-lock.ts';

const MODULE = new URL('./start-private-server.ts', import.meta.url).href;

function binaryOrSkip(context: TestContext, version: string): string {
  const binary = findBinary('nats-server', version);
  return binary ?? context.skip(missingBinary('nats-server', version));
}

/** A daemon of its own process, which tells the pid of its server. */
async function daemon(stateDir: string, binary: string): Promise<{ child: ChildProcess; serverPid: number }> {
  const script = `
    const { startPrivateServer } = await import(${JSON.stringify(MODULE)});
    const server = await startPrivateServer(${JSON.stringify({ stateDir, binary })});
    console.log(server.pid);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, serverPid: Number(chunk.toString()) };
}

const isGone = async (pid: number) => (await processStart(pid)) === undefined;
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: unknown) => (isEtcdOpsError(error) ? error.code : error),
  );

describe.each(NATS_VERSIONS)('nats-server %s', (version) => {
  test('it serves only who knows the token, keeps what it stored, and leaves nothing running', async (context) => {
    const binary = binaryOrSkip(context, version);
    await using dir = tempDir();
    const stateDir = dir.file('state');
    const server = await startPrivateServer({ stateDir, binary });
    expect(await codeOf(connectBus({ url: server.url, name: 'x' }))).toBe('BUS_UNREACHABLE');
    const bus = await connectBus({ url: server.url, token: server.token, name: 'x' });
    await (await bus.jsm()).streams.add({ name: 'KEPT', subjects: ['kept'] });
    await bus.js.publish('kept', 'x');
    await bus.close();
    for (const [name, mode] of [
      ['', 0o700],
      ['nats', 0o700],
      ['nats/nats.conf', 0o600],
      ['nats.json', 0o600],
    ] as const) {
      expect([name, (await stat(`${stateDir}/${name}`)).mode & 0o777]).toEqual([name, mode]);
    }
    expect(await processCommand(server.pid)).not.toContain(server.token);
    expect(await readConnectionFile(stateDir)).toMatchObject({ url: server.url, token: server.token, pid: server.pid });
    await server.stop();
    expect(await isGone(server.pid)).toBe(true);
    expect(await readConnectionFile(stateDir)).toBeUndefined();
    expect((await readdir(stateDir)).filter((name) => name.includes('lock'))).toEqual([]);

    await using again = await startPrivateServer({ stateDir, binary });
    expect(again.token).not.toBe(server.token);
    await using second = await connectBus({ url: again.url, token: again.token, name: 'x' });
    expect((await (await second.jsm()).streams.info('KEPT')).state.messages).toBe(1);
  });

  test('it dies with its daemon, also when that is killed, and the lock is no obstacle then', async (context) => {
    const binary = binaryOrSkip(context, version);
    await using dir = tempDir();
    const { child, serverPid } = await daemon(dir.path, binary);
    expect(await codeOf(startPrivateServer({ stateDir: dir.path, binary }))).toBe('STATE_DIR_LOCKED');
    expect(await isGone(serverPid)).toBe(false);
    child.kill('SIGKILL');
    await eventually(() => isGone(serverPid), { timeoutMs: 3_000 });
    await using server = await startPrivateServer({ stateDir: dir.path, binary });
    expect(server.pid).not.toBe(serverPid);
  });

  test('an orphan on the same store is ended first', async (context) => {
    const binary = binaryOrSkip(context, version);
    await using dir = tempDir();
    await (await startPrivateServer({ stateDir: dir.path, binary })).stop();
    // As if daemon and wrapper had both been killed: a server with our configuration that nobody watches over.
    const orphan = spawn(binary, ['-c', dir.file('nats', 'nats.conf')], { stdio: 'ignore' });
    await eventually(async () => (await readFile(dir.file('nats', 'nats.pid'), 'utf8')).trim() === String(orphan.pid));
    await using server = await startPrivateServer({ stateDir: dir.path, binary });
    expect(await isGone(orphan.pid!)).toBe(true);
    expect(await isGone(server.pid)).toBe(false);
  });

  test('a pid file that names a stranger does the stranger no harm', async (context) => {
    const binary = binaryOrSkip(context, version);
    await using dir = tempDir();
    await (await startPrivateServer({ stateDir: dir.path, binary })).stop();
    await writeFile(dir.file('nats', 'nats.pid'), String(process.pid));
    await using server = await startPrivateServer({ stateDir: dir.path, binary });
    expect(server.pid).not.toBe(process.pid);
  });
});

test('a program that is no nats-server is named with what it said', async () => {
  await using dir = tempDir();
  const error: unknown = await startPrivateServer({ stateDir: dir.path, binary: '/bin/false' }).catch(
    (caught: unknown) => caught,
  );
  expect(isEtcdOpsError(error, 'BUS_FAILED')).toBe(true);
  // And the directory is free again.
  await (await lockStateDir(dir.path)).release();
});

test('no nats-server anywhere: what to do is said', async () => {
  const error: unknown = await findNatsServer({ ETCD_OPS_NATS_SERVER: '/nonexistent', PATH: '' }).catch(
    (caught: unknown) => caught,
  );
  expect(isEtcdOpsError(error, 'BINARY_MISSING') && error.remedy).toContain('apt install nats-server');
});

test('of many that lock a directory at the same moment one gets it', async () => {
  await using dir = tempDir();
  // A stale lock of a process that never was.
  await writeFile(dir.file('daemon.lock.3'), JSON.stringify({ pid: 4_000_000, start: 'x' }));
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => lockStateDir(dir.path).catch(codeOfError)));
  const locks = outcomes.filter((outcome) => typeof outcome === 'object');
  expect(locks).toHaveLength(1);
  expect(outcomes.filter((outcome) => outcome === 'STATE_DIR_LOCKED')).toHaveLength(19);
  await locks[0]!.release();
  expect(await readdir(dir.path)).toEqual([]);
});

function codeOfError(error: unknown): string {
  return isEtcdOpsError(error) ? error.code : String(error);
}
