import type { BoltFile } from '../bolt/bolt-file.ts';
import { compareBytes } from '../bolt/format.ts';
import type { LeafView } from '../bolt/page.ts';
import { encodeRevisionKey, readMain, REVISION_KEY_BYTES, type Revision } from '../mvcc/revision.ts';
import type { RowBlock } from '../mvcc/row-block.ts';
import { rowMain } from '../mvcc/row-key.ts';
import { ROW_BUCKET } from '../mvcc/store-info.ts';

/** The first row in which a database file and the deltas before it differ. */
export interface RowDifference {
  revision: Revision;
  /** For people, with the file as the subject: `row 3 has another value`. */
  rule: string;
}

export interface RowRange {
  /** Rows above this revision ... */
  after: Revision;
  /** ... and up to this one are compared. */
  upTo: Revision;
  /** C of the file: at and below it compaction may have taken rows, but never changed one. */
  compactRevision: Revision;
}

/**
 * Compares the rows of a database file with the same rows as deltas hold them, byte for byte. Both hold the rows one behind the
 * other, so whole runs are one comparison. Nothing else may read the file meanwhile.
 * @throws EtcdOpsError BOLT_DAMAGED, MVCC_DAMAGED
 */
export class RowComparison {
  rows = 0;
  rowBytes = 0;
  /** Set once: what follows a difference tells nothing more. */
  difference: RowDifference | undefined;
  readonly #range: RowRange;
  readonly #leaves: Iterator<LeafView>;
  #leaf: LeafView | undefined;
  #entry = 0;

  constructor(file: BoltFile, range: RowRange) {
    this.#range = range;
    const leaves = file.bucket(ROW_BUCKET)?.leaves({ fromKey: encodeRevisionKey(range.after + 1) }) ?? [];
    this.#leaves = leaves[Symbol.iterator]();
    this.#nextLeaf();
  }

  /** Compares the rows [from, to) of the next block. Blocks MUST come in order and without a hole; false after a difference. */
  compare(block: RowBlock, from: number, to: number): boolean {
    let row = from;
    while (row < to && this.difference === undefined) {
      row = this.#isCompacted(block, row) ? this.#compareOne(block, row) : this.#compareRun(block, row, to);
    }
    this.rows += row - from;
    this.rowBytes += block.offsets[row]! - block.offsets[from]!;
    return this.difference === undefined;
  }

  /** After the last block: the file must hold no more rows of the range. */
  finish(): void {
    if (this.difference !== undefined || this.#leaf === undefined) return;
    const revision = rowMain(this.#leaf, this.#entry);
    if (revision > this.#range.upTo) return;
    this.difference = { revision, rule: `the full has row ${this.#sub()}, and the deltas do not` };
  }

  #isCompacted(block: RowBlock, row: number): boolean {
    return block.main(row) <= this.#range.compactRevision;
  }

  /** As many rows at once as the leaf and the block both hold; one by one only to name a difference. */
  #compareRun(block: RowBlock, row: number, to: number): number {
    const leaf = this.#leaf;
    if (leaf === undefined || !leaf.contiguous) return this.#compareOne(block, row);
    const entry = this.#entry;
    const count = Math.min(to - row, leaf.count - entry);
    const leafStart = leaf.keyOffset(entry);
    const blockStart = block.offsets[row]!;
    const length = block.offsets[row + count]! - blockStart;
    const last = entry + count - 1;
    const leafEnd = leaf.keyOffset(last) + leaf.keyLength(last) + leaf.valueLength(last);
    const { data } = block;
    const isEqual =
      leafEnd - leafStart === length &&
      leaf.buffer.compare(data, blockStart, blockStart + length, leafStart, leafEnd) === 0 &&
      hasSameBorders(leaf, entry, block, row, count);
    if (!isEqual) return this.#compareOne(block, row);
    this.#advance(count);
    return row + count;
  }

  /** Returns the row to go on with. */
  #compareOne(block: RowBlock, row: number): number {
    const { data, offsets } = block;
    const start = offsets[row]!;
    const order = this.#leaf === undefined ? 1 : this.#compareKeys(this.#leaf, data, start);
    if (order === 0) {
      this.#compareValues(this.#leaf!, block, row);
      this.#advance(1);
      return row + 1;
    }
    const sub = readMain(data, start + 9);
    if (order < 0) {
      const revision = rowMain(this.#leaf!, this.#entry);
      this.difference = { revision, rule: `the full has row ${this.#sub()}, and the deltas do not` };
      return row;
    }
    // Behind C nothing may be missing; before it, compaction may have taken the row.
    if (!this.#isCompacted(block, row)) {
      this.difference = { revision: block.main(row), rule: `the full does not have row ${sub} of the deltas` };
    }
    return row + 1;
  }

  #compareKeys(leaf: LeafView, data: Buffer, start: number): number {
    const offset = leaf.keyOffset(this.#entry);
    rowMain(leaf, this.#entry);
    const end = offset + REVISION_KEY_BYTES;
    return compareBytes(leaf.buffer, offset, end, data, start, start + REVISION_KEY_BYTES);
  }

  #compareValues(leaf: LeafView, block: RowBlock, row: number): void {
    const entry = this.#entry;
    const isDeletion = leaf.keyLength(entry) > REVISION_KEY_BYTES;
    const isAlike = isDeletion === block.isTombstone(row);
    if (isAlike && leaf.value(entry).equals(block.value(row))) return;
    const unlike = isDeletion ? 'is a deletion, unlike' : 'is no deletion, unlike';
    const rule = `row ${this.#sub()} of the full ${isAlike ? 'has another value than' : unlike} in the deltas`;
    this.difference = { revision: block.main(row), rule };
  }

  /** The sub of the file's row at hand. */
  #sub(): number {
    return readMain(this.#leaf!.buffer, this.#leaf!.keyOffset(this.#entry) + 9);
  }

  #advance(rows: number): void {
    this.#entry += rows;
    if (this.#entry >= this.#leaf!.count) this.#nextLeaf();
  }

  #nextLeaf(): void {
    const { done, value } = this.#leaves.next();
    this.#leaf = done === true ? undefined : value;
    this.#entry = this.#leaf?.first ?? 0;
  }
}

/** Equal bytes are equal rows only when they are cut into rows alike. */
function hasSameBorders(leaf: LeafView, entry: number, block: RowBlock, row: number, count: number): boolean {
  const shift = leaf.keyOffset(entry) - block.offsets[row]!;
  for (let index = 0; index < count; index++) {
    if (leaf.keyOffset(entry + index) - block.offsets[row + index]! !== shift) return false;
    // Bytes that are equal have a `t` at the same place: only its meaning may differ.
    if (leaf.keyLength(entry + index) > REVISION_KEY_BYTES !== block.isTombstone(row + index)) return false;
  }
  return true;
}
