import type { Dashboard } from './dashboard.ts';

/** How is this cluster? */
export const CLUSTER_DASHBOARD: Dashboard = {
  uid: 'etcd-ops-cluster',
  title: 'etcd-ops: cluster',
  description: 'One cluster, or some: capture, repository, proofs, care.',
  variables: [{ name: 'cluster', label: 'Cluster', metric: 'etcdops_watcher_watching' }],
  rows: [
    {
      title: 'Capture',
      panels: [
        {
          title: 'Revisions: etcd, NATS, store',
          description:
            'The head of etcd, what NATS has acknowledged, what is in the repository. They should lie on each other.',
          type: 'timeseries',
          unit: 'short',
          queries: [
            ['max by (cluster) (etcdops_watcher_head_revision{cluster=~"$cluster"})', '{{cluster}} etcd'],
            ['max by (cluster) (etcdops_watcher_captured_revision{cluster=~"$cluster"})', '{{cluster}} NATS'],
            ['max by (cluster) (etcdops_last_revision{cluster=~"$cluster"})', '{{cluster}} store'],
          ],
        },
        {
          title: 'Lag of capture',
          description: 'Age of the oldest change that NATS does not hold.',
          type: 'timeseries',
          unit: 's',
          thresholds: { warn: 10, bad: 60 },
          queries: [['max by (cluster) (etcdops_watcher_lag_seconds{cluster=~"$cluster"})', '{{cluster}}']],
        },
        {
          title: 'Time to the acknowledgement',
          description: 'From the receipt of a change to its place in NATS, 99 of 100.',
          type: 'timeseries',
          unit: 's',
          queries: [
            [
              'histogram_quantile(0.99, sum by (cluster, le) (rate(etcdops_watcher_acknowledged_seconds_bucket{cluster=~"$cluster"}[5m])))',
              '{{cluster}}',
            ],
          ],
        },
        {
          title: 'Event stream',
          description: 'Share of its limit that is in use. When it is full, capture waits.',
          type: 'timeseries',
          unit: 'percentunit',
          thresholds: { warn: 0.5, bad: 0.8 },
          queries: [
            [
              'max by (cluster) (etcdops_events_stream_bytes{cluster=~"$cluster"}) / max by (cluster) (etcdops_events_stream_limit_bytes{cluster=~"$cluster"} > 0)',
              '{{cluster}}',
            ],
          ],
        },
      ],
    },
    {
      title: 'Repository',
      panels: [
        {
          title: 'Last success',
          description: 'Of each kind of task.',
          type: 'table',
          unit: 'dateTimeFromNow',
          queries: [
            ['max by (cluster, kind) (etcdops_last_success_timestamp_seconds{cluster=~"$cluster"} > 0) * 1000', ''],
          ],
        },
        {
          title: 'Next tick',
          description: 'When each schedule comes next.',
          type: 'table',
          unit: 'dateTimeFromNow',
          queries: [
            ['max by (cluster, kind) (etcdops_next_tick_timestamp_seconds{cluster=~"$cluster"} > 0) * 1000', ''],
          ],
        },
        {
          title: 'Chain since the newest full',
          description: 'Bytes of deltas that a restore has to replay.',
          type: 'timeseries',
          unit: 'bytes',
          queries: [['max by (cluster) (etcdops_chain_delta_bytes{cluster=~"$cluster"})', '{{cluster}}']],
        },
        {
          title: 'Size of the last full',
          description: 'As it lies in the store.',
          type: 'timeseries',
          unit: 'bytes',
          queries: [['max by (cluster) (etcdops_last_bytes{cluster=~"$cluster",kind="full"})', '{{cluster}}']],
        },
        {
          title: 'Duration of the last task',
          description: 'By kind.',
          type: 'timeseries',
          unit: 's',
          queries: [
            ['max by (cluster, kind) (etcdops_last_duration_seconds{cluster=~"$cluster"})', '{{cluster}} {{kind}}'],
          ],
        },
        {
          title: 'Removed by retention',
          description: 'Bytes, by why.',
          type: 'timeseries',
          unit: 'bytes',
          queries: [
            [
              'sum by (cluster, cause) (increase(etcdops_gc_removed_bytes_total{cluster=~"$cluster"}[1h]))',
              '{{cluster}} {{cause}}',
            ],
          ],
        },
      ],
    },
    {
      title: 'Proof',
      panels: [
        {
          title: 'Last proof of a chain, by what came of it',
          description: 'open: something to compare with was missing. failed: see the runbook.',
          type: 'table',
          unit: 'dateTimeFromNow',
          queries: [
            ['max by (cluster, verdict) (etcdops_last_proof_timestamp_seconds{cluster=~"$cluster"} > 0) * 1000', ''],
          ],
        },
        {
          title: 'What a restore takes',
          description: 'Measured: the newest restore of a chain in scratch space.',
          type: 'timeseries',
          unit: 's',
          queries: [['max by (cluster) (etcdops_chain_restore_seconds{cluster=~"$cluster"} > 0)', '{{cluster}}']],
        },
      ],
    },
    {
      title: 'Care of etcd',
      panels: [
        {
          title: 'Blocked by defragmentation',
          description: 'Mean time that a member did not answer.',
          type: 'timeseries',
          unit: 's',
          queries: [
            [
              'sum by (cluster) (rate(etcdops_defrag_duration_seconds_sum{cluster=~"$cluster"}[1d])) / sum by (cluster) (rate(etcdops_defrag_duration_seconds_count{cluster=~"$cluster"}[1d]) > 0)',
              '{{cluster}}',
            ],
          ],
        },
        {
          title: 'Reclaimed by defragmentation',
          description: 'Bytes by which the files of members shrank within a day.',
          type: 'timeseries',
          unit: 'bytes',
          queries: [
            [
              'sum by (cluster) (increase(etcdops_defrag_reclaimed_bytes_total{cluster=~"$cluster"}[1d]))',
              '{{cluster}}',
            ],
          ],
        },
      ],
    },
  ],
};
