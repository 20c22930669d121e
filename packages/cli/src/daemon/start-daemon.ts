import { join } from 'node:path';
import {
  connectBus,
  ensureTopology,
  startPrivateServer,
  type Bus,
  type BusOptions,
  type ClusterSpec,
} from '@etcd-ops/bus';
import { createGarbageCollectorService, garbageCollectorSettings } from '@etcd-ops/garbage-collector';
import { createMaintainerService, maintainerSettings } from '@etcd-ops/maintainer';
import { createRestorerService, restorerSettings } from '@etcd-ops/restorer';
import { createSchedulerService, schedulerSettings, type Notifications } from '@etcd-ops/scheduler';
import {
  createMetrics,
  createServiceContext,
  runServices,
  serveCompatMetrics,
  startHealthServer,
  type Logger,
  type MetricsCompat,
  type Service,
  type ServiceContext,
} from '@etcd-ops/service-kit';
import { createUploaderService, uploaderSettings } from '@etcd-ops/uploader';
import { createWatcherService, watcherSettings } from '@etcd-ops/watcher';
import { applyClusters, type ClusterChanges } from './apply-clusters.ts';
import { createFinalDelta } from './final-delta.ts';

const DRAIN_TIMEOUT_MS = 30_000;
const ONCE_ATTEMPTS_MAX = 2;

/** `capture`: what one backup needs; `full`: without a watch, where there is no quorum that could answer one. */
export type ServiceSet = 'all' | 'capture' | 'full';

/** An existing NATS. */
export type NatsAccess = Omit<BusOptions, 'name'>;

export interface DaemonOptions {
  stateDir: string;
  clusters: readonly ClusterSpec[];
  /** All unless told. */
  services?: ServiceSet;
  /** A restore that is asked for over NATS writes only below these directories. */
  restoreRoots: readonly string[];
  /** What opens encrypted backups for restores, proofs and merges of this daemon. */
  identityFiles?: readonly string[] | undefined;
  /** Whom to tell of what failed. */
  notifications?: Notifications | undefined;
  /** Whose metrics are served beside our own. */
  metricsCompat?: MetricsCompat | undefined;
  logger: Logger;
  /** Where /livez, /readyz and /metrics are served; port 0 takes a free one. */
  http: { host: string; port: number };
  /** An existing NATS instead of the private one. */
  nats?: NatsAccess | undefined;
}

export interface Daemon extends AsyncDisposable {
  readonly bus: Bus;
  readonly natsUrl: string;
  readonly httpPort: number;
  /** From now on these clusters are cared for, and no others of ours. */
  apply(clusters: readonly ClusterSpec[]): Promise<ClusterChanges>;
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
  // A private server knows no clusters but ours; on a given one, others may look after theirs.
  const ours = new Set<string>();
  let current: string[] = [];
  const apply = async (clusters: readonly ClusterSpec[]): Promise<ClusterChanges> => {
    current = clusters.map(({ name }) => name);
    for (const name of current) ours.add(name);
    return await applyClusters(bus, clusters, (name, spec) => {
      if (spec?.managedBy === 'operator') return false;
      return options.nats === undefined || ours.has(name);
    });
  };
  await apply(options.clusters);

  const metrics = createMetrics('etcd-ops');
  serveCompatMetrics(metrics, options.metricsCompat ?? 'off');
  const context = await createServiceContext({ bus, logger, metrics, stateDir, spoolDir: join(stateDir, 'spool') });
  starting.use(context);
  // Of a private server also those that were added at run time: nobody else could make their last delta.
  const known = (): string[] => (options.nats === undefined ? context.clusters.all().map(({ name }) => name) : current);
  const finalDelta = createFinalDelta({ bus, clusters: known, logger });
  const services = servicesOf(context, finalDelta, options);
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
  const natsUrl = typeof nats.url === 'string' ? nats.url : nats.url.join(',');
  return { bus, natsUrl, httpPort: health.port, apply, ended, stop, [Symbol.asyncDispose]: stop };
}

/** In the order of the flow of data; stopped in reverse, so that nobody waits for one who has gone. */
function servicesOf(context: ServiceContext, finalDelta: Service, options: DaemonOptions): Service[] {
  const { services = 'all', restoreRoots, identityFiles = [] } = options;
  const settings = uploaderSettings.parse({});
  // Somebody waits for a single backup: after one repetition he hears why it failed.
  const attempts = services === 'all' ? settings.taskAttemptsMax : ONCE_ATTEMPTS_MAX;
  const uploader = createUploaderService(context, { ...settings, taskAttemptsMax: attempts });
  if (services === 'full') return [uploader, finalDelta];
  const watcher = createWatcherService(context, watcherSettings.parse({}));
  if (services === 'capture') return [uploader, finalDelta, watcher];
  return [
    uploader,
    createGarbageCollectorService(context, garbageCollectorSettings.parse({})),
    createMaintainerService(context, maintainerSettings.parse({})),
    createRestorerService(context, {
      ...restorerSettings.parse({}),
      restoreRoots: [...restoreRoots],
      identityFile: [...identityFiles],
    }),
    finalDelta,
    watcher,
    createSchedulerService(context, { ...schedulerSettings.parse({}), schedulerNotifications: options.notifications }),
  ];
}

async function startNats(resources: AsyncDisposableStack, stateDir: string): Promise<{ url: string; token: string }> {
  const server = await startPrivateServer({ stateDir });
  resources.defer(() => server.stop());
  return { url: server.url, token: server.token };
}
