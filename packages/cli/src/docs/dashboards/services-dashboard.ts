import type { Dashboard } from './dashboard.ts';

/** How are the processes, the queue, NATS and the stores? */
export const SERVICES_DASHBOARD: Dashboard = {
  uid: 'etcd-ops-services',
  title: 'etcd-ops: services',
  description: 'Processes, queue, NATS and stores.',
  variables: [{ name: 'instance', label: 'Instance', metric: 'etcdops_build_info' }],
  rows: [
    {
      title: 'Processes',
      panels: [
        {
          title: 'What runs',
          description: 'Each process with its version.',
          type: 'table',
          unit: 'short',
          queries: [['sum by (instance, name, version, node) (etcdops_build_info{instance=~"$instance"})', '']],
        },
        {
          title: 'Connected to NATS',
          description: 'Below 1 a process waits; nothing is lost, but nothing happens either.',
          type: 'timeseries',
          unit: 'short',
          thresholds: { warn: 1, bad: 1, below: true },
          queries: [
            ['min by (instance, account) (etcdops_nats_connected{instance=~"$instance"})', '{{instance}} {{account}}'],
          ],
        },
        {
          title: 'Memory',
          description: 'Resident.',
          type: 'timeseries',
          unit: 'bytes',
          queries: [['process_resident_memory_bytes{instance=~"$instance"}', '{{instance}}']],
        },
        {
          title: 'Processor',
          description: 'Cores in use.',
          type: 'timeseries',
          unit: 'short',
          queries: [['rate(process_cpu_seconds_total{instance=~"$instance"}[5m])', '{{instance}}']],
        },
      ],
    },
    {
      title: 'Work',
      panels: [
        {
          title: 'Tasks in the queue',
          description: 'Waiting or being worked on. A kind that only grows has no worker.',
          type: 'timeseries',
          unit: 'short',
          queries: [['max by (kind) (etcdops_queue_tasks)', '{{kind}}']],
        },
        {
          title: 'Tasks at work',
          description: 'By kind, over all processes.',
          type: 'timeseries',
          unit: 'short',
          queries: [['sum by (kind) (etcdops_tasks_running{instance=~"$instance"})', '{{kind}}']],
        },
        {
          title: 'Duration of tasks',
          description: 'Nine of ten are faster.',
          type: 'timeseries',
          unit: 's',
          queries: [
            [
              'histogram_quantile(0.9, sum by (kind, le) (rate(etcdops_task_duration_seconds_bucket{instance=~"$instance"}[15m])))',
              '{{kind}}',
            ],
          ],
        },
        {
          title: 'Clusters that each watcher owns',
          description: 'Should be alike; a watcher that leaves gives its share to the others.',
          type: 'timeseries',
          unit: 'short',
          queries: [['sum by (instance) (etcdops_watcher_owned{instance=~"$instance"})', '{{instance}}']],
        },
        {
          title: 'Spool',
          description: 'Snapshots on their way, and the room that is left for them.',
          type: 'timeseries',
          unit: 'bytes',
          queries: [
            ['etcdops_spool_bytes{instance=~"$instance"}', '{{instance}} in use'],
            ['etcdops_spool_free_bytes{instance=~"$instance"}', '{{instance}} free'],
          ],
        },
        {
          title: 'People were told',
          description: 'Happenings told by webhook or command, and those given up.',
          type: 'timeseries',
          unit: 'short',
          queries: [['sum by (result) (increase(etcdops_notifications_total[1h]))', '{{result}}']],
        },
      ],
    },
    {
      title: 'Stores',
      panels: [
        {
          title: 'Requests',
          description: 'Operations a second: what requests cost.',
          type: 'timeseries',
          unit: 'ops',
          queries: [
            [
              'sum by (provider, operation) (rate(etcdops_store_operation_seconds_count{instance=~"$instance"}[5m]))',
              '{{provider}} {{operation}}',
            ],
          ],
        },
        {
          title: 'Latency',
          description: 'Nine of ten operations are faster, with their retries.',
          type: 'timeseries',
          unit: 's',
          queries: [
            [
              'histogram_quantile(0.9, sum by (provider, operation, le) (rate(etcdops_store_operation_seconds_bucket{instance=~"$instance"}[5m])))',
              '{{provider}} {{operation}}',
            ],
          ],
        },
        {
          title: 'Failures and retries',
          description: 'Operations that failed for good, and single requests that were tried again.',
          type: 'timeseries',
          unit: 'short',
          thresholds: { warn: 1, bad: 5 },
          queries: [
            [
              'sum by (provider, operation) (increase(etcdops_store_failures_total{instance=~"$instance"}[5m]))',
              '{{provider}} {{operation}} failed',
            ],
            [
              'sum by (provider) (increase(etcdops_store_retries_total{instance=~"$instance"}[5m]))',
              '{{provider}} again',
            ],
          ],
        },
        {
          title: 'Bytes',
          description: 'Written and read.',
          type: 'timeseries',
          unit: 'Bps',
          queries: [
            [
              'sum by (provider, operation) (rate(etcdops_store_bytes_total{instance=~"$instance"}[5m]))',
              '{{provider}} {{operation}}',
            ],
          ],
        },
      ],
    },
  ],
};
