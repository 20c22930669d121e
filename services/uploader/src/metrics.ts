import { PROOF_VERDICTS } from '@etcd-ops/core';
import type { Metrics } from '@etcd-ops/service-kit';

export type UploaderMetrics = ReturnType<typeof createUploaderMetrics>;

/** The instruments of the uploader. */
export function createUploaderMetrics(metrics: Metrics) {
  const labels = { cluster: 'cluster' } as const;
  return {
    durableRevision: metrics.gauge({
      name: 'uploader_durable_revision',
      help: 'Revision up to which deltas are stored.',
      labels,
    }),
    deltas: metrics.counter({ name: 'uploader_deltas_total', help: 'Delta snapshots stored.', labels }),
    deltaBytes: metrics.counter({
      name: 'uploader_delta_bytes_total',
      help: 'Bytes of delta snapshots stored.',
      labels,
    }),
    leaseRecords: metrics.counter({
      name: 'uploader_lease_records_total',
      help: 'Lease records stored by themselves, since no rows came.',
      labels,
    }),
    fulls: metrics.counter({ name: 'uploader_fulls_total', help: 'Full snapshots stored.', labels }),
    fullBytes: metrics.counter({ name: 'uploader_full_bytes_total', help: 'Bytes of full snapshots stored.', labels }),
    fullSeconds: metrics.histogram({
      name: 'uploader_full_seconds',
      help: 'Time from the first question to the manifest.',
      labels,
    }),
    edges: metrics.counter({
      name: 'uploader_edge_proofs_total',
      help: 'Fulls compared with the deltas before them, by what came of it: failed is a reason to look, open means that something was missing.',
      labels: { ...labels, verdict: PROOF_VERDICTS },
    }),
    fullRevision: metrics.gauge({
      name: 'uploader_full_revision',
      help: 'Last revision of the newest full snapshot.',
      labels,
    }),
    spoolBytes: metrics.gauge({
      name: 'spool_bytes',
      help: 'Bytes of snapshots that lie on the disk of this uploader on their way to a store.',
      labels: {},
    }),
    spoolFreeBytes: metrics.gauge({
      name: 'spool_free_bytes',
      help: 'Bytes free on the file system of the spool directory.',
      labels: {},
    }),
  };
}
