import type { Dashboard } from './dashboard.ts';

/** Is every cluster backed up? */
export const FLEET_DASHBOARD: Dashboard = {
  uid: 'etcd-ops-fleet',
  title: 'etcd-ops: fleet',
  description: 'All clusters at a glance; the worst ones first.',
  variables: [],
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Clusters under care',
          description: 'As the processes know them.',
          type: 'stat',
          unit: 'short',
          width: 6,
          queries: [['max(etcdops_clusters)', 'clusters']],
        },
        {
          title: 'Clusters that are captured',
          description:
            'Fewer than are under care, without those whose deltas are turned off: look at EtcdOpsNotCaptured.',
          type: 'stat',
          unit: 'short',
          width: 6,
          queries: [['sum(max by (cluster) (etcdops_watcher_watching))', 'captured']],
        },
        {
          title: 'Oldest full',
          description: 'Age of the full of the cluster whose last one is the longest ago.',
          type: 'stat',
          unit: 's',
          width: 6,
          thresholds: { warn: 90_000, bad: 180_000 },
          queries: [
            ['max(time() - max by (cluster) (etcdops_last_success_timestamp_seconds{kind="full"} > 0))', 'oldest'],
          ],
        },
        {
          title: 'Alerts that fire',
          description: 'Of deploy/prometheus/alerts.yml; each has its runbook.',
          type: 'stat',
          unit: 'short',
          width: 6,
          thresholds: { warn: 1, bad: 1 },
          queries: [['count(ALERTS{alertname=~"EtcdOps.*",alertstate="firing"}) or vector(0)', 'firing']],
        },
      ],
    },
    {
      title: 'What would be lost',
      panels: [
        {
          title: 'Changes not yet in NATS',
          description: 'Age of the oldest change that only etcd has; the ten worst.',
          type: 'timeseries',
          unit: 's',
          thresholds: { warn: 10, bad: 60 },
          queries: [['topk(10, max by (cluster) (etcdops_watcher_lag_seconds))', '{{cluster}}']],
        },
        {
          title: 'Revisions not yet in the store',
          description: 'Captured, and waiting in NATS for the next delta; the ten worst.',
          type: 'timeseries',
          unit: 'short',
          queries: [
            [
              'topk(10, max by (cluster) (etcdops_watcher_captured_revision) - on (cluster) max by (cluster) (etcdops_last_revision))',
              '{{cluster}}',
            ],
          ],
        },
        {
          title: 'Age of the last full',
          description: 'A restore starts from it and replays the deltas behind it.',
          type: 'timeseries',
          unit: 's',
          thresholds: { warn: 90_000, bad: 180_000 },
          queries: [
            [
              'topk(10, time() - max by (cluster) (etcdops_last_success_timestamp_seconds{kind="full"} > 0))',
              '{{cluster}}',
            ],
          ],
        },
        {
          title: 'Age of the last good proof',
          description: 'Since a chain was rebuilt and found to be what the cluster held.',
          type: 'timeseries',
          unit: 's',
          thresholds: { warn: 172_800, bad: 691_200 },
          queries: [
            [
              'topk(10, time() - max by (cluster) (etcdops_last_proof_timestamp_seconds{verdict="ok"} > 0))',
              '{{cluster}}',
            ],
          ],
        },
      ],
    },
    {
      title: 'What goes wrong',
      panels: [
        {
          title: 'Attempts that failed',
          description: 'By the code of the failure; docs/OPERATIONS.md says what to do for each.',
          type: 'timeseries',
          unit: 'short',
          queries: [['sum by (code) (increase(etcdops_task_failures_total[5m])) > 0', '{{code}}']],
        },
        {
          title: 'Tasks given up',
          description: 'Failed in all attempts, by kind.',
          type: 'timeseries',
          unit: 'short',
          thresholds: { warn: 1, bad: 5 },
          queries: [['sum by (kind) (increase(etcdops_tasks_total{result="dead"}[15m]))', '{{kind}}']],
        },
        {
          title: 'Histories that began within a day',
          description: 'gap: revisions are lost; fork: the cluster was restored or replaced.',
          type: 'table',
          unit: 'dateTimeFromNow',
          queries: [
            [
              'max by (cluster, cause) (etcdops_last_start_timestamp_seconds{cause=~"gap|fork"}) * 1000 > (time() - 86400) * 1000',
              '',
            ],
          ],
        },
        {
          title: 'Proofs that failed last',
          description: 'Clusters whose newest proof, of a chain or of an edge, failed.',
          type: 'table',
          unit: 'dateTimeFromNow',
          queries: [
            [
              'max by (cluster) (etcdops_last_proof_timestamp_seconds{verdict="failed"}) * 1000 > max by (cluster) (etcdops_last_proof_timestamp_seconds{verdict="ok"}) * 1000',
              '',
            ],
            [
              'max by (cluster) (etcdops_last_edge_timestamp_seconds{verdict="failed"}) * 1000 > max by (cluster) (etcdops_last_edge_timestamp_seconds{verdict="ok"}) * 1000',
              '',
            ],
          ],
        },
      ],
    },
    {
      title: 'How much',
      panels: [
        {
          title: 'Written by the clusters',
          description: 'Bytes of rows captured; the ten busiest.',
          type: 'timeseries',
          unit: 'Bps',
          queries: [['topk(10, sum by (cluster) (rate(etcdops_watcher_bytes_total[5m])))', '{{cluster}}']],
        },
        {
          title: 'Written to the stores and read from them',
          description: 'By operation: what traffic costs.',
          type: 'timeseries',
          unit: 'Bps',
          queries: [
            ['sum by (provider, operation) (rate(etcdops_store_bytes_total[5m]))', '{{provider}} {{operation}}'],
          ],
        },
      ],
    },
  ],
};
