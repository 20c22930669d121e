import type { ClusterSpec } from '@etcd-ops/bus';
import { isEtcdOpsError, type EtcdOpsError } from '@etcd-ops/core';
import { isDeepStrictEqual } from 'node:util';
import { systemClock, type Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { retry } from './retry.ts';

/** Where specs come from: the clusters bucket on the bus, or a list in a test. */
export interface SpecSource {
  /** All specs as they are now; of one that cannot be read, the reason. */
  list(): Promise<Map<string, ClusterSpec | EtcdOpsError>>;
  /** One spec as it is now, by the key that `watch` told of. Without it, everything is read at each change. */
  read?: (key: string) => Promise<ReadSpec>;
  /** Calls back whenever anything changed, until the signal is aborted; rejects when it cannot go on. Without a key: it may be anything. */
  watch(onChange: (key?: string) => void, signal: AbortSignal): Promise<void>;
}

export interface ReadSpec {
  name: string;
  /** `gone`: there is none (any more). An error: it does not follow its schema, or a later version wrote it. */
  spec: ClusterSpec | EtcdOpsError | 'gone';
}

export type ClusterChange =
  | { kind: 'added'; spec: ClusterSpec }
  | { kind: 'changed'; spec: ClusterSpec; previous: ClusterSpec }
  | { kind: 'removed'; spec: ClusterSpec };

export type ClusterListener = (change: ClusterChange) => void;

export interface ClusterRegistryOptions {
  source: SpecSource;
  logger: Logger;
  metrics?: Metrics;
  clock?: Clock;
  /** A full comparison as often as this, besides the watch: it heals whatever a watch can miss in an outage. */
  compareEveryMs?: number;
}

const COMPARE_EVERY_MS = 30_000;
/** Of a larger fleet, the comparison reads no more in a second than that of so many clusters. */
const COMPARED_AT_FULL_RATE = 100;
/** Changed specs that are read one by one; of more, all are read. */
const CHANGED_MAX = 1_000;

/**
 * The clusters under care, as the bus knows them. While the bus is away the last known specs stay in force, and a spec that cannot
 * be read keeps its last readable version: nobody's backup stops because of a typing error.
 */
export class ClusterRegistry {
  readonly #options: Required<Omit<ClusterRegistryOptions, 'metrics'>> & { metrics: Metrics | undefined };
  readonly #specs = new Map<string, ClusterSpec>();
  readonly #listeners = new Set<ClusterListener>();
  readonly #unreadable = new Set<string>();
  #comparing: Promise<void> | undefined;
  /** To be read when what is being read has been. */
  #wanted: 'all' | Set<string> = new Set();
  /** What changed may not have been read: everything is, soon. */
  #hasFailed = false;

  constructor(options: ClusterRegistryOptions) {
    this.#options = { clock: systemClock, compareEveryMs: COMPARE_EVERY_MS, ...options, metrics: options.metrics };
  }

  get(name: string): ClusterSpec | undefined {
    return this.#specs.get(name);
  }

  /** In the order of their names, so that everybody who goes through them does so alike. */
  all(): ClusterSpec[] {
    return [...this.#specs.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  get size(): number {
    return this.#specs.size;
  }

  /** Clusters whose newest spec cannot be read here. */
  get unreadable(): number {
    return this.#unreadable.size;
  }

  /** Tells the listener of every cluster known now as `added`, and of all changes from here on. Returns how to end it. */
  subscribe(listener: ClusterListener): () => void {
    this.#listeners.add(listener);
    for (const spec of this.all()) this.#tell(listener, { kind: 'added', spec });
    return () => this.#listeners.delete(listener);
  }

  /** Reads the specs once and applies the differences. @throws EtcdOpsError of the bus. */
  async refresh(): Promise<void> {
    const found = await this.#options.source.list();
    for (const [name, spec] of this.#specs) {
      if (!found.has(name)) this.#remove(spec);
    }
    for (const [name, spec] of found) {
      if (isEtcdOpsError(spec)) this.#noteUnreadable(name, spec);
      else this.#put(spec);
    }
  }

  /** Follows the source until the signal is aborted; outages are waited out. */
  async run(signal: AbortSignal): Promise<void> {
    const { source, clock, logger, compareEveryMs } = this.#options;
    const watching = retry(
      async () => {
        await source.watch((key) => this.#refreshSoon(key), signal);
        if (!signal.aborted) throw new Error('The watch of the clusters ended');
      },
      {
        signal,
        clock,
        shouldRetry: () => true,
        onRetry: ({ error, delayMs }) => logger.warn({ error, delayMs }, 'The watch of the clusters is opened again'),
      },
    ).catch(() => undefined);
    for (let turn = 0; !signal.aborted; turn++) {
      const turnsBetween = Math.max(1, Math.ceil(this.size / COMPARED_AT_FULL_RATE));
      if (this.#hasFailed || turn % turnsBetween === 0) this.#refreshSoon();
      await clock.sleep(compareEveryMs, signal).catch(() => undefined);
    }
    await watching;
    await this.#comparing;
  }

  /** One reading at a time; what is called for meanwhile comes with the next one. */
  #refreshSoon(key?: string): void {
    if (key === undefined || this.#options.source.read === undefined) this.#wanted = 'all';
    else if (this.#wanted !== 'all') this.#wanted = this.#wanted.size < CHANGED_MAX ? this.#wanted.add(key) : 'all';
    if (this.#comparing !== undefined) return;
    this.#comparing = this.#readWanted()
      .then(
        () => {
          this.#hasFailed = false;
        },
        (error: unknown) => {
          this.#hasFailed = true;
          this.#options.logger.warn({ error }, 'Could not read the clusters; the last known ones stay in force');
        },
      )
      .finally(() => {
        this.#comparing = undefined;
      });
  }

  async #readWanted(): Promise<void> {
    const { read } = this.#options.source;
    while (this.#wanted === 'all' || this.#wanted.size > 0) {
      const wanted = this.#wanted;
      this.#wanted = new Set();
      if (wanted === 'all' || read === undefined) {
        await this.refresh();
        continue;
      }
      for (const key of wanted) {
        const { name, spec } = await read(key);
        const known = this.#specs.get(name);
        if (isEtcdOpsError(spec)) this.#noteUnreadable(name, spec);
        else if (spec !== 'gone') this.#put(spec);
        else if (known !== undefined) this.#remove(known);
      }
    }
  }

  #put(spec: ClusterSpec): void {
    const previous = this.#specs.get(spec.name);
    this.#unreadable.delete(spec.name);
    if (previous !== undefined && isDeepStrictEqual(previous, spec)) return;
    this.#specs.set(spec.name, spec);
    this.#options.metrics?.addCluster(spec.name);
    this.#options.logger.info({ cluster: spec.name }, previous === undefined ? 'Cluster added' : 'Cluster changed');
    this.#tellAll(previous === undefined ? { kind: 'added', spec } : { kind: 'changed', spec, previous });
  }

  #remove(spec: ClusterSpec): void {
    this.#specs.delete(spec.name);
    this.#unreadable.delete(spec.name);
    this.#options.logger.info({ cluster: spec.name }, 'Cluster removed');
    this.#tellAll({ kind: 'removed', spec });
    this.#options.metrics?.removeCluster(spec.name);
  }

  #noteUnreadable(name: string, error: EtcdOpsError): void {
    if (this.#unreadable.has(name)) return;
    this.#unreadable.add(name);
    this.#options.logger.error(
      { cluster: name, kept: this.#specs.has(name), error },
      'The spec of a cluster cannot be read and is not applied',
    );
  }

  #tellAll(change: ClusterChange): void {
    for (const listener of [...this.#listeners]) this.#tell(listener, change);
  }

  #tell(listener: ClusterListener, change: ClusterChange): void {
    try {
      listener(change);
    } catch (error) {
      this.#options.logger.error(
        { error, cluster: change.spec.name, change: change.kind },
        'A listener failed on a change of clusters',
      );
    }
  }
}
