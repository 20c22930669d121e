import type { TaskResult } from '@etcd-ops/bus';
import { PROOF_VERDICTS } from '@etcd-ops/core';
import { START_CAUSES, STORED_KINDS, VERIFY_VERDICTS, type SchedulerMetrics } from './metrics.ts';
import { chainProofs, edgeVerdict, numberOf, startsOf } from './result-facts.ts';
import { DISPATCHED_KINDS } from './dispatched-kinds.ts';

/** What one line of the history says to Prometheus. Lines MUST come in their order. */
export function noteResult(metrics: SchedulerMetrics, result: TaskResult): void {
  const { cluster, summary } = result;
  const kind = DISPATCHED_KINDS.find((one) => one === result.kind);
  if (kind === undefined) return;
  const atSeconds = Date.parse(result.finishedAt) / 1_000;
  if (!result.ok) return metrics.failure.set({ cluster, kind }, atSeconds);
  metrics.success.set({ cluster, kind }, atSeconds);
  metrics.seconds.set({ cluster, kind }, Math.max(0, atSeconds - Date.parse(result.startedAt) / 1_000));
  const stored = STORED_KINDS.find((one) => one === kind);
  if (stored !== undefined) {
    const [bytes, revision] = [numberOf(summary['bytes']), numberOf(summary['revision'])];
    if (bytes !== undefined) metrics.bytes.set({ cluster, kind: stored }, bytes);
    if (revision !== undefined) metrics.revision.set({ cluster, kind: stored }, revision);
  }
  for (const { cause: said } of startsOf(result)) {
    const cause = START_CAUSES.find((one) => one === said);
    if (cause !== undefined) metrics.started.set({ cluster, cause }, atSeconds);
  }
  const edge = PROOF_VERDICTS.find((one) => one === edgeVerdict(result));
  if (edge !== undefined) metrics.edge.set({ cluster, verdict: edge }, atSeconds);
  if (kind !== 'verify') return;
  const verified = VERIFY_VERDICTS.find((one) => one === summary['verdict']);
  if (verified !== undefined) metrics.verify.set({ cluster, verdict: verified }, atSeconds);
  for (const { verdict: said } of chainProofs(result)) {
    const verdict = PROOF_VERDICTS.find((one) => one === said);
    if (verdict !== undefined) metrics.proof.set({ cluster, verdict }, atSeconds);
  }
}
