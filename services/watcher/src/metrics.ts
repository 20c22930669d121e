import type { Logger, Metrics } from '@etcd-ops/service-kit';

export type CaptureMetrics = ReturnType<typeof createCaptureMetrics>;

/** The instruments of the watcher. */
export function createCaptureMetrics(metrics: Metrics) {
  const labels = { cluster: 'cluster' } as const;
  return {
    capturedRevision: metrics.gauge({
      name: 'watcher_captured_revision',
      help: 'Last revision that the bus acknowledged.',
      labels,
    }),
    headRevision: metrics.gauge({
      name: 'watcher_head_revision',
      help: 'Newest store revision that etcd named.',
      labels,
    }),
    lagRevisions: metrics.gauge({
      name: 'watcher_lag_revisions',
      help: 'Revisions between the head and the captured one.',
      labels,
    }),
    lagSeconds: metrics.gauge({
      name: 'watcher_lag_seconds',
      help: 'Age of the oldest row that was received and not acknowledged.',
      labels,
    }),
    rows: metrics.counter({ name: 'watcher_rows_total', help: 'Rows that the bus acknowledged.', labels }),
    bytes: metrics.counter({ name: 'watcher_bytes_total', help: 'Bytes of rows that the bus acknowledged.', labels }),
    frames: metrics.counter({ name: 'watcher_frames_total', help: 'Messages that the bus acknowledged.', labels }),
    sessions: metrics.counter({ name: 'watcher_sessions_total', help: 'Times that capture was opened.', labels }),
    dropped: metrics.counter({
      name: 'watcher_dropped_events_total',
      help: 'Events that etcd repeated and that were left out.',
      labels,
    }),
    starts: metrics.counter({
      name: 'watcher_starts_total',
      help: 'New histories: at the first time, after a fork, after a gap, after the stream was lost.',
      labels: { cluster: 'cluster', cause: ['first', 'fork', 'gap', 'resume', 'caught-up'] },
    }),
    blockedSeconds: metrics.counter({
      name: 'watcher_blocked_seconds_total',
      help: 'Time that the watch was paused because the bus did not keep up.',
      labels,
    }),
    acknowledgedSeconds: metrics.histogram({
      name: 'watcher_acknowledged_seconds',
      help: 'From the receipt of the oldest row of a message to its acknowledgement by the bus.',
      labels,
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 5, 30],
    }),
    catchUps: metrics.counter({
      name: 'watcher_catch_ups_total',
      help: 'Times that capture was opened, by the way in which it caught up.',
      labels: { cluster: 'cluster', way: ['plain', 'segments', 'snapshot'] },
    }),
    owned: metrics.gauge({
      name: 'watcher_owned',
      help: '1 where this process owns the capture of the cluster: summed over all watchers it must be 1.',
      labels,
    }),
    watching: metrics.gauge({ name: 'watcher_watching', help: '1 while rows are captured.', labels }),
  };
}

/** What one cluster's capture says, to people and to Prometheus. */
export interface CaptureVoice {
  cluster: string;
  logger: Logger;
  metrics: CaptureMetrics;
}
