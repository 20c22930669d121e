import type { LastDone } from '@etcd-ops/bus';
import { formatBytes, formatCount, formatDuration, formatNumberOf, renderTable } from '../output/table.ts';
import { oneLine } from '../output/one-line.ts';
import { formatAgo, formatAhead, formatTime } from '../output/times.ts';
import type { RepositoryStatus } from './repository-status.ts';
import type { ClusterStatus, Status } from './run-status.ts';

type Row = [what: string, said: string];

export function renderStatus({ daemon, clusters }: Status, nowMs: number): string {
  const tables = clusters.map((cluster) =>
    renderTable([cluster.cluster, ''], daemon.running ? liveRows(cluster, nowMs) : storedRows(cluster, nowMs)),
  );
  const note = daemon.running ? [] : ['The daemon does not answer: this is what the repository alone tells.'];
  return [...note, ...tables].join('\n\n');
}

function liveRows(cluster: ClusterStatus, nowMs: number): Row[] {
  const { position, next, failures, last } = cluster;
  return [
    ...captureRows(cluster, nowMs),
    [
      'durable',
      position === undefined
        ? 'nothing yet'
        : `revision ${formatCount(position.revision)} of timeline ${position.timeline}, ${at(position.updatedAt, nowMs)}`,
    ],
    ['waiting in NATS', waiting(cluster)],
    ...ttlRows(cluster),
    ['last full', lastFull(cluster, nowMs)],
    ['last delta', lastDelta(cluster, nowMs)],
    ...Object.entries(last)
      .filter(([kind]) => kind !== 'full' && kind !== 'delta')
      .map(([kind, done]): Row => [`last ${kind}`, saidOf(done, nowMs)]),
    ...destinationRows(cluster, nowMs),
    ...Object.entries(next ?? {}).map(([kind, time]): Row => [`next ${kind}`, ahead(time, nowMs)]),
    ...failureRows(failures, nowMs),
    ...repositoryRows(cluster, nowMs),
  ];
}

function destinationRows({ destinations = [] }: ClusterStatus, nowMs: number): Row[] {
  return destinations.map(({ name, store, last, behindMs }): Row => {
    const copy = last === undefined ? 'nothing copied yet' : `copy ${saidOf(last, nowMs)}`;
    const behind = behindMs === undefined || behindMs === 0 ? '' : `; ${formatDuration(behindMs)} behind the store`;
    return [`destination ${name}`, `${copy}${behind}; ${store}`];
  });
}

function storedRows(cluster: ClusterStatus, nowMs: number): Row[] {
  return [
    ['last full', lastFull(cluster, nowMs)],
    ['last delta', lastDelta(cluster, nowMs)],
    ...repositoryRows(cluster, nowMs),
  ];
}

function captureRows({ owner, lag, failures }: ClusterStatus, nowMs: number): Row[] {
  if (owner === undefined) return [['capture', 'nobody captures this cluster']];
  const { capture } = owner;
  const by = `${owner.watcher.slice(0, 8)} since ${formatTime(owner.since)}`;
  if (capture === undefined) return [['capture', `by ${by}`]];
  const rows: Row[] = [
    [
      'capture',
      capture.watching ? `watching, by ${by}` : `WAITING, ${waitingFor(capture.waitsFor, failures)}; by ${by}`,
    ],
  ];
  if (capture.revision !== undefined) {
    const behind =
      lag === undefined || lag.revisions === 0
        ? capture.watching
          ? 'nothing lacks'
          : 'how far etcd is now, nobody knows'
        : `${formatCount(lag.revisions)} behind etcd, for ${lag.seconds} s`;
    rows.push([
      'captured',
      `revision ${formatCount(capture.revision)} of timeline ${capture.timeline}; ${behind}, as of ${formatAgo(capture.at, nowMs)}`,
    ]);
  }
  return rows;
}

/** What failed has a row of its own. */
function waitingFor(waitsFor: string | undefined, failures: ClusterStatus['failures']): string {
  if (failures.some(({ of }) => of === 'capture')) return 'for the error below to be mended';
  return oneLine(waitsFor ?? 'for etcd');
}

/** The stream keeps its last message also when that is stored. */
function waiting({ backlog, events }: ClusterStatus): string {
  if (backlog === undefined || backlog.messages === 0) return 'nothing';
  const bytes = events === undefined ? '' : `; the stream takes ${formatBytes(events.bytes)}`;
  return `${formatNumberOf(backlog.messages, 'message')} to become a delta${bytes}`;
}

/** A restore has only TTLs that are stored. What the watcher knows of the stream is some seconds old; an empty one is empty. */
function ttlRows({ owner, backlog }: ClusterStatus): Row[] {
  const { ttlsAsked = 0, ttlsWaiting = 0 } = owner?.capture ?? {};
  const inStream = backlog === undefined || backlog.messages === 0 ? 0 : ttlsWaiting;
  if (ttlsAsked + inStream === 0) return [];
  const parts = [
    ...(ttlsAsked === 0 ? [] : [`${formatCount(ttlsAsked)} to be asked of etcd`]),
    ...(inStream === 0 ? [] : [`${formatCount(inStream)} waiting in NATS`]),
  ];
  return [['lease TTLs', `${formatCount(ttlsAsked + inStream)} not durable yet: ${parts.join(', ')}`]];
}

/** The repository is believed before the word of a task: it says what is there now. */
function lastFull({ last, repository }: ClusterStatus, nowMs: number): string {
  const failed = last['full']?.ok === false ? `FAILED ${at(last['full'].finishedAt, nowMs)}; before that: ` : '';
  const stored = repository?.newestFull;
  if (stored !== undefined) {
    return `${failed}revision ${formatCount(stored.revision)}, ${formatBytes(stored.bytes)}, ${at(stored.time, nowMs)}`;
  }
  const done = last['full'];
  if (done === undefined || !done.ok) return `${failed}none yet`;
  return `revision ${formatCount(numberOf(done, 'revision'))}, ${formatBytes(numberOf(done, 'bytes'))}, ${at(done.finishedAt, nowMs)}`;
}

function lastDelta({ last, repository }: ClusterStatus, nowMs: number): string {
  const failed = last['delta']?.ok === false ? `FAILED ${at(last['delta'].finishedAt, nowMs)}; before that: ` : '';
  const stored = repository?.newestDelta;
  if (stored !== undefined) {
    return `${failed}to revision ${formatCount(stored.revision)}, ${formatBytes(stored.bytes)}, ${at(stored.time, nowMs)}`;
  }
  const done = last['delta'];
  if (done === undefined || !done.ok || numberOf(done, 'revision') === 0) return `${failed}none yet`;
  return `to revision ${formatCount(numberOf(done, 'revision'))}, ${formatBytes(numberOf(done, 'bytes'))}, ${at(done.finishedAt, nowMs)}`;
}

function saidOf(done: LastDone, nowMs: number): string {
  return `${done.ok ? 'done' : 'FAILED'} ${at(done.finishedAt, nowMs)}`;
}

function failureRows(failures: ClusterStatus['failures'], nowMs: number): Row[] {
  if (failures.length === 0) return [['last error', 'none that stands']];
  return failures.flatMap(({ of, at: time, code, message, remedy, attempts }): Row[] => {
    const tries = attempts === undefined || attempts === 1 ? '' : `, ${attempts} attempts`;
    return [
      ['ERROR', `${of}, ${at(time, nowMs)}${tries}: ${oneLine(message)} (${code})`],
      ['  do', remedy],
    ];
  });
}

function repositoryRows({ repository, repositoryError }: ClusterStatus, nowMs: number): Row[] {
  if (repositoryError !== undefined) return [['repository', `CANNOT BE READ: ${repositoryError.message}`]];
  if (repository === undefined) return [];
  return [
    ['restorable', restorable(repository, nowMs)],
    ...provenRows(repository, nowMs),
    [
      'stored',
      `${formatNumberOf(repository.fulls, 'full')}, ${formatNumberOf(repository.deltas, 'delta')}, ${formatBytes(repository.bytes)} in ${repository.store}`,
    ],
    ...troubles(repository),
  ];
}

function restorable({ restorable: range }: RepositoryStatus, nowMs: number): string {
  if (range === undefined) return 'NOTHING';
  const time = range.toTime === undefined ? '' : `, ${at(range.toTime, nowMs)}`;
  return `revisions ${formatCount(range.from)} to ${formatCount(range.to)} of timeline ${range.timeline}${time}`;
}

function provenRows({ proven, restoreMs, failedProofs }: RepositoryStatus, nowMs: number): Row[] {
  const takes = restoreMs === undefined ? '' : `; a restore takes ${formatDuration(restoreMs)}`;
  return [
    ...(proven === undefined
      ? []
      : [
          [
            'proven',
            `revisions ${formatCount(proven.from)} to ${formatCount(proven.to)} of timeline ${proven.timeline}, ${at(proven.provedAt, nowMs)}${takes}`,
          ] satisfies Row,
        ]),
    ...failedProofs.map(({ full, provedAt, problem }): Row => {
      return ['PROOF FAILED', `${full}, ${at(provedAt, nowMs)}: ${problem}`];
    }),
  ];
}

function troubles({ gaps, damaged, incomplete }: RepositoryStatus): Row[] {
  const found = [
    [gaps, 'gap'],
    [damaged, 'damaged object'],
    [incomplete, 'incomplete full'],
  ] as const;
  const said = found.flatMap(([count, what]) => (count === 0 ? [] : [formatNumberOf(count, what)]));
  return said.length === 0 ? [] : [['BEWARE', `${said.join(', ')}; \`etcd-ops list\` names them`]];
}

function at(time: string | undefined, nowMs: number): string {
  return time === undefined ? 'at an unknown time' : `${formatTime(time)} (${formatAgo(time, nowMs)})`;
}

function ahead(time: string, nowMs: number): string {
  return `${formatTime(time)} (${formatAhead(time, nowMs)})`;
}

function numberOf({ summary }: LastDone, name: string): number {
  const value = summary[name];
  return typeof value === 'number' ? value : 0;
}
