/** Heads remembered at a time; when there are more, the newest stands for those behind it. */
const HEADS_MAX = 128;

export interface SeenLag {
  timeline: number;
  revision: number;
  headRevision: number;
  /** Since when a revision that is not captured has been known, in milliseconds; 0 when all are. */
  lagMs: number;
}

/**
 * How far a capture is behind, and for how long: the heads of etcd with the time at which each was seen first. A busy cluster is
 * always some revisions ahead of its capture; only the age of the oldest that lacks says whether the capture keeps up.
 */
export class CaptureLag {
  #heads: { revision: number; seenMs: number }[] = [];
  #captured: { timeline: number; revision: number } | undefined;
  #head = 0;

  /** A new timeline is another history: what was known of the old one says nothing about it. */
  noteCaptured(timeline: number, revision: number): void {
    if (this.#captured !== undefined && this.#captured.timeline !== timeline) {
      this.#heads = [];
      this.#head = 0;
    }
    this.#captured = { timeline, revision };
    this.#head = Math.max(this.#head, revision);
    this.#heads = this.#heads.filter((head) => head.revision > revision);
  }

  noteHead(revision: number, nowMs: number): void {
    if (revision <= Math.max(this.#head, this.#captured?.revision ?? 0)) return;
    this.#head = revision;
    if (this.#heads.length === HEADS_MAX) this.#heads[HEADS_MAX - 1]!.revision = revision;
    else this.#heads.push({ revision, seenMs: nowMs });
  }

  /** Undefined before anything was captured. */
  at(nowMs: number): SeenLag | undefined {
    if (this.#captured === undefined) return undefined;
    const [oldest] = this.#heads;
    const lagMs = oldest === undefined ? 0 : Math.max(0, nowMs - oldest.seenMs);
    return { ...this.#captured, headRevision: this.#head, lagMs };
  }
}
