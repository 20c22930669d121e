import type { DataDirState } from '@etcd-ops/core';
import { emitJson, emitText } from '../output/emit.ts';
import { formatCount, renderTable } from '../output/table.ts';
import { describeObserved, describeReport } from '../restore/report.ts';
import type { Ensured } from './run-ensure.ts';

const SAID = {
  left: 'sound; left alone',
  restored: 'restored from the newest backup',
  new: 'empty, and no backup: etcd begins a new cluster',
} as const;

export function emitEnsured(ensured: Ensured, output: 'table' | 'json'): void {
  const { action, dataDir, state, reason, movedTo, report, warnings } = ensured;
  if (output === 'json') {
    emitJson({
      action,
      dataDir,
      found: describeState(state),
      ...(reason === undefined ? {} : { reason }),
      movedTo,
      ...(report === undefined ? {} : { restored: describeReport(report) }),
      warnings,
    });
    return;
  }
  const rows = [
    ['data directory', dataDir],
    ['is', SAID[action]],
    ...(reason === undefined ? [] : [['because', reason]]),
    ...(state.kind === 'healthy' ? [['revision', formatCount(state.facts.revision)]] : []),
    ...(report === undefined
      ? []
      : [
          ['revision', `${formatCount(report.revision)} of timeline ${report.timeline}`],
          ['observed', describeObserved(report.latestObservedMs)],
        ]),
    ...movedTo.map((path) => ['moved to', path]),
    ...warnings.map((warning) => ['note', warning]),
  ];
  emitText(renderTable(['what', 'found'], rows));
}

/** Ids in hex, as everywhere. */
function describeState(state: DataDirState): unknown {
  if (state.kind === 'broken') return { ...state, clusterId: state.clusterId?.toString(16) };
  if (state.kind !== 'healthy') return state;
  const { facts } = state;
  return {
    kind: state.kind,
    ...facts,
    memberId: facts.memberId.toString(16),
    clusterId: facts.clusterId.toString(16),
    consistentIndex: Number(facts.consistentIndex),
  };
}
