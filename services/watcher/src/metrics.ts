import type { Logger, Metrics } from '@etcd-ops/service-kit';

export type CaptureMetrics = ReturnType<typeof createCaptureMetrics>;

const labels = { cluster: 'cluster' } as const;
/** A cluster is captured by one process: in the others its series would lie there for nothing. */
const zeros = 'expected';

/** The instruments of the watcher. */
export function createCaptureMetrics(metrics: Metrics) {
  return {
    ...captureCounters(metrics),
    capturedRevision: metrics.gauge({
      name: 'watcher_captured_revision',
      help: 'Last revision that the bus acknowledged.',
      labels,
      zeros,
    }),
    headRevision: metrics.gauge({
      name: 'watcher_head_revision',
      help: 'Newest store revision that etcd named.',
      labels,
      zeros,
    }),
    lagRevisions: metrics.gauge({
      name: 'watcher_lag_revisions',
      help: 'Revisions between the head and the captured one.',
      labels,
      zeros,
    }),
    lagSeconds: metrics.gauge({
      name: 'watcher_lag_seconds',
      help: 'Age of the oldest row that was received and not acknowledged.',
      labels,
      zeros,
    }),
    owned: metrics.gauge({
      name: 'watcher_owned',
      help: '1 where this process owns the capture of the cluster: summed over all watchers it must be 1.',
      labels,
    }),
    watching: metrics.gauge({ name: 'watcher_watching', help: '1 while rows are captured.', labels }),
  };
}

function captureCounters(metrics: Metrics) {
  return {
    rows: metrics.counter({ name: 'watcher_rows_total', help: 'Rows that the bus acknowledged.', labels, zeros }),
    bytes: metrics.counter({
      name: 'watcher_bytes_total',
      help: 'Bytes of rows that the bus acknowledged.',
      labels,
      zeros,
    }),
    frames: metrics.counter({
      name: 'watcher_frames_total',
      help: 'Messages that the bus acknowledged.',
      labels,
      zeros,
    }),
    sessions: metrics.counter({
      name: 'watcher_sessions_total',
      help: 'Times that capture was opened.',
      labels,
      zeros,
    }),
    dropped: metrics.counter({
      name: 'watcher_dropped_events_total',
      help: 'Events that etcd repeated and that were left out.',
      labels,
      zeros,
    }),
    starts: metrics.counter({
      name: 'watcher_starts_total',
      help: 'New histories: at the first time, after a fork, after a gap, after the stream was lost.',
      labels: { cluster: 'cluster', cause: ['first', 'fork', 'gap', 'resume', 'caught-up'] },
      zeros,
    }),
    blockedSeconds: metrics.counter({
      name: 'watcher_blocked_seconds_total',
      help: 'Time that the watch was paused because the bus did not keep up.',
      labels,
      zeros,
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
      zeros,
    }),
  };
}

/** From here on this process tells of the cluster. */
export function expectCapture(metrics: CaptureMetrics, cluster: string): void {
  for (const metric of Object.values(metrics)) if ('expect' in metric) metric.expect({ cluster });
}

/** What one cluster's capture says, to people and to Prometheus. */
export interface CaptureVoice {
  cluster: string;
  logger: Logger;
  metrics: CaptureMetrics;
}
