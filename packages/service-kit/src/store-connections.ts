import type { ClusterSpec } from '@etcd-ops/bus';
import { openStore, STORE_OPERATIONS, STORE_PROVIDERS, type ObjectStore, type StoreMeter } from '@etcd-ops/core';
import type { Clock } from './clock.ts';
import type { Metrics } from './metrics.ts';

/** The stores of one process: each opened once, so that its connections and limits are shared, and metered. */
export class StoreConnections {
  readonly #meterOf: (provider: ClusterSpec['store']['provider']) => StoreMeter;
  readonly #clock: Clock;
  readonly #stores = new Map<string, Promise<ObjectStore>>();

  constructor({ metrics, clock }: { metrics: Metrics; clock: Clock }) {
    this.#clock = clock;
    this.#meterOf = createStoreMeters(metrics);
  }

  async open(spec: ClusterSpec['store']): Promise<ObjectStore> {
    const name = JSON.stringify(spec);
    let store = this.#stores.get(name);
    if (store === undefined) {
      store = openStore(spec, { meter: this.#meterOf(spec.provider), clock: this.#clock });
      this.#stores.set(name, store);
      // One that could not be opened may be later: credentials come, files are mounted.
      store.catch(() => this.#stores.delete(name));
    }
    return await store;
  }

  async close(): Promise<void> {
    const stores = await Promise.allSettled(this.#stores.values());
    this.#stores.clear();
    for (const store of stores) if (store.status === 'fulfilled') await store.value.close?.();
  }
}

export function createStoreMeters(metrics: Metrics): (provider: ClusterSpec['store']['provider']) => StoreMeter {
  const labels = { provider: STORE_PROVIDERS, operation: STORE_OPERATIONS } as const;
  const seconds = metrics.histogram({
    name: 'store_operation_seconds',
    help: 'How long operations on stores took, with their retries.',
    labels,
  });
  const failures = metrics.counter({
    name: 'store_failures_total',
    help: 'Operations on stores that failed, retries and all.',
    labels,
  });
  const bytes = metrics.counter({
    name: 'store_bytes_total',
    help: 'Bytes of objects that were written to stores or read from them.',
    labels,
  });
  const retries = metrics.counter({
    name: 'store_retries_total',
    help: 'Single requests to stores that failed and were tried again.',
    labels: { provider: STORE_PROVIDERS },
  });
  return (provider) => ({
    operated(operation, outcome, facts) {
      seconds.observe({ provider, operation }, facts.seconds);
      if (outcome === 'failed') failures.add({ provider, operation });
      if (facts.bytes > 0) bytes.add({ provider, operation }, facts.bytes);
    },
    retried: () => retries.add({ provider }),
  });
}
