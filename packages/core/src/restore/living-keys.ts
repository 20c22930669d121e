import { KeyHash, KeyTable } from '../mvcc/key-table.ts';
import type { Revision } from '../mvcc/revision.ts';

/** At a mass delete most of the keys go at once, or in revisions that are no farther apart than this. */
const BURST_REVISIONS = 100;
/** So many of the keys, in tenths, must have lived at the moment before it. */
const ALMOST_ALL_TENTHS = 9;

export interface MassDelete {
  /** The last revision before the delete began. */
  revision: Revision;
  /** Keys that lived then, and the fewest that lived afterwards. */
  keysBefore: number;
  keysAfter: number;
}

/**
 * Follows how many keys of a prefix live, revision by revision, and finds the newest moment at which more than half of them
 * were lost. Memory: 30 bytes a key and 16 a revision that changes their number.
 */
export class LivingKeys {
  readonly #states = new KeyTable();
  readonly #hash = new KeyHash();
  #revisions = new Float64Array(1024);
  #counts = new Float64Array(1024);
  #length = 0;
  #living = 0;

  /** A row of a key of the prefix; revisions ascend. */
  row(revision: Revision, tombstone: boolean, bytes: Uint8Array, keyStart: number, keyEnd: number): void {
    this.#hash.update(bytes, keyStart, keyEnd);
    const slot = this.#states.find(this.#hash);
    const lived = slot !== -1 && this.#states.value(slot) === 1;
    if (slot === -1) this.#states.insert(this.#hash, tombstone ? 0 : 1);
    else this.#states.set(slot, tombstone ? 0 : 1);
    if (lived !== tombstone) return;
    this.#living += tombstone ? -1 : 1;
    this.#note(revision);
  }

  get living(): number {
    return this.#living;
  }

  /**
   * The newest loss of more than half of the keys, in the revisions from `from` to `to`: below, what is counted may lack keys.
   * `lowestLater`: the fewest keys that lived after `to`, when that is known.
   */
  newestLoss(from: Revision, to: Revision, lowestLater = Infinity): MassDelete | undefined {
    const first = this.#stateAt(from);
    let lowest = lowestLater;
    for (let index = this.#length - 1; index >= first; index--) {
      const count = this.#counts[index]!;
      // From here on fewer than half of what lived at `index` were left.
      if (lowest * 2 < count) return this.#momentBefore(index, { first, to, keysAfter: lowest });
      lowest = Math.min(lowest, count);
    }
    return undefined;
  }

  /** The fewest keys that lived at any revision from `from` on. */
  lowest(from: Revision): number {
    // Before the first change there was none.
    let lowest = this.#length === 0 || this.#revisions[0]! > from ? 0 : Infinity;
    for (let index = this.#stateAt(from); index < this.#length; index++) {
      lowest = Math.min(lowest, this.#counts[index]!);
    }
    return lowest;
  }

  /** Goes back through the loss to the last revision at which almost all lived, and to the beginning of its burst. */
  #momentBefore(crossing: number, loss: { first: number; to: Revision; keysAfter: number }): MassDelete {
    const { first, to, keysAfter } = loss;
    let peak = 0;
    // Where, seen backwards, half of them are not there yet, is the growth before.
    for (let index = crossing; index >= first && this.#counts[index]! * 2 > peak; index--) {
      peak = Math.max(peak, this.#counts[index]!);
    }
    let at = crossing;
    while (at > first && this.#counts[at]! * 10 < peak * ALMOST_ALL_TENTHS) at--;
    while (at > first && this.#isLossOfBurst(at, to)) at--;
    // All revisions up to the next change show this number of keys.
    return { revision: this.#nextChange(at, to) - 1, keysBefore: this.#counts[at]!, keysAfter };
  }

  /** True when the change at `index` was a loss, too, and the next change followed soon. */
  #isLossOfBurst(index: number, to: Revision): boolean {
    if (this.#counts[index - 1]! <= this.#counts[index]!) return false;
    return this.#nextChange(index, to) - this.#revisions[index]! <= BURST_REVISIONS;
  }

  #nextChange(index: number, to: Revision): Revision {
    return index + 1 < this.#length ? this.#revisions[index + 1]! : to + 1;
  }

  /** The last entry at or below a revision: what lived then. */
  #stateAt(revision: Revision): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#revisions[middle]! <= revision) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  /** One entry a revision: the number after all of its rows. */
  #note(revision: Revision): void {
    if (this.#length === 0 || this.#revisions[this.#length - 1] !== revision) {
      if (this.#length === this.#revisions.length) this.#grow();
      this.#revisions[this.#length++] = revision;
    }
    this.#counts[this.#length - 1] = this.#living;
  }

  #grow(): void {
    const [revisions, counts] = [this.#revisions, this.#counts];
    this.#revisions = new Float64Array(revisions.length * 2);
    this.#counts = new Float64Array(counts.length * 2);
    this.#revisions.set(revisions);
    this.#counts.set(counts);
  }
}
