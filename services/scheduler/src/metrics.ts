import { TASK_KINDS } from '@etcd-ops/bus';
import { PROOF_VERDICTS } from '@etcd-ops/core';
import type { Metrics } from '@etcd-ops/service-kit';
import { DISPATCHED_KINDS } from './dispatched-kinds.ts';

export const STORED_KINDS = ['full', 'delta'] as const;
export const START_CAUSES = ['first', 'fork', 'gap', 'resume', 'caught-up'] as const;
export const VERIFY_VERDICTS = ['sound', 'partial', 'failed', 'damaged'] as const;

export type SchedulerMetrics = ReturnType<typeof createSchedulerMetrics>;

/**
 * The instruments of the scheduler. What they say of tasks comes out of the history, which outlives every process: all schedulers say the
 * same, whoever did the work. So ask for `max by (cluster, kind)`.
 */
export function createSchedulerMetrics(metrics: Metrics) {
  const labels = { cluster: 'cluster' } as const;
  return {
    tasks: taskCounter(metrics),
    nextTick: metrics.gauge({
      name: 'next_tick_timestamp_seconds',
      help: 'When the schedule of a kind comes next, before jitter; 0 without a schedule.',
      labels: { ...labels, kind: DISPATCHED_KINDS },
    }),
    queued: metrics.gauge({
      name: 'queue_tasks',
      help: 'Tasks in the queue, waiting or being worked on.',
      labels: { kind: TASK_KINDS },
    }),
    destinationLag: metrics.gauge({
      name: 'destination_lag_seconds',
      help: 'How far a destination is behind: from what it has been brought to the newest object in the store of the cluster; 0 when it has all.',
      labels: { ...labels, destination: 'destination' },
    }),
    ...historyMetrics(metrics),
    ...chainMetrics(metrics),
    notifications: metrics.counter({
      name: 'notifications_total',
      help: 'Happenings that people were to be told of: told, or given up after all attempts.',
      labels: { result: ['told', 'dropped'] },
    }),
  };
}

function taskCounter(metrics: Metrics) {
  const counter = metrics.counter({
    name: 'scheduler_tasks_total',
    help: 'Tasks asked for, by what became of it: busy means that the one before still waits or runs, duplicate that another scheduler was first.',
    labels: { cluster: 'cluster', kind: DISPATCHED_KINDS, outcome: ['accepted', 'busy', 'duplicate', 'failed'] },
    zeros: 'expected',
  });
  counter.expect({ outcome: 'failed' });
  return counter;
}

function historyMetrics(metrics: Metrics) {
  const labels = { cluster: 'cluster' } as const;
  return {
    success: metrics.gauge({
      name: 'last_success_timestamp_seconds',
      help: 'When a task of a kind last ended well and changed something; 0: never, as far as the history goes back.',
      labels: { ...labels, kind: DISPATCHED_KINDS },
    }),
    failure: metrics.gauge({
      name: 'last_failure_timestamp_seconds',
      help: 'When a task of a kind was last given up; 0: never, as far as the history goes back.',
      labels: { ...labels, kind: DISPATCHED_KINDS },
    }),
    seconds: metrics.gauge({
      name: 'last_duration_seconds',
      help: 'What the last task of a kind took that ended well.',
      labels: { ...labels, kind: DISPATCHED_KINDS },
      zeros: 'expected',
    }),
    bytes: metrics.gauge({
      name: 'last_bytes',
      help: 'Bytes that the last full, or the last delta task, stored.',
      labels: { ...labels, kind: STORED_KINDS },
    }),
    revision: metrics.gauge({
      name: 'last_revision',
      help: 'Newest revision in the repository, by the kind that brought it there.',
      labels: { ...labels, kind: STORED_KINDS },
    }),
    started: metrics.gauge({
      name: 'last_start_timestamp_seconds',
      help: 'When a history last began, by why: gap means that revisions are lost, fork that the cluster was restored or replaced.',
      labels: { ...labels, cause: START_CAUSES },
    }),
    proof: metrics.gauge({
      name: 'last_proof_timestamp_seconds',
      help: 'When a chain was last rebuilt and held against what the cluster said, by what came of it.',
      labels: { ...labels, verdict: PROOF_VERDICTS },
    }),
    verify: metrics.gauge({
      name: 'last_verify_timestamp_seconds',
      help: 'When the repository was last verified, by the verdict.',
      labels: { ...labels, verdict: VERIFY_VERDICTS },
    }),
    edge: metrics.gauge({
      name: 'last_edge_timestamp_seconds',
      help: 'When a full was last compared with the deltas before it, by what came of it.',
      labels: { ...labels, verdict: PROOF_VERDICTS },
    }),
  };
}

function chainMetrics(metrics: Metrics) {
  const labels = { cluster: 'cluster' } as const;
  return {
    chainDeltas: metrics.gauge({
      name: 'chain_deltas',
      help: 'Deltas since the newest full, not counting merges.',
      labels,
    }),
    chainBytes: metrics.gauge({ name: 'chain_delta_bytes', help: 'Bytes of deltas since the newest full.', labels }),
    chainRevisions: metrics.gauge({
      name: 'chain_delta_revisions',
      help: 'Revisions in deltas since the newest full.',
      labels,
    }),
    streamMessages: metrics.gauge({
      name: 'events_stream_messages',
      help: 'Messages in the event stream of a cluster that are not trimmed yet.',
      labels,
    }),
    streamBytes: metrics.gauge({
      name: 'events_stream_bytes',
      help: 'Bytes in the event stream of a cluster that are not trimmed yet.',
      labels,
    }),
    streamLimit: metrics.gauge({
      name: 'events_stream_limit_bytes',
      help: 'Bytes that the event stream of a cluster may hold; when it is full, capture waits.',
      labels,
    }),
  };
}
