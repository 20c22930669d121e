import type { Finding, ProofRecord, VerifyReport } from '@etcd-ops/core';
import { formatBytes, formatCount, formatDuration, formatNumberOf, renderTable } from '../output/table.ts';

const VERDICTS: Readonly<Record<VerifyReport['verdict'], string>> = {
  sound: 'sound',
  partial: 'sound, but not all of it can be restored or read here',
  failed: 'FAILED: things that must be equal are not',
  damaged: 'DAMAGED',
};
const DEPTHS: Readonly<Record<VerifyReport['depth'], string>> = {
  quick: 'listing and manifests',
  read: 'every byte',
  prove: 'every byte, and rebuilt',
};

export function reportDocument({ restorable, ...report }: VerifyReport): unknown {
  return {
    ...report,
    restorable: restorable.map(({ timeline, from, to }) => ({ timeline, from, to })),
  };
}

export function renderReport(report: VerifyReport, terminalWidth?: number): string {
  const { cluster, verdict, depth, fulls, deltas, bytesRead, durationMs, restorable, proofs, findings } = report;
  const ranges = restorable.map(({ timeline, from, to }) => {
    return `${formatCount(from)} to ${formatCount(to)} (timeline ${timeline})`;
  });
  const rows = [
    ['cluster', cluster],
    ['verdict', VERDICTS[verdict]],
    ['looked at', `${formatNumberOf(fulls, 'full')}, ${formatNumberOf(deltas, 'delta')}: ${DEPTHS[depth]}`],
    ...(depth === 'quick' ? [] : [['read', `${formatBytes(bytesRead)} in ${formatDuration(durationMs)}`]]),
    ['restorable', ranges.length === 0 ? 'nothing' : ranges.join(', ')],
  ];
  return [
    renderTable(['what', 'verified'], rows, terminalWidth),
    ...(proofs.length === 0 ? [] : ['', 'Chains that were rebuilt', renderProofs(proofs, terminalWidth)]),
    ...(findings.length === 0 ? [] : ['', ...findings.map(sayFinding)]),
  ].join('\n');
}

function renderProofs(proofs: readonly ProofRecord[], terminalWidth: number | undefined): string {
  const rows = proofs.map(({ verdict, full, from, to, provenTo = to, restoreMs, comparisons = [] }) => {
    const equal = comparisons.filter(({ outcome }) => outcome === 'equal');
    const proved = equal.map(({ with: other, revision }) => `${other} at ${formatCount(revision)}`).join(', ');
    return [
      { ok: `proven to ${formatCount(provenTo)}`, failed: 'FAILED', open: 'sound, unproven' }[verdict],
      `${formatCount(from)} to ${formatCount(to)}`,
      proved,
      restoreMs === undefined ? '' : formatDuration(restoreMs),
      full,
    ];
  });
  return renderTable(['outcome', 'revisions', 'equal to', 'restore took', 'full'], rows, terminalWidth);
}

function sayFinding({ kind, what, why, remedy }: Finding): string {
  return `${kind}: ${what}: ${why}. ${remedy}`.replaceAll('..', '.');
}
