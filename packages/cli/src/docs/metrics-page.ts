import { COMPAT_NAMES, type LabelValues, type MetricDescription } from '@etcd-ops/service-kit';
import { declaredMetrics } from './declared-metrics.ts';

/** Above so many values they are not listed. */
const VALUES_MAX = 12;

const HEAD = `# Metrics

<!-- made by packages/cli/src/docs/write-docs.ts: change the declarations in the code, and run it -->

\`GET /metrics\` of every process, in the text format of Prometheus; \`snapshot\`, \`up\` and each service serve it where \`--http\` or \`ETCD_OPS_HTTP_HOST\` and
\`ETCD_OPS_HTTP_PORT\` say. Beside what stands here there are \`process_*\` and \`nodejs_*\` of the process.

- Durations are seconds, sizes bytes, moments seconds since 1970. Counters end in \`_total\`.
- Labels are bounded: \`cluster\` has the clusters under care, each other one the values below. What alerts and rates need exists from the start, at zero;
  what is of a cluster that a process does not capture, of tasks that it does not work off, and histograms of clusters begin with their first value. Series of a removed cluster go away.
- A moment of 0 is "never".
- Replicas: what the scheduler tells of tasks comes out of the history on NATS, so that all schedulers say the same, also after a restart: take \`max by (cluster, kind)\`. What others
  count, they count for themselves: take \`sum by (cluster)\`.
- Alerts: \`deploy/prometheus/alerts.yml\`; dashboards: \`deploy/grafana/dashboards\`; what to do: [OPERATIONS.md](OPERATIONS.md#seeing-it).
`;

const COMPAT_HEAD = `
## Names of other tools

With \`--metrics-compat seed|gardener\`, \`metricsCompat\` in the file of \`up\`, or \`ETCD_OPS_METRICS_COMPAT\`, a process serves beside its own metrics those of the seed tool or of gardener's
etcd-backup-restore, so that dashboards and alerts made for them go on. Kinds are \`Full\`, \`Incr\` and \`Chunk\` (always 0). Those tools look after one cluster; where a process looks after several,
each series has the label \`cluster\` as well. They come from our own at each scrape, so a process has those whose sources it has: \`snapshot\` and \`up\` all of them, of single services the scheduler most.

| ours | seed | gardener |
|---|---|---|
`;

const COMPAT_FOOT = `
What differs: \`failure\` is labelled with the code of the failure, not its text, which would make a series of each; failed attempts are not in the durations; the bounds of the buckets are ours; refused deletions
are counted under \`Full\`. Not served, since nothing here does or measures it: cluster size and learners, adding and removing members, validation of a data directory, network bytes.
`;

/** docs/METRICS.md. */
export function metricsPage(): string {
  const sections = declaredMetrics().map(({ who, metrics }) => {
    const rows = metrics.map(
      (metric) => `| \`${metric.name}\` | ${metric.type} | ${labelsOf(metric)} | ${metric.help} |\n`,
    );
    return `\n## ${who}\n\n| metric | type | labels | what |\n|---|---|---|---|\n${rows.join('')}`;
  });
  return `${HEAD}${sections.join('')}${COMPAT_HEAD}${compatRows()}${COMPAT_FOOT}`;
}

function labelsOf({ labels }: MetricDescription): string {
  return Object.entries(labels)
    .map(([name, values]) => `\`${name}\`${valuesOf(name, values)}`)
    .join('; ');
}

function valuesOf(name: string, values: LabelValues): string {
  if (typeof values === 'string') return '';
  if (values.length > VALUES_MAX) return name === 'code' ? ': the codes of failures' : `: ${values.length} values`;
  return `: ${values.join(', ')}`;
}

function compatRows(): string {
  const { seed, gardener } = COMPAT_NAMES;
  const rows = [
    ['last_revision', seed.revision, gardener.revision],
    ['last_success_timestamp_seconds', seed.timestamp, gardener.timestamp],
    ['watcher_head_revision > last_revision', seed.required, gardener.required],
    ['task_duration_seconds', seed.duration, gardener.duration],
    ['gc_removed_total, gc_refused_total', seed.gc, gardener.gc],
    ['chain_deltas', seed.deltas, gardener.deltas],
    ['chain_delta_revisions', seed.deltaRevisions, gardener.deltaRevisions],
    ['task_failures_total', seed.failure, gardener.failure],
    ['defrag_duration_seconds', seed.defrag, gardener.defrag],
    ['task_duration_seconds{kind="restore"}', '', gardener.restoration ?? ''],
  ];
  return rows
    .map(
      ([ours, ...theirs]) =>
        `| \`${ours}\` | ${theirs.map((name) => (name === '' ? '' : `\`${name}\``)).join(' | ')} |\n`,
    )
    .join('');
}
