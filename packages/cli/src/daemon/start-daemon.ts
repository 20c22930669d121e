import { join } from 'node:path';
import { clusterKey, clusterSpecs, connectBus, ensureEventStream, ensureTopology, startPrivateServer, type Bus, type ClusterSpec } from '@etcd-ops/bus';
import { createGarbageCollectorService, garbageCollectorSettings } from '@etcd-ops/garbage-collector';
import { createMaintainerService, maintainerSettings } from '@etcd-ops/maintainer';
import { createRestorerService, restorerSettings } from '@etcd-ops/restorer';
import { createSchedulerService, schedulerSettings } from '@etcd-ops/scheduler';
import { createMetrics, createServiceContext, runServices, startHealthServer, type Logger, type Service } from '@etcd-ops/service-kit';
import { createUploaderService, uploaderSettings } from '@etcd-ops/uploader';
import { createWatcherService, watcherSettings } from '@etcd-ops/watcher';
import { createFinalDelta } from './final-delta.ts';

const DRAIN_TIMEOUT_MS = 30_000;

export interface DaemonOptions {
  stateDir: string;
  cluster: ClusterSpec;
  /** A restore that is asked for over NATS writes only below these directories. */
  restoreRoots: readonly string[];
  logger: Logger;
  /** Where /livez, /readyz and /metrics are served; port 0 takes a free one. */
  http: { host: string; port: number };
  /** An existing NATS instead of the private one. */
  nats?: { url: string; token?: string };
}

export interface Daemon extends AsyncDisposable {
  readonly bus: Bus;
  readonly natsUrl: string;
  readonly httpPort: number;
  /** Settles when the services have ended; rejects with the first failure. */
  readonly ended: Promise<void>;
  /** Drains the services in reverse order, then stops the private server. */
  stop(): Promise<void>;
}

/** All six services in this process, over a private nats-server: the same code and subjects as a fleet. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { logger, stateDir } = options;
  await using starting = new AsyncDisposableStack();
  const nats = options.nats ?? (await startNats(starting, stateDir));
  const bus = await connectBus({ ...nats, name: 'etcd-ops' });
  starting.defer(() => bus.close());
  await ensureTopology(bus);
  await ensureEventStream(bus, options.cluster.name, { bytesMax: options.cluster.eventBytesMax });
  await clusterSpecs(bus).put(clusterKey(options.cluster.name), options.cluster);

  const metrics = createMetrics('etcd-ops');
  const context = await createServiceContext({ bus, logger, metrics, stateDir, spoolDir: join(stateDir, 'spool') });
  starting.use(context);
  // The order of the flow of data; stopped in reverse, so that nobody waits for one who has gone.
  const services: Service[] = [
    createUploaderService(context, uploaderSettings.parse({})),
    createGarbageCollectorService(context, garbageCollectorSettings.parse({})),
    createMaintainerService(context, maintainerSettings.parse({})),
    createRestorerService(context, { ...restorerSettings.parse({}), restoreRoots: [...options.restoreRoots] }),
    createFinalDelta({ bus, cluster: options.cluster.name, logger }),
    createWatcherService(context, watcherSettings.parse({})),
    createSchedulerService(context, schedulerSettings.parse({})),
  ];
  const health = await startHealthServer({ ...options.http, services, metrics, logger });
  starting.use(health);

  const stopping = new AbortController();
  const ended = runServices(services, { logger, signal: stopping.signal, drainTimeoutMs: DRAIN_TIMEOUT_MS });
  // Awaited by `stop` or by the caller; until then a rejection must not count as unhandled.
  ended.catch(() => {});
  const resources = starting.move();
  let stopped: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    stopping.abort();
    await ended.catch(() => {});
    await resources.disposeAsync();
  };
  const stop = (): Promise<void> => (stopped ??= end());
  return { bus, natsUrl: nats.url, httpPort: health.port, ended, stop, [Symbol.asyncDispose]: stop };
}

async function startNats(resources: AsyncDisposableStack, stateDir: string): Promise<{ url: string; token: string }> {
  const server = await startPrivateServer({ stateDir });
  resources.defer(() => server.stop());
  return { url: server.url, token: server.token };
}
