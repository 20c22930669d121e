import { PROOF_VERDICTS, type ProofRecord, type VerifyReport } from '@etcd-ops/core';
import type { Metrics } from '@etcd-ops/service-kit';

export type ProofMetrics = ReturnType<typeof createProofMetrics>;

const VERDICTS = ['sound', 'partial', 'failed', 'damaged'] as const;

/** What proofs and merges of a restorer tell its metrics. */
export function createProofMetrics(metrics: Metrics) {
  const labels = { cluster: 'cluster' } as const;
  const reports = metrics.counter({
    name: 'verify_reports_total',
    help: 'Verifications by verdict: sound, partial (gaps, or not readable here), failed (things that must be equal are not), damaged.',
    labels: { ...labels, verdict: VERDICTS },
  });
  const verifiedAt = metrics.gauge({
    name: 'verify_sound_timestamp_seconds',
    help: 'When a verification of any depth last found nothing wrong.',
    labels,
  });
  const proofs = metrics.counter({
    name: 'chain_proofs_total',
    help: 'Chains that were rebuilt, by what came of it.',
    labels: { ...labels, verdict: PROOF_VERDICTS },
  });
  const provenAt = metrics.gauge({
    name: 'chain_proven_timestamp_seconds',
    help: 'When a chain was last proven by a hash that the cluster gave.',
    labels,
  });
  const provenRevision = metrics.gauge({
    name: 'chain_proven_revision',
    help: 'Revision up to which the cluster vouched for the newest proven chain.',
    labels,
  });
  const restoreSeconds = metrics.gauge({
    name: 'chain_restore_seconds',
    help: 'What the newest restore in scratch space took.',
    labels,
  });
  const merged = metrics.counter({ name: 'merged_deltas_total', help: 'Deltas that merging made.', labels });
  const mergedBytes = metrics.counter({ name: 'merged_delta_bytes_total', help: 'Bytes of merged deltas.', labels });
  return {
    noteProof({ cluster, verdict, to, provenTo = to, provedAt, restoreMs }: ProofRecord): void {
      proofs.add({ cluster, verdict });
      if (restoreMs !== undefined) restoreSeconds.set({ cluster }, restoreMs / 1_000);
      if (verdict !== 'ok') return;
      provenAt.set({ cluster }, Date.parse(provedAt) / 1_000);
      provenRevision.set({ cluster }, provenTo);
    },
    noteReport({ cluster, verdict }: VerifyReport, nowMs: number): void {
      reports.add({ cluster, verdict });
      if (verdict === 'sound') verifiedAt.set({ cluster }, nowMs / 1_000);
    },
    noteMerged(cluster: string, bytes: number): void {
      merged.add({ cluster });
      mergedBytes.add({ cluster }, bytes);
    },
  };
}
