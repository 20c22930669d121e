import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  bucketStream,
  callApi,
  connectBus,
  eventsStream,
  inboxPrefix,
  jobAnswerSchema,
  OWNERS_BUCKET,
  restoreAnswerSchema,
  TASKS_STREAM,
  type Bus,
} from '@etcd-ops/bus';
import { LocalStore, readInventory } from '@etcd-ops/core';
import { etcdVersions, eventually, findBinary, hardLoad, missingBinary, startEtcd, tempDir } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { StreamAudit } from '../chaos/checks/stream-audit.ts';
import { clustersOf } from '../chaos/world/watchers.ts';
import { runEtcdOps } from '../run-etcd-ops.ts';
import { startService, type ServiceProcess } from './run-services.ts';
import { leaderOf, NODES, startNodes, whenReplicasAreCurrent } from './three-nodes.ts';

const VERSION = '2.10';
const WAIT = { timeoutMs: 90_000 };
const CLUSTER = 'prod';
/** Two watchers, so that one can take over. */
const SERVICES = ['scheduler', 'uploader', 'restorer', 'watcher', 'watcher'];

test('three nodes with two accounts: nodes are killed under load, and all goes on', async (context) => {
  if (etcdVersions().length === 0) return context.skip(missingBinary('etcd'));
  if (findBinary('nats-server', VERSION) === undefined) return context.skip(missingBinary('nats-server', VERSION));
  await using scratch = tempDir();
  const dir = scratch.file('nats');
  const made = await runEtcdOps('nats-config', '--dir', dir, '--node', NODES.join(','));
  expect(made.exitCode, made.stderr).toBe(0);
  const nkey = (role: string): string => `${dir}/users/${role}/user.nk`;
  const nkeySeed = readFileSync(nkey('operator'), 'utf8').trim();
  await using nats = await startNodes(dir, { version: VERSION, nkeySeed });
  await using etcd = await startEtcd();
  const bucket = scratch.file('backups');
  const root = scratch.file('restored');
  mkdirSync(root);
  const spec = { name: CLUSTER, endpoints: [etcd.endpoint], snapshots: { deltaPeriodMs: 500 } };
  const file = scratch.file('clusters.yaml');
  writeFileSync(file, JSON.stringify({ defaults: { store: { provider: 'Local', bucket } }, clusters: [spec] }));
  const users = ['--nats-nkey', nkey('operator'), '--nats-ops-nkey', nkey('operator-ops')];
  const apply = () => runEtcdOps('apply', '--config', file, '--nats', nats.urls.join(','), ...users, '--replicas', '3');
  const applied = await apply();
  expect(applied.exitCode, applied.stderr).toBe(0);

  await using connections = new AsyncDisposableStack();
  const connect = async (role: string): Promise<Bus> =>
    connections.use(
      await connectBus({ url: nats.urls, name: role, inboxPrefix: inboxPrefix(role), nkeyFile: nkey(role) }),
    );
  const operator = await connect('operator');
  const people = await connect('operator-ops');
  for (const [bus, streams] of [
    [operator, 7],
    [people, 5],
  ] as const) {
    let seen = 0;
    for await (const { config } of (await bus.jsm()).streams.list()) {
      seen++;
      expect(config, config.name).toMatchObject({ num_replicas: 3 });
    }
    expect(seen).toBe(streams);
  }
  await using audit = new StreamAudit({ bus: operator, cluster: CLUSTER });
  audit.start();

  await using services = new AsyncDisposableStack();
  const running = SERVICES.map((name, index): ServiceProcess => {
    const environment = {
      ETCD_OPS_NATS_URL: nats.urls.join(','),
      ETCD_OPS_NATS_NKEY_FILE: nkey(name),
      ...(name === 'restorer'
        ? { ETCD_OPS_NATS_OPS_NKEY_FILE: nkey('restorer-ops'), ETCD_OPS_RESTORE_ROOTS: root }
        : {}),
      ETCD_OPS_STATE_DIR: scratch.file(`state-${index}`),
      ETCD_OPS_SPOOL_DIR: scratch.file(`spool-${index}`),
    };
    return services.use(startService(name, environment));
  });
  const logs = (): string => running.map((one) => `== ${one.name}\n${one.log().slice(-3_000)}`).join('\n');
  const until = (probe: () => unknown): Promise<unknown> =>
    eventually(probe, WAIT).catch((error: unknown) => Promise.reject(new Error(logs(), { cause: error })));

  const load = startLoad(etcd.endpoints);
  const store = new LocalStore(bucket);
  const durable = async (): Promise<number> =>
    (await readInventory(store, CLUSTER)).timelines[0]?.deltas.at(-1)?.last ?? 0;
  /** What etcd has now becomes a delta. */
  const goesOn = async (): Promise<number> => {
    const revision = load.revision();
    await until(async () => (await durable()) >= revision);
    return revision;
  };
  await goesOn();
  // Without it there is nothing to restore; it comes behind the first deltas where servers answer late.
  await until(async () => ((await readInventory(store, CLUSTER)).timelines[0]?.fulls.length ?? 0) > 0);
  await whenReplicasAreCurrent(operator);
  await whenReplicasAreCurrent(people);

  // The node that leads the events dies. Everything has to go on while it is away, restores that people ask for included.
  const first = await leaderOf(nats, operator, eventsStream(CLUSTER));
  const events = audit.events;
  await first.kill();
  const revision = await goesOn();
  await until(() => audit.events > events);
  const request = { cluster: CLUSTER, revision, dataDir: `${root}/m1` };
  const { id } = await callApi(people, 'restore', request, { answer: restoreAnswerSchema });
  const job = () => callApi(people, 'job', { id }, { answer: jobAnswerSchema });
  await until(async () => (await job()).state === 'done');
  expect(existsSync(`${root}/m1/member/snap/db`)).toBe(true);

  await first.start();
  await whenReplicasAreCurrent(operator);
  await whenReplicasAreCurrent(people);

  // The worst case of a takeover: the watcher dies, and with it the node that leads the bucket of owners.
  const owner = async (): Promise<ServiceProcess> => {
    for (const one of running.filter(({ name }) => name === 'watcher')) {
      if ((await clustersOf({ log: () => one.log(), running: true, paused: false })) > 0) return one;
    }
    throw new Error('nobody captures it');
  };
  const victim = await eventually(owner, WAIT);
  const second = await leaderOf(nats, operator, bucketStream(OWNERS_BUCKET));
  const epochs = audit.epochs.size;
  victim.child.kill('SIGKILL');
  await second.kill();
  const killedMs = performance.now();
  await until(() => audit.epochs.size > epochs);
  const tookMs = Math.round(performance.now() - killedMs);
  process.stdout.write(`takeover on three replicas, whose leader dies with the watcher: ${tookMs} ms\n`);
  await goesOn();
  await second.start();
  await whenReplicasAreCurrent(operator);

  await load.stop();
  await goesOn();
  expect(audit.violations).toEqual([]);
  for (const { timeline, revision: acknowledged } of audit.acknowledged) {
    expect(timeline).toBe(1);
    expect(await durable()).toBeGreaterThanOrEqual(acknowledged);
  }
  const { timelines } = await readInventory(store, CLUSTER);
  timelines[0]!.deltas.reduce((earlier, delta) => (expect(delta.first).toBe(earlier.last + 1), delta));
  // What is there is as it has to be: a second time changes nothing.
  const again = await apply();
  expect(again.stdout, again.stderr).toContain('nothing to change');
  expect((await (await operator.jsm()).streams.info(TASKS_STREAM)).config.num_replicas).toBe(3);
  for (const server of nats.servers) expect(server.log().match(/.*Violation.*/g) ?? []).toEqual([]);
});

/** Writes of every kind, until it is stopped; three servers of NATS and one of etcd share the disk of a test machine. */
function startLoad(endpoints: readonly string[]): { revision: () => number; stop: () => Promise<void> } {
  let revision = 1;
  const stop = new AbortController();
  const writing = (async () => {
    for (let seed = 1; !stop.signal.aborted; seed++) {
      const load = { endpoints, seed, operations: 8, writers: 2, valueBytesMax: 20_000, without: ['compact'] as const };
      ({ revision } = await hardLoad(load));
      await delay(50);
    }
  })();
  // A test that failed has taken etcd away.
  writing.catch(() => stop.abort());
  return {
    revision: () => revision,
    async stop() {
      stop.abort();
      await writing;
    },
  };
}
