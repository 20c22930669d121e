import type { ByteSlice, Revision } from '@etcd-ops/core';
import type { EtcdMember, SegmentLimits, SegmentedWatch, Watch, WatchEnd, WatchSink } from '@etcd-ops/etcd-client';
import { FrameGatherer, type FrameLimits } from './frame-gatherer.ts';
import type { LeaseTracker } from './lease-tracker.ts';
import { OverlapCheck } from './overlap-check.ts';
import { RevisionAssembler } from './revision-assembler.ts';

export interface CaptureWatchOptions {
  member: EtcdMember;
  /** L, the last captured revision: the watch begins at it, not behind it (see `OverlapCheck`). */
  anchor: Revision;
  /** The digest recorded for the anchor. */
  recorded: string | null;
  limits: FrameLimits;
  fragment: boolean;
  /** Catches up in segments, up to `headRevision` and on. */
  segments?: { headRevision: Revision; limits: SegmentLimits };
  /** A watch that is held back for so long is cancelled. */
  stalledMsMax: number;
  leases: LeaseTracker;
  now: () => number;
  onPressure: (paused: boolean) => void;
  signal: AbortSignal;
}

/** Why this side gave a watch up, so that the next session decides anew how to catch up; `hole`: where it goes on. */
export type GivenUp = 'stalled' | 'behind' | 'hole';

/** One watch over the whole keyspace, from etcd's responses to frames of whole revisions. */
export class CaptureWatch implements WatchSink {
  readonly member: EtcdMember;
  readonly overlap: OverlapCheck;
  readonly assembler: RevisionAssembler;
  readonly gatherer: FrameGatherer;
  /** How the watch ended; never rejects. What it delivered before may still be taken. */
  readonly closed: Promise<WatchEnd>;
  readonly #leases: LeaseTracker;
  readonly #watch: Watch | SegmentedWatch;
  readonly #stalledMsMax: number;
  #stallTimer: NodeJS.Timeout | undefined;
  #givenUp: GivenUp | undefined;
  /** First mains of batches out of etcd's backlog, whose first revision may lack tombstones (see `BacklogGuard`). */
  readonly #backlogs: Revision[] = [];
  #batchFirst = 0;
  #batchBegins = true;
  #end: WatchEnd | undefined;
  /** The newest store revision that etcd named. */
  headRevision = 0;
  rowCount = 0;
  rowBytes = 0;

  constructor(options: CaptureWatchOptions) {
    const { member, anchor, recorded, limits, fragment, segments, now, signal } = options;
    this.member = member;
    this.#stalledMsMax = options.stalledMsMax;
    this.#leases = options.leases;
    this.overlap = new OverlapCheck(anchor, recorded);
    this.gatherer = new FrameGatherer({
      ...limits,
      now,
      onPressure: (pause) => this.#press(pause, options.onPressure),
    });
    this.assembler = new RevisionAssembler(anchor, this.gatherer);
    const common = { startRevision: anchor, fragment, signal, sink: this };
    this.#watch =
      segments === undefined
        ? member.watch(common)
        : member.watchSegments({ ...common, headRevision: segments.headRevision, segments: segments.limits });
    this.closed = this.#watch.closed.then((end) => this.#close(end));
  }

  get end(): WatchEnd | undefined {
    return this.#end;
  }

  /** Set when this side ended the watch, and not etcd. */
  get givenUp(): GivenUp | undefined {
    return this.#givenUp;
  }

  cancel(): void {
    clearTimeout(this.#stallTimer);
    this.#watch.cancel();
  }

  /** Ends the watch; what it delivered is still published, and the next one catches up as is best then. */
  giveUp(reason: GivenUp): void {
    this.#givenUp ??= reason;
    this.cancel();
  }

  /** The first main of the oldest backlog batch that was not guarded yet. */
  takeBacklog(): Revision | undefined {
    return this.#backlogs.shift();
  }

  created(headerRevision: number): void {
    this.headRevision = Math.max(this.headRevision, headerRevision);
  }

  row(main: Revision, tombstone: boolean, value: ByteSlice, lease: bigint): void {
    if (this.#batchBegins) {
      this.#batchFirst = main;
      this.#batchBegins = false;
    }
    if (this.overlap.outcome === undefined && this.overlap.takes(main, tombstone, value)) return;
    this.assembler.row(main, tombstone, value);
    this.rowCount++;
    this.rowBytes += value.length;
    if (tombstone) this.#leases.tombstone();
    else if (lease !== 0n) this.#leases.sight(lease, main);
  }

  batch(complete: boolean, headerRevision: number): void {
    this.headRevision = Math.max(this.headRevision, headerRevision);
    // A live revision travels alone and under its own revision; a batch out of the backlog names the store's, which is later.
    // The rows of the anchor itself are the overlap check's concern.
    if (this.#batchFirst > 0 && headerRevision > this.#batchFirst) {
      this.#backlogs.push(Math.max(this.#batchFirst, this.overlap.anchor + 1));
    }
    this.#batchFirst = 0;
    this.#batchBegins = complete;
    this.overlap.endBatch(complete);
    this.assembler.endBatch(complete);
    this.gatherer.endBatch();
    if (this.assembler.hole !== undefined) this.#watch.cancel();
  }

  progress(headerRevision: number): void {
    this.headRevision = Math.max(this.headRevision, headerRevision);
  }

  #press(pause: boolean, tell: (paused: boolean) => void): void {
    clearTimeout(this.#stallTimer);
    if (pause) {
      this.#watch.pause();
      // etcd keeps in memory what a paused watch does not take.
      if (this.#end === undefined) this.#stallTimer = setTimeout(() => this.giveUp('stalled'), this.#stalledMsMax);
    } else this.#watch.resume();
    tell(pause);
  }

  #close(end: WatchEnd): WatchEnd {
    if (this.#end === undefined) {
      this.#end = end;
      clearTimeout(this.#stallTimer);
      this.assembler.cut();
      this.gatherer.wake();
    }
    return end;
  }
}
