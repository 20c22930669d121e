import type { StreamConnection } from '@etcd-ops/bus';
import { CaptureLag } from './capture-lag.ts';
import type { RevisionHole } from './revision-assembler.ts';
import { TtlBacklog } from './ttl-backlog.ts';

/** Rows to have seen before their mean size is believed. */
const ROWS_SEEN_MIN = 1_000;

/** What a watch has delivered. */
export interface SeenRows {
  revisionCount: number;
  rowCount: number;
  rowBytes: number;
}

/**
 * What one process remembers of a cluster from session to session. Only hints: nothing here is needed to be exact,
 * and a new process starts with none of it.
 */
export class CaptureMemory {
  readonly #raftIndexes = new Map<bigint, bigint>();
  #leases: readonly bigint[] = [];
  #rowCount = 0;
  #rowBytes = 0;
  #revisionCount = 0;
  #revisionBytesHint: number | undefined;
  #fragmentAlways = false;
  #hole: RevisionHole | undefined;
  /** For who asks how the capture does. */
  readonly lag = new CaptureLag();
  readonly ttls = new TtlBacklog();
  /** L when the last session ended; 0 before the first. */
  capturedRevision = 0;
  /** The stream as the last session found it. */
  stream: StreamConnection | undefined;
  /** The newest store revision that etcd named, whoever asked. */
  headRevision = 0;

  /** Leases that a session saw and did not get to ask about: the next one does. */
  keepLeases(ids: readonly bigint[]): void {
    this.#leases = ids;
  }

  takeLeases(): readonly bigint[] {
    const ids = this.#leases;
    this.#leases = [];
    return ids;
  }

  /** Is this member's raft index lower than it was? It never falls within one history. */
  compareRaftIndex(memberId: bigint, raftIndex: bigint): 'not-lower' | 'lower' {
    return raftIndex < (this.#raftIndexes.get(memberId) ?? 0n) ? 'lower' : 'not-lower';
  }

  rememberRaftIndex(memberId: bigint, raftIndex: bigint): void {
    this.#raftIndexes.set(memberId, raftIndex);
  }

  /** A new history begins: the indexes of the old one say nothing about it. */
  forgetRaftIndexes(): void {
    this.#raftIndexes.clear();
    this.headRevision = 0;
  }

  rememberRows({ revisionCount, rowCount, rowBytes }: SeenRows): void {
    this.#revisionCount += revisionCount;
    this.#rowCount += rowCount;
    this.#rowBytes += rowBytes;
  }

  /** What others recorded of the size of revisions, for a process that has not seen enough itself. */
  hintRevisionBytes(mean: number | undefined): void {
    this.#revisionBytesHint = mean ?? this.#revisionBytesHint;
  }

  /** Mean row bytes of one revision; undefined when nobody knows. */
  get revisionBytes(): number | undefined {
    if (this.#revisionCount < ROWS_SEEN_MIN) return this.#revisionBytesHint;
    return this.#rowBytes / this.#revisionCount;
  }

  /** A response was larger than the client receives: from now on etcd has to split them. */
  alwaysFragment(): void {
    this.#fragmentAlways = true;
  }

  /**
   * Splitting bounds the size of a response, but costs etcd the square of the events in a fragment: it is asked for until the
   * rows are known to be small: from what was seen, or from the mean size of a revision.
   */
  wantsFragments(rowBytesMin: number, revisionBytes = this.#revisionBytesHint): boolean {
    if (this.#fragmentAlways) return true;
    if (this.#rowCount < ROWS_SEEN_MIN) return revisionBytes === undefined || revisionBytes >= rowBytesMin;
    return this.#rowBytes / this.#rowCount >= rowBytesMin;
  }

  /** The second time that the same revision lacks, it will not come any more. */
  isHoleForGood(hole: RevisionHole): boolean {
    const again = this.#hole?.expected === hole.expected;
    this.#hole = hole;
    return again;
  }
}
