import { owners, OWNER_TTL_MS, watcherKey, WATCHERS_PREFIX, type Bus } from '@etcd-ops/bus';
import { describeError } from '@etcd-ops/core';
import { retry, type Clock, type Logger } from '@etcd-ops/service-kit';

export interface FleetOptions {
  bus: Bus;
  /** Of this process. */
  watcher: string;
  /** How often this one says that it lives. */
  renewMs: number;
  clock: Clock;
  logger: Logger;
  /** Never goes back, in milliseconds. */
  monotonicMs?: () => number;
}

/**
 * The watchers that live, as they tell each other in the bucket of owners: how many share the clusters, and at once when one
 * says that it goes. Like ownership itself it only spreads the work: what it tells may be old.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #monotonicMs: () => number;
  /** When each other one was heard of last. Expiry is not told to who watches a bucket. */
  readonly #heardMs = new Map<string, number>();
  readonly #listeners = new Set<() => void>();

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
  }

  /** This one included. */
  get size(): number {
    const oldest = this.#monotonicMs() - OWNER_TTL_MS;
    for (const [watcher, heard] of this.#heardMs) if (heard < oldest) this.#heardMs.delete(watcher);
    return this.#heardMs.size + 1;
  }

  /** Calls `listener` when a watcher has said that it goes; returns how to stop that. */
  onDeparture(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Until the signal is aborted; `depart` comes behind it, when all clusters were given back. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#tell(signal), this.#listen(signal)]);
  }

  async depart(): Promise<void> {
    const { bus, watcher } = this.#options;
    await owners(bus)
      .delete(watcherKey(watcher))
      .catch(() => undefined);
  }

  async #tell(signal: AbortSignal): Promise<void> {
    const { bus, watcher, renewMs, clock, logger } = this.#options;
    const value = { version: 1, watcher, since: new Date(clock.now()).toISOString() } as const;
    while (!signal.aborted) {
      await owners(bus)
        .put(watcherKey(watcher), value)
        .catch((error: unknown) =>
          logger.debug({ reason: describeError(error) }, 'The other watchers could not be told'),
        );
      await clock.sleep(renewMs, signal).catch(() => undefined);
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { bus, watcher, clock, logger } = this.#options;
    const own = watcherKey(watcher);
    const follow = async (): Promise<void> => {
      for await (const change of owners(bus).watch({ prefix: WATCHERS_PREFIX, signal })) {
        const key = change.kind === 'put' ? change.entry.key : change.key;
        if (key === own) continue;
        if (change.kind === 'put') this.#heardMs.set(key, this.#monotonicMs());
        else if (this.#heardMs.delete(key)) for (const listener of this.#listeners) listener();
      }
      if (!signal.aborted) throw new Error('The watch of the bucket ended');
    };
    await retry(follow, {
      signal,
      clock,
      shouldRetry: () => true,
      onRetry: ({ error }) => logger.debug({ reason: describeError(error) }, 'The other watchers are followed anew'),
    }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
