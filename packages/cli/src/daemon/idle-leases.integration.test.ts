import {
  clusterKey,
  clusterSpecs,
  clusterSpecSchema,
  connectBus,
  ensureEventStream,
  ensureTopology,
  lastEvent,
  positionKey,
  positions,
  streamFacts,
  type Bus,
} from '@etcd-ops/bus';
import {
  LocalStore,
  parseInitialCluster,
  readInventory,
  restoreAround,
  type RestoreAroundReport,
} from '@etcd-ops/core';
import { createSchedulerService } from '@etcd-ops/scheduler';
import { createLogger, createMetrics, createServiceContext, runServices } from '@etcd-ops/service-kit';
import {
  eventually,
  findBinary,
  missingBinary,
  startEtcd,
  startNats,
  tempDir,
  type TestEtcd,
} from '@etcd-ops/test-kit';
import { createUploaderService, uploaderSettings } from '@etcd-ops/uploader';
import { createWatcherService, watcherSettings } from '@etcd-ops/watcher';
import { Etcd3 } from 'etcd3';
import { describe, expect, test, type TestContext } from 'vitest';
import { createFinalDelta } from './final-delta.ts';

const CLUSTER = 'idle';
const TRANSACTIONS = 20;
const TTL_SECONDS = 5_000;
const WAIT_MS = 180_000;
const logger = createLogger({ level: 'silent', name: 'test' });

function need(ctx: TestContext): void {
  for (const program of ['etcd', 'nats-server'] as const) {
    if (findBinary(program) === undefined) ctx.skip(missingBinary(program));
  }
}

/** Thousands of keys in few revisions, each with a lease of its own; then nothing more is ever written. */
async function writeLeasedKeys(etcd: TestEtcd, leases: number): Promise<number> {
  const client = new Etcd3({ hosts: etcd.endpoint });
  let revision = 0;
  const each = leases / TRANSACTIONS;
  for (let transaction = 0; transaction < TRANSACTIONS; transaction++) {
    const granted = await Promise.all(
      Array.from({ length: each }, async () => await client.leaseClient.leaseGrant({ TTL: TTL_SECONDS })),
    );
    const success = granted.map(({ ID: lease }, index) => ({
      request_put: { key: Buffer.from(`leased-${transaction}-${index}`), value: Buffer.from('v'), lease },
    }));
    const { header } = await client.kv.txn({ compare: [], success, failure: [] });
    revision = Number(header.revision);
  }
  client.close();
  return revision;
}

interface Daemon extends AsyncDisposable {
  bus: Bus;
  store: LocalStore;
  /** As at SIGTERM: the watcher ends, then a last delta is made, then the uploader ends. */
  stop: () => Promise<void>;
}

async function startDaemon(etcd: TestEtcd, dir: string, deltaPeriodMs: number): Promise<Daemon> {
  await using stack = new AsyncDisposableStack();
  const nats = stack.use(await startNats());
  const bus = stack.use(await connectBus({ url: nats.url, name: 'daemon' }));
  await ensureTopology(bus);
  const spec = clusterSpecSchema.parse({
    version: 1,
    name: CLUSTER,
    endpoints: [etcd.endpoint],
    store: { provider: 'Local', bucket: `${dir}/store` },
    snapshots: { schedule: '0 0 1 1 *', deltaPeriodMs },
  });
  await ensureEventStream(bus, CLUSTER, { bytesMax: spec.eventBytesMax });
  await clusterSpecs(bus).put(clusterKey(CLUSTER), spec);
  const dirs = { stateDir: `${dir}/state`, spoolDir: `${dir}/spool` };
  const context = stack.use(await createServiceContext({ bus, logger, metrics: createMetrics('test'), ...dirs }));
  const services = [
    createUploaderService(context, uploaderSettings.parse({})),
    createFinalDelta({ bus, clusters: () => [CLUSTER], logger }),
    createWatcherService(context, watcherSettings.parse({ flushTimeoutMs: WAIT_MS, leaseAsksPerSecondMax: 2_000 })),
    createSchedulerService(context),
  ];
  const end = new AbortController();
  const running = runServices(services, { logger, signal: end.signal, drainTimeoutMs: 2 * WAIT_MS });
  const stop = async (): Promise<void> => {
    end.abort();
    await running;
  };
  stack.defer(stop);
  const owned = stack.move();
  return { bus, store: new LocalStore(spec.store.bucket), stop, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function fullIsThere({ store }: Daemon): Promise<boolean> {
  return (await readInventory(store, CLUSTER)).timelines.some(({ fulls }) => fulls.length > 0);
}

async function restored({ store }: Daemon, dataDir: string): Promise<RestoreAroundReport> {
  return await restoreAround({
    store,
    inventory: await readInventory(store, CLUSTER),
    restoreTo: { kind: 'latest' },
    dataDirs: [{ member: 'm0', dataDir }],
    initialCluster: parseInitialCluster('m0=http://127.0.0.1:1'),
    token: 'restored',
  });
}

describe('the leases of a cluster that nobody writes to any more', () => {
  test('all have their TTLs in the repository a delta period later, and the stream holds nothing back', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd();
    await using daemon = await startDaemon(etcd, dir.path, 1_000);
    await eventually(async () => await fullIsThere(daemon), { timeoutMs: WAIT_MS });
    const revision = await writeLeasedKeys(etcd, 2_000);
    let tries = 0;
    let report: RestoreAroundReport | undefined;
    await eventually(
      async () => {
        report = await restored(daemon, dir.file(`restored-${tries++}`));
        return report.revision === revision && report.leases.unknown.length === 0;
      },
      { timeoutMs: WAIT_MS, intervalMs: 2_000 },
    );
    expect(report?.leases).toEqual({ kept: 0, fromDeltas: 2_000, unknown: [] });
    expect(report?.warnings).toEqual([]);
    await eventually(
      async () => {
        const position = (await positions(daemon.bus).get(positionKey(CLUSTER)))?.value;
        return position?.sequence === (await streamFacts(daemon.bus, CLUSTER)).lastSequence;
      },
      { timeoutMs: WAIT_MS },
    );
  });

  test('are asked about and stored before a graceful end, though no delta is due', async (ctx) => {
    need(ctx);
    await using dir = tempDir();
    await using etcd = await startEtcd();
    await using daemon = await startDaemon(etcd, dir.path, 3_600_000);
    await eventually(async () => await fullIsThere(daemon), { timeoutMs: WAIT_MS });
    const revision = await writeLeasedKeys(etcd, 500);
    await eventually(async () => (await lastEvent(daemon.bus, CLUSTER))?.last === revision, { timeoutMs: WAIT_MS });
    await daemon.stop();
    const report = await restored(daemon, dir.file('restored'));
    expect(report.revision).toBe(revision);
    expect(report.leases).toEqual({ kept: 0, fromDeltas: 500, unknown: [] });
  });
});
