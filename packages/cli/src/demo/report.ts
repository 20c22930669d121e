import { formatBytes, formatCount, formatDuration, renderTable } from '../output/table.ts';
import type { ForkResult } from './fork.ts';
import type { LoadTotals } from './load.ts';
import type { StoreFacts } from './read-back.ts';
import type { RestoreResult } from './restored.ts';

export interface DemoReport {
  etcdVersion: string;
  seed: number;
  load: LoadTotals;
  lag: { medianMs: number; maxMs: number; samples: number };
  store: StoreFacts;
  restores: RestoreResult[];
  fork: ForkResult;
  equal: boolean;
  totalMs: number;
}

/** The closing table of the demo. */
export function renderReport(report: DemoReport): string {
  const { load, lag, store, restores, fork } = report;
  const rows = [
    ['etcd', report.etcdVersion],
    [
      'events',
      `${formatCount(load.events)} in ${formatCount(load.revision)} revisions, ${formatBytes(load.bytes)} of values`,
    ],
    ['leases granted', formatCount(load.leases)],
    ['capture lag', `median ${lag.medianMs.toFixed(1)} ms, worst ${lag.maxMs.toFixed(1)} ms of ${lag.samples} samples`],
    [
      'stored',
      `${store.fulls} fulls, ${store.deltas} deltas of ${formatCount(store.rows)} rows, ${formatBytes(store.bytes)}`,
    ],
    ...restores.map((result) => [
      result.title,
      `${verdict(result.equal)}: revision ${formatCount(result.revision)}, ${formatCount(result.keys)} keys, ${leases(result)}, restored in ${formatDuration(result.restoreMs)}`,
    ]),
    [
      fork.title,
      `${verdict(fork.equal)}: timelines ${fork.timelines.join(' and ')}, revision ${formatCount(fork.revision)}`,
    ],
    ['all of it', `${verdict(report.equal)}, in ${formatDuration(report.totalMs)}`],
  ];
  return renderTable(['what', 'result'], rows);
}

function verdict(equal: boolean): string {
  return equal ? 'EQUAL' : 'NOT EQUAL';
}

function leases({ leases: count, endedLeases }: Pick<RestoreResult, 'leases' | 'endedLeases'>): string {
  return endedLeases === 0
    ? `${count} leases`
    : `${count} leases (${endedLeases} of them had ended; they hold nothing and end again)`;
}
