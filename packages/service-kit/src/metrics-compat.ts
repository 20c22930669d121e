import { METRICS_PREFIX, type Metrics } from './metrics.ts';

/** Whose names are served beside our own. */
export const METRICS_COMPAT = ['off', 'seed', 'gardener'] as const;
export type MetricsCompat = (typeof METRICS_COMPAT)[number];

const KINDS = { full: 'Full', delta: 'Incr' } as const;
/** Exists in those tools and counts nothing here. */
const CHUNK = 'Chunk';

interface Names {
  gc: string;
  revision: string;
  timestamp: string;
  required: string;
  duration: string;
  defrag: string;
  deltas: string;
  deltaRevisions: string;
  failure: string;
  /** Of gardener alone. */
  restoration?: string;
}

export const COMPAT_NAMES: Readonly<Record<Exclude<MetricsCompat, 'off'>, Names>> = {
  seed: {
    gc: 'gc_total',
    revision: 'latest_revision',
    timestamp: 'latest_timestamp',
    required: 'required',
    duration: 'duration_seconds',
    defrag: 'defrag_duration_seconds',
    deltas: 'latest_deltas_total',
    deltaRevisions: 'latest_deltas_revisions_total',
    failure: 'failure',
  },
  gardener: {
    gc: 'etcdbr_snapshot_gc_total',
    revision: 'etcdbr_snapshot_latest_revision',
    timestamp: 'etcdbr_snapshot_latest_timestamp',
    required: 'etcdbr_snapshot_required',
    duration: 'etcdbr_snapshot_duration_seconds',
    defrag: 'etcdbr_defragmentation_duration_seconds',
    deltas: 'etcdbr_snapstore_latest_deltas_total',
    deltaRevisions: 'etcdbr_snapstore_latest_deltas_revisions_total',
    failure: 'etcdbr_snapshotter_failure',
    restoration: 'etcdbr_restoration_duration_seconds',
  },
};

/**
 * Serves, beside our own metrics, those of the seed tool or of gardener's etcd-backup-restore, translated at each scrape, so that
 * dashboards and alerts made for them keep working. Their tools look after one cluster a process and have no label for it; where this one
 * looks after several, each series has the label `cluster` as well.
 */
export function serveCompatMetrics(metrics: Metrics, compat: MetricsCompat): void {
  if (compat === 'off') return;
  metrics.append(async () => await new CompatPage(metrics, COMPAT_NAMES[compat]).render());
}

type LabelMap = Record<string, string>;

interface Sample {
  /** Of a histogram's series: `_bucket`, `_sum`, `_count`. */
  suffix: string;
  labels: LabelMap;
  value: number;
}

/** One scrape: our values, and the text that they become. */
class CompatPage {
  readonly #source: Metrics;
  readonly #names: Names;
  readonly #lines: string[] = [];
  readonly #samples = new Map<string, Sample[]>();

  constructor(source: Metrics, names: Names) {
    this.#source = source;
    this.#names = names;
  }

  async render(): Promise<string> {
    for (const metric of await this.#source.registry.getMetricsAsJSON()) {
      const samples = metric.values.map((value: { metricName?: string; labels: object; value: number }) => ({
        suffix: (value.metricName ?? metric.name).slice(metric.name.length),
        // The bounds of buckets are numbers.
        labels: Object.fromEntries(Object.entries(value.labels).map(([name, text]) => [name, String(text)])),
        value: value.value,
      }));
      this.#samples.set(metric.name, samples);
    }
    this.#gauges();
    this.#counters();
    this.#histograms();
    return `${this.#lines.join('\n')}\n`;
  }

  #gauges(): void {
    const { revision, timestamp, required, deltas, deltaRevisions } = this.#names;
    const ofKinds = (own: string): Sample[] => [
      ...Object.entries(KINDS).flatMap(([kind, said]) => this.#take(own, { kind }, { kind: said })),
      ...this.#perCluster({ kind: CHUNK }),
    ];
    this.#write(revision, 'gauge', 'Revision of the newest snapshot of a kind.', ofKinds('last_revision'));
    const made = ofKinds('last_success_timestamp_seconds');
    this.#write(timestamp, 'gauge', 'When the newest snapshot of a kind was made.', made);
    this.#write(required, 'gauge', '1 while etcd has revisions that no snapshot of the kind holds.', this.#required());
    this.#write(deltas, 'gauge', 'Deltas since the newest full.', this.#take('chain_deltas', {}, {}));
    const revisions = this.#take('chain_delta_revisions', {}, {});
    this.#write(deltaRevisions, 'gauge', 'Revisions in deltas since the newest full.', revisions);
  }

  /** A full stands for the deltas before it, too. */
  #required(): Sample[] {
    return this.#clusters().flatMap((cluster) => {
      const one = (own: string, labels: LabelMap = {}): number =>
        this.#find(own, { cluster, ...labels })[0]?.value ?? 0;
      const head = one('watcher_head_revision');
      const full = one('last_revision', { kind: 'full' });
      const stored = { full, delta: Math.max(full, one('last_revision', { kind: 'delta' })) };
      return [
        ...(['full', 'delta'] as const).map((kind) =>
          this.#sample(cluster, { kind: KINDS[kind] }, head > stored[kind] ? 1 : 0),
        ),
        this.#sample(cluster, { kind: CHUNK }, 0),
      ];
    });
  }

  #counters(): void {
    const { gc, failure } = this.#names;
    const collected = this.#clusters().flatMap((cluster) => {
      const sum = (own: string, labels: LabelMap): number =>
        this.#find(own, { cluster, ...labels }).reduce((all, { value }) => all + value, 0);
      return [
        ...Object.entries({ ...KINDS, chunk: CHUNK }).map(([kind, said]) =>
          this.#sample(cluster, { kind: said, succeeded: 'true' }, sum('gc_removed_total', { kind })),
        ),
        // Of which kind it was that the store refused to delete is not counted.
        this.#sample(cluster, { kind: KINDS.full, succeeded: 'false' }, sum('gc_refused_total', {})),
        ...[KINDS.delta, CHUNK].map((kind) => this.#sample(cluster, { kind, succeeded: 'false' }, 0)),
      ];
    });
    this.#write(gc, 'counter', 'Snapshots that retention removed.', collected);
    const failures = this.#find('task_failures_total', {}).filter(({ value }) => value > 0);
    this.#write(failure, 'counter', 'Attempts that failed, by the code of the failure.', [
      { suffix: '', labels: { error: '' }, value: 0 },
      ...failures.map(({ labels, value }) => ({ suffix: '', labels: { error: labels['code'] ?? '' }, value })),
    ]);
  }

  #histograms(): void {
    const { duration, defrag, restoration } = this.#names;
    const snapshots = Object.entries(KINDS).flatMap(([kind, said]) =>
      this.#take('task_duration_seconds', { kind }, { kind: said, succeeded: 'true' }),
    );
    this.#write(duration, 'histogram', 'How long snapshots took that were stored.', snapshots);
    const blocked = this.#take('defrag_duration_seconds', {}, { succeeded: 'true', endpoint: '' });
    this.#write(defrag, 'histogram', 'How long defragmentations of members took.', blocked);
    if (restoration === undefined) return;
    const restored = { restore: 'single_node', succeeded: 'true' };
    const restores = this.#take('task_duration_seconds', { kind: 'restore' }, restored);
    this.#write(restoration, 'histogram', 'How long restores took.', restores);
  }

  /** The samples of one of our metrics whose labels are those, with other labels. */
  #take(own: string, labels: LabelMap, as: LabelMap): Sample[] {
    return this.#find(own, labels).map(({ suffix, value, labels: { cluster, le } }) => {
      const sample = this.#sample(cluster ?? '', as, value);
      return { ...sample, suffix, labels: { ...sample.labels, ...(le === undefined ? {} : { le }) } };
    });
  }

  #find(own: string, wanted: LabelMap): Sample[] {
    const samples = this.#samples.get(METRICS_PREFIX + own) ?? [];
    return samples.filter(({ labels }) => Object.entries(wanted).every(([name, value]) => labels[name] === value));
  }

  #perCluster(labels: LabelMap): Sample[] {
    return this.#clusters().map((cluster) => this.#sample(cluster, labels, 0));
  }

  #clusters(): readonly string[] {
    return this.#source.clusters;
  }

  #sample(cluster: string, labels: LabelMap, value: number): Sample {
    return { suffix: '', labels: { ...labels, ...(this.#clusters().length > 1 ? { cluster } : {}) }, value };
  }

  #write(name: string, type: 'counter' | 'gauge' | 'histogram', help: string, samples: Sample[]): void {
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const { suffix, labels, value } of samples) {
      const said = Object.entries(labels).map(([label, text]) => `${label}=${JSON.stringify(text)}`);
      this.#lines.push(`${name}${suffix}${said.length === 0 ? '' : `{${said.join(',')}}`} ${value}`);
    }
  }
}
