import { mkdir } from 'node:fs/promises';
import type { Bus, ClusterSpec } from '@etcd-ops/bus';
import { EtcdOpsError, type ObjectStore } from '@etcd-ops/core';
import { busSpecSource } from './bus-spec-source.ts';
import { ClusterRegistry } from './cluster-registry.ts';
import { systemClock, type Clock } from './clock.ts';
import { EtcdConnections } from './etcd-connections.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { StoreConnections } from './store-connections.ts';

/** What every service is given. One per process: all services in it share the connections. */
export interface ServiceContext extends AsyncDisposable {
  readonly bus: Bus;
  /** Where people ask, and restores are queued: an account of its own, or the same bus. */
  readonly ops: Bus;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly clusters: ClusterRegistry;
  readonly etcd: EtcdConnections;
  readonly openStore: (spec: ClusterSpec['store']) => Promise<ObjectStore>;
  /** What must outlive the process. */
  readonly stateDir: string;
  /** What need not: files on their way. */
  readonly spoolDir: string;
}

export interface ServiceContextOptions {
  bus: Bus;
  /** Default: `bus`. */
  ops?: Bus | undefined;
  logger: Logger;
  metrics: Metrics;
  stateDir: string;
  spoolDir: string;
  clock?: Clock;
}

/**
 * Makes the directories, reads the clusters and follows them until the context is disposed. The buses stay their owner's.
 * @throws EtcdOpsError DISK_FAILED, or that of the bus when the clusters cannot be read for the first time.
 */
export async function createServiceContext(options: ServiceContextOptions): Promise<ServiceContext> {
  const { bus, logger, metrics, clock = systemClock } = options;
  for (const directory of [options.stateDir, options.spoolDir]) {
    await mkdir(directory, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
      throw new EtcdOpsError('DISK_FAILED', { message: `Cannot make the directory ${directory}`, cause });
    });
  }
  const clusters = new ClusterRegistry({ source: busSpecSource(bus), logger, metrics, clock });
  await clusters.refresh();
  const stop = new AbortController();
  const following = clusters.run(stop.signal);
  const etcd = new EtcdConnections({ logger });
  const stores = new StoreConnections({ metrics, clock });
  const unsubscribe = clusters.subscribe((change) => {
    if (change.kind === 'removed') etcd.forget(change.spec.name);
  });
  const stopMeasuring = measure(metrics, { core: bus, ops: options.ops ?? bus }, clusters);
  return {
    bus,
    ops: options.ops ?? bus,
    logger,
    metrics,
    clock,
    clusters,
    etcd,
    openStore: async (spec) => await stores.open(spec),
    stateDir: options.stateDir,
    spoolDir: options.spoolDir,
    async [Symbol.asyncDispose]() {
      stopMeasuring();
      unsubscribe();
      stop.abort();
      await following;
      await etcd.close();
      await stores.close();
    },
  };
}

/** What every process tells of its surroundings. */
export function createContextMetrics(metrics: Metrics) {
  return {
    connected: metrics.gauge({
      name: 'nats_connected',
      help: '1 while the connection to NATS is there; core and ops are the two accounts, or the same one.',
      labels: { account: ['core', 'ops'] },
    }),
    unreadable: metrics.gauge({
      name: 'clusters_unreadable',
      help: 'Clusters whose spec this process cannot read, since a newer version wrote it: it goes on with the last one that it could.',
      labels: {},
    }),
    clusters: metrics.gauge({ name: 'clusters', help: 'Clusters under care, as this process knows them.', labels: {} }),
  };
}

function measure(metrics: Metrics, buses: Record<'core' | 'ops', Bus>, clusters: ClusterRegistry): () => void {
  const gauges = createContextMetrics(metrics);
  return metrics.onScrape(() => {
    gauges.connected.set({ account: 'core' }, buses.core.connected ? 1 : 0);
    gauges.connected.set({ account: 'ops' }, buses.ops.connected ? 1 : 0);
    gauges.clusters.set({}, clusters.size);
    gauges.unreadable.set({}, clusters.unreadable);
  });
}
