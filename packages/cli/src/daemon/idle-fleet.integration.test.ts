import {
  clusterKey,
  clusterSpecs,
  clusterSpecSchema,
  connectBus,
  ensureEventStream,
  ensureTopology,
  type Bus,
} from '@etcd-ops/bus';
import { createGarbageCollectorService } from '@etcd-ops/garbage-collector';
import { createMaintainerService } from '@etcd-ops/maintainer';
import { createRestorerService, restorerSettings } from '@etcd-ops/restorer';
import { createSchedulerService } from '@etcd-ops/scheduler';
import { createLogger, createMetrics, createServiceContext, runServices, type Service } from '@etcd-ops/service-kit';
import { EtcdStandIn, eventually, findBinary, missingBinary, S3Server, startNats, tempDir } from '@etcd-ops/test-kit';
import { createUploaderService, uploaderSettings } from '@etcd-ops/uploader';
import { createWatcherService, watcherSettings } from '@etcd-ops/watcher';
import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';

const CLUSTERS = 10;
const ACCOUNT = { accessKeyId: 'AKFLEET', secretAccessKey: 'a-secret-of-the-fleet' };
/** Every kind of task comes up so often: what is due is looked at, and found to be nothing. */
const PERIOD_MS = 1_000;
const CALM_MS = 4_000;
const WAIT_MS = 120_000;
const logger = createLogger({ level: 'silent', name: 'test' });

async function register(bus: Bus, standIn: EtcdStandIn, store: object): Promise<void> {
  for (let index = 0; index < CLUSTERS; index++) {
    const spec = clusterSpecSchema.parse({
      version: 1,
      name: `idle-${index}`,
      endpoints: [standIn.endpoint(index)],
      store,
      snapshots: { schedule: '0 0 1 1 *', deltaPeriodMs: PERIOD_MS },
      retention: { gcPeriodMs: PERIOD_MS },
      merging: { periodMs: PERIOD_MS },
      proof: { schedule: '0 0 1 1 *', witnessPeriodMs: PERIOD_MS },
      eventBytesMax: 1024 * 1024,
    });
    await ensureEventStream(bus, spec.name, { bytesMax: spec.eventBytesMax });
    await clusterSpecs(bus).put(clusterKey(spec.name), spec);
  }
}

test('clusters that are calm cause no request to the store, however often tasks come up, and few to etcd', async (ctx) => {
  if (findBinary('nats-server') === undefined) ctx.skip(missingBinary('nats-server'));
  await using dir = tempDir();
  await using nats = await startNats();
  await using standIn = await EtcdStandIn.start({ clusters: CLUSTERS });
  await using s3 = await S3Server.start({ accounts: [ACCOUNT], buckets: ['fleet'] });
  await using bus = await connectBus({ url: nats.url, name: 'fleet' });
  await ensureTopology(bus);
  const file = dir.file('keys.json');
  const { accessKeyId: accessKeyID, secretAccessKey } = ACCOUNT;
  await writeFile(file, JSON.stringify({ accessKeyID, secretAccessKey }));
  const store = { provider: 'S3', bucket: 'fleet', endpoint: s3.endpoint, region: 'us-east-1', credentials: { file } };
  await register(bus, standIn, store);
  const dirs = { stateDir: dir.file('state'), spoolDir: dir.file('spool') };
  await using context = await createServiceContext({ bus, logger, metrics: createMetrics('test'), ...dirs });
  const services: Service[] = [
    createWatcherService(context, watcherSettings.parse({})),
    createUploaderService(context, uploaderSettings.parse({ fullConcurrencyMax: 4 })),
    createGarbageCollectorService(context),
    createMaintainerService(context),
    createRestorerService(context, restorerSettings.parse({})),
    createSchedulerService(context),
  ];
  const stop = new AbortController();
  const running = runServices(services, { logger, signal: stop.signal, drainTimeoutMs: 20_000 });
  try {
    const fulls = (): number =>
      s3
        .bucket('fleet')
        .keys()
        .filter((key) => key.endsWith('.db.json')).length;
    await eventually(() => fulls() === CLUSTERS, { timeoutMs: WAIT_MS });
    // The first collection, and the first look at what may be merged, are due behind the first full.
    const isCalm = async (): Promise<boolean> => {
      const before = s3.seen.length;
      await delay(3 * PERIOD_MS);
      return s3.seen.length === before;
    };
    await eventually(isCalm, { timeoutMs: WAIT_MS });
    const asked = (): number => [...standIn.calls.values()].reduce((sum, count) => sum + count, 0) / CLUSTERS;
    const [requests, calls, begunMs] = [s3.seen.length, asked(), performance.now()];
    await delay(CALM_MS);
    expect(s3.seen.slice(requests).map(({ operation, url }) => `${operation} ${url}`)).toEqual([]);
    // A witness is asked for each second here, in five calls; the watcher asks each ten seconds for the head.
    const callsPerSecond = (asked() - calls) / ((performance.now() - begunMs) / 1_000);
    expect(callsPerSecond).toBeLessThan(8);
    expect(standIn.clusters.filter(({ watches }) => watches !== 1)).toEqual([]);
  } finally {
    stop.abort();
    await running;
  }
});
