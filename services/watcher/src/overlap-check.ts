import {
  digestFits,
  RevisionDigest,
  TOMBSTONE_KEY_BYTES,
  writeRevisionKey,
  type ByteSlice,
  type Revision,
} from '@etcd-ops/core';

/** The rows of one revision as a watch delivered them. */
export interface RevisionMark {
  /** RevisionDigest of the rows, lower-case hex. */
  digest: string;
  rowCount: number;
}

/**
 * What the first rows of a watch from the anchor say.
 * - `same`, `other`: the rows of the anchor came whole, and are (not) the recorded ones
 * - `missing`: a later revision came first, although rows are recorded for the anchor
 * - `uncompared`: nothing was recorded to compare with
 */
export type OverlapOutcome = 'same' | 'other' | 'missing' | 'uncompared';

/**
 * The overlap check: the one thing that tells a cluster that goes on from a cluster that was restored behind our back.
 *
 * A restore with the same token keeps cluster and member ids, and a watch from L + 1 on it splices the fork into the
 * history without a word. So each watch begins at the anchor (L itself, not L + 1), and the first rows must be the rows
 * that were recorded for it. This object takes them away from the watch: they are compared, never published again.
 */
export class OverlapCheck {
  readonly anchor: Revision;
  readonly #recorded: string | null;
  readonly #digest = new RevisionDigest();
  readonly #key = Buffer.alloc(TOMBSTONE_KEY_BYTES);
  readonly #settled = Promise.withResolvers<OverlapOutcome>();
  #outcome: OverlapOutcome | undefined;
  #seen: RevisionMark | null = null;

  /** `recorded`: the RevisionDigest that was recorded for the anchor, plain or sealed; null when none was. */
  constructor(anchor: Revision, recorded: string | null) {
    this.anchor = anchor;
    this.#recorded = recorded;
  }

  /** Resolves when the rows of the anchor are whole, or a later revision came first. It may never. */
  get settled(): Promise<OverlapOutcome> {
    return this.#settled.promise;
  }

  get outcome(): OverlapOutcome | undefined {
    return this.#outcome;
  }

  /** The rows of the anchor as this watch delivered them; null when it delivered none. */
  get seen(): RevisionMark | null {
    return this.#seen;
  }

  /** Takes a row if it belongs to the anchor or lies before it; answers false when the row is new. */
  takes(main: Revision, tombstone: boolean, value: ByteSlice): boolean {
    if (this.#outcome !== undefined) return false;
    if (main > this.anchor) {
      this.#settle();
      return false;
    }
    if (main === this.anchor) {
      const keyBytes = writeRevisionKey(this.#key, 0, main, this.#digest.rowCount, tombstone);
      this.#digest.update(this.#key.subarray(0, keyBytes), value.view());
    }
    return true;
  }

  /** The end of one response. `complete`: the revision that it ended in is whole. */
  endBatch(complete: boolean): void {
    if (this.#outcome === undefined && complete && this.#digest.rowCount > 0) this.#settle();
  }

  #settle(): void {
    const rowCount = this.#digest.rowCount;
    if (rowCount > 0) this.#seen = { digest: this.#digest.hex(), rowCount };
    this.#outcome = compare(this.#recorded, this.#seen);
    this.#settled.resolve(this.#outcome);
  }
}

function compare(recorded: string | null, seen: RevisionMark | null): OverlapOutcome {
  if (recorded === null) return 'uncompared';
  if (seen === null) return 'missing';
  return digestFits(recorded, seen.digest) ? 'same' : 'other';
}
