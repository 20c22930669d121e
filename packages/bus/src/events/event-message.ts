import { EtcdOpsError, type RowBlock, type LeaseRecord, type Revision } from '@etcd-ops/core';

/** A run of rows, whole revisions `first` to `last`. No rows but leases: `first` is `last` + 1. */
export interface RowsEvent {
  kind: 'rows';
  timeline: number;
  clusterId: bigint;
  first: Revision;
  last: Revision;
  rowBlock: Buffer;
  leases: LeaseRecord[];
  /** When the watcher received the last row, ms since the epoch. */
  observedMs: number;
  /** RevisionDigest of the rows of `last`; null when unknown. */
  digest: string | null;
  digestRows: number;
  /**
   * Of all leases that rows up to here name, the answer about their TTL is in this message or an earlier one. Absent: nobody knows.
   * Whoever goes on behind this message asks about those of later rows again.
   */
  leasesAskedTo?: Revision;
}

export const START_CAUSES = ['first', 'fork', 'gap', 'resume', 'caught-up'] as const;
export type StartCause = (typeof START_CAUSES)[number];

/**
 * Rows begin at `revision` + 1 from here on; what came before belongs to the history that ended at `after`.
 * first: nothing was captured before. fork: a new timeline. gap: (after, revision] was compacted uncaptured.
 * resume: the stream or its tail was lost; rows go on from what is durable.
 * caught-up: the rows of (after, revision] are in the repository, written out of a full snapshot's file; nothing lacks.
 */
export interface StartEvent {
  kind: 'start';
  timeline: number;
  clusterId: bigint;
  revision: Revision;
  digest: string | null;
  cause: StartCause;
  after?: Revision;
  compacted?: Revision;
  observedMs: number;
  leasesAskedTo?: Revision;
}

export type EventMessage = RowsEvent | StartEvent;

/** What a message says of itself in its headers: enough to decide whether it counts. */
export interface EventHeaders {
  kind: EventMessage['kind'];
  /** Random per opened writer, 32 hex digits. */
  epoch: string;
  timeline: number;
  clusterId: bigint;
  /** Of a start: revision + 1. */
  first: Revision;
  /** The revision up to which rows are captured with this message. Of a start: its revision. */
  last: Revision;
  rowCount: number;
  leaseCount: number;
  digest: string | null;
  digestRows: number;
  observedMs: number;
  cause?: StartCause;
  after?: Revision;
  compacted?: Revision;
  leasesAskedTo?: Revision;
  /** Counted from 1. */
  part: number;
  parts: number;
  /** Bytes of the payload of all parts. */
  payloadBytes: number;
}

export function headersOf(message: EventMessage, epoch: string, payloadBytes: number, parts: number): EventHeaders {
  const { kind, timeline, clusterId, digest, observedMs } = message;
  const asked = message.leasesAskedTo === undefined ? {} : { leasesAskedTo: message.leasesAskedTo };
  const common = { epoch, timeline, clusterId, digest, observedMs, part: 1, parts, payloadBytes, ...asked };
  if (message.kind === 'rows') {
    const { first, last, digestRows } = message;
    const counts = { rowCount: message.rowBlock.readUInt32LE(0), leaseCount: message.leases.length };
    return { kind, ...common, ...counts, first, last, digestRows };
  }
  return {
    kind,
    ...common,
    first: message.revision + 1,
    last: message.revision,
    digestRows: 0,
    rowCount: 0,
    leaseCount: 0,
    cause: message.cause,
    ...(message.after === undefined ? {} : { after: message.after }),
    ...(message.compacted === undefined ? {} : { compacted: message.compacted }),
  };
}

export function startOf(headers: EventHeaders): StartEvent {
  if (headers.cause === undefined) throw invalid('a start without its cause');
  return {
    kind: 'start',
    timeline: headers.timeline,
    clusterId: headers.clusterId,
    revision: headers.last,
    digest: headers.digest,
    cause: headers.cause,
    observedMs: headers.observedMs,
    ...(headers.after === undefined ? {} : { after: headers.after }),
    ...(headers.compacted === undefined ? {} : { compacted: headers.compacted }),
  };
}

/**
 * Rows MUST be whole revisions, contiguous from `first` to `last`: a hole would be a silent loss.
 * @throws EtcdOpsError BUS_MESSAGE_INVALID
 */
export function assertContiguous(rows: RowBlock, first: Revision, last: Revision): void {
  if (rows.rowCount === 0) {
    if (first !== last + 1) throw invalid(`no rows for the revisions ${first} to ${last}`);
    return;
  }
  let expected = first;
  for (let row = 0; row < rows.rowCount; row++) {
    const main = rows.main(row);
    if (main === expected) continue;
    if (main !== expected + 1 || row === 0) throw invalid(`row ${row} has the revision ${main} after ${expected}`);
    expected = main;
  }
  if (expected !== last) throw invalid(`its rows end at revision ${expected} instead of ${last}`);
}

export function invalid(rule: string): EtcdOpsError {
  return new EtcdOpsError('BUS_MESSAGE_INVALID', { message: `Event message: ${rule}` });
}
