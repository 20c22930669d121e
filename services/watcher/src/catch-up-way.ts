/** Where the ways to catch up part; each is a setting. */
export interface CatchUpLimits {
  plainRevisionsMax: number;
  plainBytesMax: number;
  segmentRevisions: number;
  segmentsRevisionsMax: number;
  segmentsBytesMax: number;
  segmentsMax: number;
  segmentsWaitingBytesMax: number;
  /** Of one revision, as long as none was seen. */
  revisionBytesGuess: number;
}

export interface BacklogFacts {
  revisionsBehind: number;
  /** Mean row bytes of a revision, as seen; undefined when nothing was seen. */
  revisionBytes: number | undefined;
  /** What etcd says that its database has in use; undefined when it does not say. */
  dbBytes: number | undefined;
  /** History behind L is compacted already: the watch is told so at once and reads nothing. */
  isCompacted: boolean;
  /** How far behind it was before the last snapshot, if this is the next step of one catch-up. */
  revisionsBehindBefore: number | undefined;
}

export type CatchUpWay =
  | { way: 'plain' }
  /** `segmentsMax` segments at a time; `revisionBytes`: what one revision has at most in the mean. */
  | { way: 'segments'; segmentsMax: number; revisionBytes: number }
  | { way: 'snapshot'; reason: 'bytes' | 'revisions' };

const PLAIN: CatchUpWay = { way: 'plain' };

/**
 * How to catch up without hurting the cluster. One watch id makes etcd read the whole backlog ten times a second under its store
 * lock, and copy it each time: what it costs the other clients follows the bytes first, then the revisions. Segments make it few
 * reads; beyond their limit one sequential read of the database file, by the uploader, is the gentlest.
 */
export function chooseWay(facts: BacklogFacts, limits: CatchUpLimits): CatchUpWay {
  const { revisionsBehind, revisionsBehindBefore } = facts;
  const bytesBehind = bytesOfBacklog(facts, limits);
  if (facts.isCompacted) return PLAIN;
  if (revisionsBehind <= limits.plainRevisionsMax && bytesBehind <= limits.plainBytesMax) return PLAIN;
  // One batch is one read, however it is asked for.
  if (revisionsBehind <= limits.segmentRevisions && bytesBehind <= limits.segmentsBytesMax) return PLAIN;
  if (bytesBehind <= limits.segmentsBytesMax && revisionsBehind <= limits.segmentsRevisionsMax) {
    return segments(bytesBehind / revisionsBehind, limits);
  }
  // Writers outrun the snapshots: another one would end as far behind.
  if (revisionsBehindBefore !== undefined && revisionsBehind > revisionsBehindBefore / 2) {
    return segments(bytesBehind / revisionsBehind, limits);
  }
  return { way: 'snapshot', reason: bytesBehind > limits.segmentsBytesMax ? 'bytes' : 'revisions' };
}

/** No backlog is larger than the database that holds it. */
export function bytesOfBacklog(
  { revisionsBehind, revisionBytes, dbBytes }: BacklogFacts,
  { revisionBytesGuess }: CatchUpLimits,
): number {
  return Math.min(Math.max(0, revisionsBehind) * (revisionBytes ?? revisionBytesGuess), dbBytes ?? Infinity);
}

/** So many at a time that what waits for its turn fits into memory. */
function segments(revisionBytes: number, limits: CatchUpLimits): CatchUpWay {
  const segmentBytes = Math.max(1, revisionBytes * limits.segmentRevisions);
  const fitting = Math.floor(limits.segmentsWaitingBytesMax / segmentBytes);
  return { way: 'segments', segmentsMax: Math.max(1, Math.min(fitting, limits.segmentsMax)), revisionBytes };
}
