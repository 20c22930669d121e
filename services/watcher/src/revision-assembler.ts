import type { ByteSlice, Revision } from '@etcd-ops/core';

/** Where whole revisions go. Rows of a revision that is not completed yet may still be taken back by `abandon`. */
export interface RevisionTarget {
  row(main: Revision, sub: number, tombstone: boolean, value: ByteSlice): void;
  completed(main: Revision): void;
  abandon(): void;
}

/** A revision came that is not the next one. */
export interface RevisionHole {
  expected: Revision;
  found: Revision;
}

/**
 * Makes revisions out of watch events: numbers the rows of each (the sub is the ordinal of the event in its revision,
 * counted over puts and deletes, across fragments), lets only whole ones through, and insists that mains are contiguous.
 * A revision is whole when a later one begins or a response ends that is not to be continued (`fragment` unset).
 */
export class RevisionAssembler {
  readonly #target: RevisionTarget;
  #last: Revision;
  #open = 0;
  #sub = 0;
  #hole: RevisionHole | undefined;
  /** Events at or below the last whole revision, which some versions repeat: left out. */
  droppedCount = 0;

  /** `after`: the last revision that is already captured. */
  constructor(after: Revision, target: RevisionTarget) {
    this.#last = after;
    this.#target = target;
  }

  get lastCompleted(): Revision {
    return this.#last;
  }

  /** Set once a revision was skipped: nothing is taken from then on. */
  get hole(): RevisionHole | undefined {
    return this.#hole;
  }

  row(main: Revision, tombstone: boolean, value: ByteSlice): void {
    if (main !== this.#open && !this.#begin(main)) return;
    this.#target.row(main, this.#sub++, tombstone, value);
  }

  /** The end of one response. */
  endBatch(complete: boolean): void {
    if (complete) this.#complete();
  }

  /** The watch ended: rows of a revision that is not whole are taken back. */
  cut(): void {
    if (this.#open !== 0) this.#target.abandon();
    this.#open = 0;
  }

  #begin(main: Revision): boolean {
    if (this.#hole !== undefined) return false;
    // A repeated older event does not end the revision that is open: only a later one does.
    if (main <= this.#last || main < this.#open) {
      this.droppedCount++;
      return false;
    }
    this.#complete();
    if (main !== this.#last + 1) {
      this.#hole = { expected: this.#last + 1, found: main };
      return false;
    }
    this.#open = main;
    this.#sub = 0;
    return true;
  }

  #complete(): void {
    if (this.#open === 0) return;
    this.#last = this.#open;
    this.#open = 0;
    this.#target.completed(this.#last);
  }
}
