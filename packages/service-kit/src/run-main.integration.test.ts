import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectBus, ensureTopology } from '@etcd-ops/bus';
import { eventually, findBinary, missingBinary, startNats, tempDir, type TempDir } from '@etcd-ops/test-kit';
import { expect, it } from 'vitest';

const TOKEN = 'a-token-that-must-not-be-logged';

/** A process runs from the sources here, and other tests run meanwhile. */
const WAIT_MS = 60_000;

function startProcess(dir: TempDir, environment: Record<string, string>) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'fixtures', 'test-main.ts')], {
    env: {
      PATH: process.env['PATH'],
      ETCD_OPS_STATE_DIR: dir.file('state'),
      ETCD_OPS_SPOOL_DIR: dir.file('spool'),
      ETCD_OPS_HTTP_HOST: '127.0.0.1',
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ended = once(child, 'exit').then(([code, signal]: unknown[]) => ({ code, signal }));
  return {
    child,
    ended,
    log: () => log,
    logged: (text: string) => eventually(() => log.includes(text), { timeoutMs: WAIT_MS }),
    async url() {
      const port = await eventually(() => /"port":(\d+)/.exec(log)?.[1] ?? false, { timeoutMs: WAIT_MS });
      return `http://127.0.0.1:${port}`;
    },
    [Symbol.dispose]: () => child.kill('SIGKILL'),
  };
}

async function startBus(dir: TempDir) {
  // It asks for no token, and is given one all the same.
  const nats = await startNats();
  await writeFile(dir.file('token'), `${TOKEN}\n`);
  const bus = await connectBus({ url: nats.url, name: 'test' });
  await ensureTopology(bus);
  await bus.close();
  return nats;
}

it('is ready with its bus, drains on SIGTERM and exits with 0', async ({ skip }) => {
  skip(findBinary('nats-server') === undefined, missingBinary('nats-server'));
  await using dir = tempDir();
  await using nats = await startBus(dir);
  using running = startProcess(dir, {
    ETCD_OPS_NATS_URL: nats.url,
    ETCD_OPS_NATS_TOKEN_FILE: dir.file('token'),
    ETCD_OPS_LOG_LEVLE: 'debug',
  });
  const url = await running.url();
  await eventually(async () => expect((await fetch(`${url}/readyz`)).status).toBe(200));
  expect(await (await fetch(`${url}/metrics`)).text()).toContain('etcdops_build_info{name="watcher"');
  expect(running.log()).toContain('did you mean ETCD_OPS_LOG_LEVEL?');
  running.child.kill('SIGTERM');
  expect(await running.ended).toEqual({ code: 0, signal: null });
  expect(running.log()).not.toContain(TOKEN);
  for (const line of running.log().trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('msg');
});

it('is forced by a second signal', async ({ skip }) => {
  skip(findBinary('nats-server') === undefined, missingBinary('nats-server'));
  await using dir = tempDir();
  await using nats = await startBus(dir);
  using running = startProcess(dir, { ETCD_OPS_NATS_URL: nats.url, ETCD_OPS_WATCHER_MOOD: 'stubborn' });
  await running.logged('Service started');
  running.child.kill('SIGTERM');
  await running.logged('Draining');
  expect(running.child.exitCode).toBeNull();
  running.child.kill('SIGTERM');
  expect(await running.ended).toEqual({ code: 143, signal: null });
  expect(running.log()).toContain('Forced to exit');
});

it('names the service that does not drain, and exits with 1', async ({ skip }) => {
  skip(findBinary('nats-server') === undefined, missingBinary('nats-server'));
  await using dir = tempDir();
  await using nats = await startBus(dir);
  using running = startProcess(dir, {
    ETCD_OPS_NATS_URL: nats.url,
    ETCD_OPS_WATCHER_MOOD: 'stubborn',
    ETCD_OPS_DRAIN_TIMEOUT_MS: '200',
  });
  await running.logged('Service started');
  running.child.kill('SIGINT');
  expect(await running.ended).toEqual({ code: 1, signal: null });
  expect(running.log()).toContain('Not drained within 200 ms: watcher');
});

it('exits with 1 when its service fails', async ({ skip }) => {
  skip(findBinary('nats-server') === undefined, missingBinary('nats-server'));
  await using dir = tempDir();
  await using nats = await startBus(dir);
  using running = startProcess(dir, { ETCD_OPS_NATS_URL: nats.url, ETCD_OPS_WATCHER_MOOD: 'failing' });
  expect(await running.ended).toEqual({ code: 1, signal: null });
  expect(running.log()).toContain('it fell over');
});

it('tells every wrong setting at once and exits with 2', async () => {
  await using dir = tempDir();
  using running = startProcess(dir, {
    ETCD_OPS_HTTP_PORT: '99999',
    ETCD_OPS_LOG_LEVEL: 'loud',
    ETCD_OPS_WATCHER_MOOD: 'sad',
  });
  expect(await running.ended).toEqual({ code: 2, signal: null });
  for (const name of ['ETCD_OPS_HTTP_PORT', 'ETCD_OPS_LOG_LEVEL', 'ETCD_OPS_WATCHER_MOOD']) {
    expect(running.log()).toContain(name);
  }
});

it('waits for a bus that is not there, live and not ready, and drains all the same', async () => {
  await using dir = tempDir();
  using running = startProcess(dir, { ETCD_OPS_NATS_URL: 'nats://127.0.0.1:9' });
  const url = await running.url();
  await running.logged('Waiting for NATS');
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  expect((await fetch(`${url}/readyz`)).status).toBe(503);
  running.child.kill('SIGTERM');
  expect(await running.ended).toEqual({ code: 0, signal: null });
});
