import { freeBuffer } from '../base/free-buffer.ts';
import { ROW_BLOCK_COUNT_BYTES, ROW_ENTRY_BYTES, type RowBlock } from '../mvcc/row-block.ts';
import { ROWS_BLOCK_BYTES_TARGET } from './delta-format.ts';

export interface RowBatch {
  /** An encoded row block. */
  plain: Buffer;
  rowCount: number;
  firstRevision: number;
  lastRevision: number;
}

/**
 * Cuts a sequence of rows into blocks of about 256 KiB. Where it cuts depends on the rows alone, never on the portions
 * they came in: two uploaders that got the same rows in other frames write the same bytes.
 */
export class RowBatcher {
  readonly #entries = Buffer.allocUnsafe(ROWS_BLOCK_BYTES_TARGET);
  #data = Buffer.allocUnsafe(ROWS_BLOCK_BYTES_TARGET);
  #rowCount = 0;
  #dataBytes = 0;
  #firstRevision = 0;
  #lastRevision = 0;

  /** Bytes that are not yet in a block. */
  get pendingBytes(): number {
    return this.#rowCount === 0 ? 0 : this.#plainBytes;
  }

  get #plainBytes(): number {
    return ROW_BLOCK_COUNT_BYTES + this.#rowCount * ROW_ENTRY_BYTES + this.#dataBytes;
  }

  /** Takes rows [fromRow, toRow) by copying them; yields each block that is full. */
  *add(block: RowBlock, fromRow: number, toRow: number): Generator<RowBatch> {
    let row = fromRow;
    while (row < toRow) {
      const end = this.#fittingRows(block, row, toRow);
      if (end === row) {
        yield this.take();
        continue;
      }
      this.#copy(block, row, end);
      row = end;
    }
  }

  /** The rows that are left over; only when `pendingBytes` is above 0. */
  take(): RowBatch {
    const plain = Buffer.allocUnsafe(this.#plainBytes);
    plain.writeUInt32LE(this.#rowCount, 0);
    const entriesEnd = ROW_BLOCK_COUNT_BYTES + this.#rowCount * ROW_ENTRY_BYTES;
    this.#entries.copy(plain, ROW_BLOCK_COUNT_BYTES, 0, entriesEnd - ROW_BLOCK_COUNT_BYTES);
    this.#data.copy(plain, entriesEnd, 0, this.#dataBytes);
    const batch = {
      plain,
      rowCount: this.#rowCount,
      firstRevision: this.#firstRevision,
      lastRevision: this.#lastRevision,
    };
    this.#rowCount = 0;
    this.#dataBytes = 0;
    if (this.#data.length > ROWS_BLOCK_BYTES_TARGET) this.#replaceData(ROWS_BLOCK_BYTES_TARGET);
    return batch;
  }

  #replaceData(bytes: number): void {
    freeBuffer(this.#data);
    this.#data = Buffer.allocUnsafeSlow(bytes);
  }

  /** The end of the rows from `row` on that go into the block at hand; an empty block takes at least one. */
  #fittingRows(block: RowBlock, row: number, toRow: number): number {
    const room = ROWS_BLOCK_BYTES_TARGET - this.#plainBytes;
    const start = block.offsets[row]!;
    let fitting = row;
    let above = toRow + 1;
    while (above - fitting > 1) {
      const middle = (fitting + above) >>> 1;
      if (block.offsets[middle]! - start + (middle - row) * ROW_ENTRY_BYTES <= room) fitting = middle;
      else above = middle;
    }
    return fitting === row && this.#rowCount === 0 ? row + 1 : fitting;
  }

  #copy(block: RowBlock, row: number, end: number): void {
    const from = block.offsets[row]!;
    const to = block.offsets[end]!;
    if (to - from > this.#data.length - this.#dataBytes) this.#replaceData(to - from);
    const entriesFrom = ROW_BLOCK_COUNT_BYTES + row * ROW_ENTRY_BYTES;
    block.bytes.copy(
      this.#entries,
      this.#rowCount * ROW_ENTRY_BYTES,
      entriesFrom,
      entriesFrom + (end - row) * ROW_ENTRY_BYTES,
    );
    block.data.copy(this.#data, this.#dataBytes, from, to);
    if (this.#rowCount === 0) this.#firstRevision = block.main(row);
    this.#lastRevision = block.main(end - 1);
    this.#rowCount += end - row;
    this.#dataBytes += to - from;
  }
}
