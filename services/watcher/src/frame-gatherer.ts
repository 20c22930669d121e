import { RevisionDigest, RowBlock, RowBlockBuilder, type ByteSlice, type Revision } from '@etcd-ops/core';
import type { RevisionTarget } from './revision-assembler.ts';

/** Whole revisions that travel as one message. */
export interface Frame {
  first: Revision;
  last: Revision;
  rowCount: number;
  rowBlock: Buffer;
  /** When the watch delivered `last`, in milliseconds since the epoch. */
  observedMs: number;
  /** When the first of its revisions was whole, on the clock of `performance`. */
  gatheredAtMs: number;
  /** RevisionDigest of the rows of `last`. */
  digest: string | null;
  digestRows: number;
}

export interface FrameLimits {
  /** A frame is closed at the first revision border at or above this. */
  frameBytesTarget: number;
  /** Above this the watch is paused, below half of it resumed. One revision may be larger. */
  gatheredBytesMax: number;
}

/**
 * Gathers whole revisions while the message before them awaits its acknowledgement: one row travels alone when nothing is in flight,
 * hundreds of kilobytes together when much is.
 */
export class FrameGatherer implements RevisionTarget {
  readonly #limits: FrameLimits;
  readonly #now: () => number;
  readonly #onPressure: (pause: boolean) => void;
  readonly #closed: Frame[] = [];
  readonly #builder = new RowBlockBuilder();
  #first = 0;
  #last = 0;
  #lastRevisionRow = 0;
  #partRow = -1;
  #observedMs = 0;
  #gatheredAtMs = 0;
  #closedBytes = 0;
  #paused = false;
  #wake: (() => void) | undefined;

  constructor(options: FrameLimits & { now: () => number; onPressure: (pause: boolean) => void }) {
    this.#limits = options;
    this.#now = options.now;
    this.#onPressure = options.onPressure;
  }

  /** Bytes held in memory. */
  get gatheredBytes(): number {
    return this.#closedBytes + this.#builder.byteLength;
  }

  get readable(): boolean {
    return this.#closed.length > 0 || (this.#last !== 0 && this.#partRow < 0);
  }

  /** A frame is as large as it should be. */
  get full(): boolean {
    return this.#closed.length > 0;
  }

  /** When the oldest revision that waits here was observed; undefined when none waits. */
  get oldestObservedMs(): number | undefined {
    return this.#closed[0]?.observedMs ?? (this.#last === 0 ? undefined : this.#observedMs);
  }

  row(main: Revision, sub: number, tombstone: boolean, value: ByteSlice): void {
    if (this.#partRow < 0) this.#partRow = this.#builder.rowCount;
    this.#builder.appendSlice(main, sub, tombstone, value);
  }

  completed(main: Revision): void {
    if (this.#first === 0) {
      this.#first = main;
      this.#gatheredAtMs = performance.now();
    }
    this.#last = main;
    this.#lastRevisionRow = this.#partRow;
    this.#partRow = -1;
    if (this.#builder.byteLength >= this.#limits.frameBytesTarget) {
      this.#observedMs = this.#now();
      this.#close();
    }
  }

  /** Takes the rows of the unfinished revision back; whole ones stay. */
  abandon(): void {
    if (this.#partRow < 0) return;
    const whole = this.#partRow;
    this.#partRow = -1;
    const block = RowBlock.parse(this.#builder.take());
    for (let row = 0; row < whole; row++) this.#builder.appendEncoded(block.key(row), block.value(row));
  }

  /** The end of one response: what is whole may travel. */
  endBatch(): void {
    if (this.#last !== 0) this.#observedMs = this.#now();
    // Never while only a part of a revision is here: its rest must come before anything can leave.
    if (!this.#paused && this.readable && this.gatheredBytes > this.#limits.gatheredBytesMax) this.#press(true);
    if (this.readable) this.wake();
  }

  /** The next frame, or undefined when no whole revision waits. */
  take(): Frame | undefined {
    if (this.#closed.length === 0 && this.readable) this.#close();
    const frame = this.#closed.shift();
    if (frame === undefined) return undefined;
    this.#closedBytes -= frame.rowBlock.length;
    if (this.#paused && (!this.readable || this.gatheredBytes < this.#limits.gatheredBytesMax / 2)) this.#press(false);
    return frame;
  }

  /** Resolves at the next `wake`; look first whether there is anything to do. One waiter at a time. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Lets the waiter look around: a frame is whole, or something else happened. */
  wake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #close(): void {
    const rowBlock = this.#builder.take();
    // Parsing what was built costs little and checks order and shape before anything leaves the process.
    const block = RowBlock.parse(rowBlock);
    const digest = new RevisionDigest();
    for (let row = this.#lastRevisionRow; row < block.rowCount; row++) digest.update(block.key(row), block.value(row));
    this.#closed.push({
      first: this.#first,
      last: this.#last,
      rowCount: block.rowCount,
      rowBlock,
      observedMs: this.#observedMs,
      gatheredAtMs: this.#gatheredAtMs,
      digestRows: digest.rowCount,
      digest: digest.hex(),
    });
    this.#closedBytes += rowBlock.length;
    this.#first = 0;
    this.#last = 0;
  }

  #press(pause: boolean): void {
    this.#paused = pause;
    this.#onPressure(pause);
  }
}
