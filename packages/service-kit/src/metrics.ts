import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { etcdOpsVersion } from './version.ts';

export const METRICS_PREFIX = 'etcdops_';

/**
 * A label's possible values; `cluster` stands for the clusters of the fleet and `destination` for those of a cluster's spec: these two come and go.
 * A metric with `destination` is set anew at each scrape, after a `reset`.
 */
export type LabelValues = readonly string[] | 'cluster' | 'destination';
export type Labels = Readonly<Record<string, LabelValues>>;
export type LabelsOf<L extends Labels> = {
  [Name in keyof L]: L[Name] extends readonly string[] ? L[Name][number] : string;
};

export interface MetricOptions<L extends Labels> {
  /** Without the prefix. Counters end in `_total`, durations in `_seconds`, sizes in `_bytes`. */
  name: string;
  help: string;
  labels: L;
  /**
   * Which series exist before they have a value. `all`, the default of counters and gauges: every one of every cluster. `expected`, and
   * that of histograms: those that were asked for with `expect`. A thousand clusters times all of a metric's values fill a memory.
   */
  zeros?: 'all' | 'expected';
}

interface Expecting<L extends Labels> {
  /** The series with these values begin at zero: of one cluster, or without `cluster` of each that is and will be under care. */
  expect(labels: Partial<LabelsOf<L>>): void;
}

export interface CounterMetric<L extends Labels> extends Expecting<L> {
  add(labels: LabelsOf<L>, value?: number): void;
}
export interface GaugeMetric<L extends Labels> extends Expecting<L> {
  set(labels: LabelsOf<L>, value: number): void;
  /** Forgets all its series. */
  reset(): void;
}
export interface HistogramMetric<L extends Labels> {
  observe(labels: LabelsOf<L>, value: number): void;
}

/** Seconds, from a quick call to a large restore. */
export const DURATION_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];

/** What is known of a metric without any value: for documents, and for tests of what names it. */
export interface MetricDescription {
  name: string;
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  labels: Labels;
}

interface Registered {
  help: string;
  labels: Labels;
  series: { zero(labels: Record<string, string>): void; remove(labels: Record<string, string>): void };
  /** Those with these values exist for every cluster. */
  expected: Record<string, string>[];
  /** What `counter`, `gauge` or `histogram` answered, for the next service that asks for the same one. */
  facade: unknown;
  kind: 'counter' | 'gauge' | 'histogram';
}

/**
 * The metrics of one process, however many services share it. Every label is bounded: what alerts and rates need exists, at zero, from
 * the moment when metric and cluster are known, and a removed cluster's series go away.
 */
export class Metrics {
  readonly registry: Registry;
  readonly #metrics = new Map<string, Registered>();
  readonly #clusters = new Set<string>();
  readonly #collectors = new Set<() => Promise<void> | void>();
  /** More text behind our own metrics: names that other tools expect. */
  #appendix: (() => Promise<string>) | undefined;

  constructor(registry: Registry) {
    this.registry = registry;
  }

  counter<const L extends Labels>(options: MetricOptions<L>): CounterMetric<L> {
    return this.#register('counter', options, (base, expect) => {
      const counter = new Counter(base);
      return {
        series: { zero: (labels) => counter.inc(labels, 0), remove: (labels) => counter.remove(labels) },
        facade: {
          expect,
          add: (labels: LabelsOf<L>, value = 1) => counter.inc(checked(base.name, options.labels, labels), value),
        },
      };
    });
  }

  gauge<const L extends Labels>(options: MetricOptions<L>): GaugeMetric<L> {
    return this.#register('gauge', options, (base, expect) => {
      const gauge = new Gauge(base);
      return {
        // One that was expected again keeps its value.
        series: { zero: (labels) => gauge.inc(labels, 0), remove: (labels) => gauge.remove(labels) },
        facade: {
          expect,
          set: (labels: LabelsOf<L>, value: number) => gauge.set(checked(base.name, options.labels, labels), value),
          reset: () => gauge.reset(),
        },
      };
    });
  }

  histogram<const L extends Labels>(options: MetricOptions<L> & { buckets?: number[] }): HistogramMetric<L> {
    return this.#register('histogram', options, (base) => {
      const histogram = new Histogram({ ...base, buckets: options.buckets ?? DURATION_BUCKETS });
      return {
        series: { zero: (labels) => histogram.zero(labels), remove: (labels) => histogram.remove(labels) },
        facade: {
          observe: (labels: LabelsOf<L>, value: number) =>
            histogram.observe(checked(base.name, options.labels, labels), value),
        },
      };
    });
  }

  /** Makes every series of a cluster exist. A series of a cluster that was never added is made by its first value. */
  addCluster(cluster: string): void {
    if (this.#clusters.has(cluster)) return;
    this.#clusters.add(cluster);
    for (const { labels, series, expected } of this.#metrics.values()) {
      if (!hasCluster(labels)) continue;
      for (const wanted of expected) for (const values of combinations(labels, [cluster], wanted)) series.zero(values);
    }
  }

  removeCluster(cluster: string): void {
    this.#clusters.delete(cluster);
    for (const { labels, series } of this.#metrics.values()) {
      if (hasCluster(labels)) for (const values of combinations(labels, [cluster])) series.remove(values);
    }
  }

  /** Called at each scrape, for gauges whose values nobody tells; one that fails leaves the old values. Returns how to stop that. */
  onScrape(collect: () => Promise<void> | void): () => void {
    this.#collectors.add(collect);
    return () => this.#collectors.delete(collect);
  }

  append(appendix: () => Promise<string>): void {
    this.#appendix = appendix;
  }

  /** The text that Prometheus reads. */
  async exposition(): Promise<string> {
    await Promise.allSettled([...this.#collectors].map(async (collect) => await collect()));
    return (await this.registry.metrics()) + ((await this.#appendix?.()) ?? '');
  }

  /** Those that were added. */
  get clusters(): readonly string[] {
    return [...this.#clusters];
  }

  describe(): MetricDescription[] {
    return [...this.#metrics].map(([name, { kind: type, help, labels }]) => ({ name, type, help, labels }));
  }

  #register<Facade>(
    kind: Registered['kind'],
    options: MetricOptions<Labels>,
    create: (
      base: { name: string; help: string; labelNames: string[]; registers: Registry[] },
      expect: (labels: Partial<Record<string, string>>) => void,
    ) => { series: Registered['series']; facade: Facade },
  ): Facade {
    const name = METRICS_PREFIX + options.name;
    const known = this.#metrics.get(name);
    if (known !== undefined) {
      if (known.kind !== kind || JSON.stringify(known.labels) !== JSON.stringify(options.labels)) {
        throw new Error(`The metric ${name} is already there with other labels`);
      }
      return known.facade as Facade;
    }
    const { help, labels, zeros = kind === 'histogram' && hasCluster(labels) ? 'expected' : 'all' } = options;
    const base = { name, help, labelNames: Object.keys(labels), registers: [this.registry] };
    const { series, facade } = create(base, (wanted) => this.#expect(name, wanted));
    this.#metrics.set(name, { kind, help, labels, series, expected: [], facade });
    if (zeros === 'all') this.#expect(name, {});
    return facade;
  }

  #expect(name: string, wanted: Partial<Record<string, string>>): void {
    const { labels, series, expected } = this.#metrics.get(name)!;
    const { cluster, ...rest } = wanted as Record<string, string>;
    if (cluster === undefined) expected.push(rest);
    const clusters = cluster === undefined ? [...this.#clusters] : [cluster];
    for (const values of combinations(labels, clusters, rest)) series.zero(values);
  }
}

/** Its labels are facts of the build, one series a process. */
export const BUILD_INFO: MetricDescription = {
  name: `${METRICS_PREFIX}build_info`,
  type: 'gauge',
  help: 'Always 1; the labels tell what runs here.',
  labels: { name: ['of the process'], version: ['of etcd-ops'], node: ['of Node.js'] },
};

/** One registry for the process, with the build's facts and the process's own metrics (CPU, memory, event loop). */
export function createMetrics(name: string): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const buildInfo = new Gauge({
    name: BUILD_INFO.name,
    help: BUILD_INFO.help,
    labelNames: Object.keys(BUILD_INFO.labels),
    registers: [registry],
  });
  buildInfo.set({ name, version: etcdOpsVersion(), node: process.versions.node }, 1);
  return new Metrics(registry);
}

function hasCluster(labels: Labels): boolean {
  return Object.values(labels).includes('cluster');
}

/** Of those that `wanted` names a value of, that one only. */
function combinations(
  labels: Labels,
  clusters: readonly string[],
  wanted: Readonly<Record<string, string>> = {},
): Record<string, string>[] {
  let rows: Record<string, string>[] = [{}];
  for (const [name, values] of Object.entries(labels)) {
    const only = wanted[name];
    const choices = only === undefined ? valuesOf(values, clusters) : [only];
    rows = rows.flatMap((row) => choices.map((value) => ({ ...row, [name]: value })));
  }
  return rows;
}

function valuesOf(values: LabelValues, clusters: readonly string[]): readonly string[] {
  if (values === 'cluster') return clusters;
  return values === 'destination' ? [] : values;
}

/** A value outside a label's list is a bug, and would make the number of series unbounded. */
function checked(metric: string, labels: Labels, values: Record<string, string>): Record<string, string> {
  for (const [name, allowed] of Object.entries(labels)) {
    const value = values[name];
    if (value === undefined || (typeof allowed !== 'string' && !allowed.includes(value))) {
      throw new Error(`${metric}: ${name}=${value} is not one of its values`);
    }
  }
  return values;
}
