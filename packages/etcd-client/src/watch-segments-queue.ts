import type { WatchPeek } from './watch-segments-peek.ts';

/** A run of revisions that one watch id is asked for. */
export interface Segment {
  readonly watchId: number;
  readonly first: number;
  /** Infinity for the tail, which stays open. */
  readonly last: number;
  readonly isTail: boolean;
  /** Its last revision has arrived whole, or etcd ended it. */
  arrived: boolean;
  canceled?: { compactRevision: number; reason: string };
}

export interface QueuedResponse {
  segment: Segment;
  message: Buffer;
  peek: WatchPeek;
}

export interface SegmentLimits {
  /** Revisions of one segment. etcd sends up to 1,000 in one batch; fewer would be sent and thrown away. */
  segmentRevisions: number;
  /** Segments that may be open or waiting for their turn at a time. */
  segmentsMax: number;
  /** Bytes of responses that may wait for their turn. */
  bytesMax: number;
  /** At most this far behind the head the rest is left to the tail. */
  tailRevisions: number;
}

/**
 * The order of segmented catch-up, without I/O: which segment to open next, what a response means, and which response may be
 * handed on. Responses of segments whose turn has not come wait here; when that takes more than `bytesMax`, the farthest segments
 * are given up and asked for again later, so the memory is bounded and the first segment always gets through.
 */
export class SegmentQueue {
  readonly #limits: SegmentLimits;
  /** In the order of their revisions. */
  readonly #segments: { segment: Segment; waiting: { message: Buffer; peek: WatchPeek }[]; bytes: number }[] = [];
  #segmentsMax: number;
  #nextRevision: number;
  #nextId = 1;
  #waitingBytes = 0;
  #tailOpen = false;
  headRevision: number;

  constructor(startRevision: number, headRevision: number, limits: SegmentLimits) {
    this.#limits = limits;
    this.#segmentsMax = limits.segmentsMax;
    this.#nextRevision = startRevision;
    this.headRevision = headRevision;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get openCount(): number {
    return this.#segments.length;
  }

  /** The segment to open now; undefined when there are enough. */
  open(): Segment | undefined {
    const { segmentRevisions, bytesMax, tailRevisions } = this.#limits;
    if (this.#tailOpen) return undefined;
    const first = this.#nextRevision;
    const isTail = this.headRevision - first < tailRevisions;
    if (isTail) {
      // What comes live must not pile up behind a segment that is still on its way.
      if (this.#segments.length > 0) return undefined;
      this.#tailOpen = true;
    } else if (this.#segments.length >= this.#segmentsMax || this.#waitingBytes >= bytesMax) {
      return undefined;
    }
    const last = isTail ? Infinity : first + segmentRevisions - 1;
    const segment: Segment = { watchId: this.#nextId++, first, last, isTail, arrived: false };
    this.#segments.push({ segment, waiting: [], bytes: 0 });
    this.#nextRevision = last + 1;
    return segment;
  }

  /** Takes a response in. Answers the ids that are of no more use: the complete one, and those that were given up. */
  receive(message: Buffer, peek: WatchPeek): number[] {
    const entry = this.#segments.find(({ segment }) => segment.watchId === peek.watchId && !segment.arrived);
    if (entry === undefined) return [];
    const { segment } = entry;
    if (peek.canceled) {
      segment.arrived = true;
      segment.canceled = { compactRevision: peek.compactRevision, reason: peek.cancelReason };
      return [];
    }
    if (peek.eventCount === 0) return [];
    entry.waiting.push({ message, peek });
    entry.bytes += message.length;
    this.#waitingBytes += message.length;
    const ended = [];
    if (peek.lastMain > segment.last || (peek.lastMain === segment.last && !peek.fragment)) {
      segment.arrived = true;
      ended.push(segment.watchId);
    }
    return [...ended, ...this.#giveUpFarthest()];
  }

  /** The next response in order; undefined when it has not come yet. */
  take(): QueuedResponse | { ended: NonNullable<Segment['canceled']> } | undefined {
    for (;;) {
      const entry = this.#segments[0];
      if (entry === undefined) return undefined;
      const response = entry.waiting.shift();
      if (response !== undefined) {
        entry.bytes -= response.message.length;
        this.#waitingBytes -= response.message.length;
        return { segment: entry.segment, ...response };
      }
      const { canceled, arrived } = entry.segment;
      if (canceled !== undefined) return { ended: canceled };
      if (!arrived) return undefined;
      this.#segments.shift();
    }
  }

  #giveUpFarthest(): number[] {
    const ended: number[] = [];
    while (this.#waitingBytes > this.#limits.bytesMax && this.#segments.length > 1) {
      const { segment, bytes } = this.#segments.pop()!;
      this.#waitingBytes -= bytes;
      this.#nextRevision = segment.first;
      // So many do not fit: fewer from now on.
      this.#segmentsMax = Math.max(1, this.#segments.length);
      if (!segment.arrived) ended.push(segment.watchId);
    }
    return ended;
  }
}
