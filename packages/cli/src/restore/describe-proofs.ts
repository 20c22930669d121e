import { chains, groupDoubts, type Inventory, type ProofRecord, type Proofs } from '@etcd-ops/core';
import { formatCount, formatDuration } from '../output/table.ts';
import { formatTime } from '../output/times.ts';

/** `restorable to ..., proven ..., restore takes ...`, and what a failed proof says. */
export function sayProofs(inventory: Inventory, proofs: Proofs): string[] {
  const timeline = inventory.timelines.findLast(({ fulls }) => fulls.length > 0);
  if (timeline === undefined) return [];
  const to = Math.max(...chains(timeline).map((chain) => chain.to));
  const { proven, restoreMs } = proofs;
  const parts = [
    `Restorable to revision ${formatCount(to)}`,
    proven === undefined
      ? 'never proven'
      : `proven to ${formatCount(proven.provenTo)} at ${formatTime(proven.record.provedAt)}`,
    ...(restoreMs === undefined ? [] : [`a restore takes ${formatDuration(restoreMs)}`]),
  ];
  const isOlder = proven !== undefined && proven.record.timeline !== timeline.timeline;
  return [
    `${parts.join(', ')}${isOlder ? ` (proven: timeline ${proven.record.timeline})` : ''}`,
    ...failedOf(proofs).map(({ proof, full, problem, provedAt }) => {
      return `PROOF FAILED at ${formatTime(provedAt)}: ${proof} of ${full}: ${problem ?? ''}`;
    }),
    ...groupDoubts(inventory.doubts ?? []).map(({ key, reason }) => `In doubt: ${key}: ${reason}`),
  ];
}

/** For `-o json`. */
export function describeProofs(proofs: Proofs): unknown {
  const { proven, restoreMs } = proofs;
  return {
    proven: proven === undefined ? undefined : describeRecord({ ...proven.record, provenTo: proven.provenTo }),
    restoreMs,
    chains: proofs.chains.map(({ record }) => describeRecord(record)),
    failed: failedOf(proofs).map(describeRecord),
  };
}

function failedOf({ chains: records, edges }: Proofs): ProofRecord[] {
  return [...records, ...edges].map(({ record }) => record).filter(({ verdict }) => verdict === 'failed');
}

function describeRecord(record: ProofRecord): unknown {
  const { proof, verdict, timeline, full, from, to, provenTo, provedAt, restoreMs, problem } = record;
  const { comparisons = [] } = record;
  const equal = comparisons.filter(({ outcome }) => outcome === 'equal').length;
  return { proof, verdict, timeline, full, from, to, provenTo, provedAt, restoreMs, equal, problem };
}
