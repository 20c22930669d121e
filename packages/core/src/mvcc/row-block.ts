import { createHash, type Hash } from 'node:crypto';
import type { ByteSlice } from '../base/byte-slice.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { freeBuffer } from '../base/free-buffer.ts';
import { compareBytes } from '../bolt/format.ts';
import { REVISION_KEY_BYTES, readMain, TOMBSTONE_KEY_BYTES, writeRevisionKey, type Revision } from './revision.ts';

/**
 * A row block is a run of rows of etcd's bucket `key`, as the bus carries and a delta stores them (docs/FORMAT.md):
 *
 *     count u32 LE | count x (value length << 1 | tombstone) u32 LE | key 0 value 0 key 1 value 1 ...
 *
 * The last part is byte for byte what a bbolt leaf page holds, so that HashKV and restore take whole runs of it.
 */
export const ROW_BLOCK_COUNT_BYTES = 4;
export const ROW_ENTRY_BYTES = 4;
/** etcd's own bound of a value is its request limit; bbolt's is 2^31 - 2. What is larger than this is damage. */
export const ROW_VALUE_BYTES_MAX = 2 ** 30;

/** What a builder allocates at first. */
const ROWS_MIN = 8;
const DATA_BYTES_MIN = 512;
/** Memory above this is kept for the next block only where this one filled one part in so many of it. */
const DATA_BYTES_KEPT = 4096;
const KEPT_SHARE = 4;

/** Collects rows in revision order and encodes them. Reused: `take` empties it. A fleet has one for each cluster, so a calm one holds little. */
export class RowBlockBuilder {
  #entries = new Uint32Array(0);
  #count = 0;
  #data = Buffer.alloc(0);
  #used = 0;

  get rowCount(): number {
    return this.#count;
  }

  /** Bytes that `take` would return now. */
  get byteLength(): number {
    return ROW_BLOCK_COUNT_BYTES + this.#count * ROW_ENTRY_BYTES + this.#used;
  }

  /** Appends a row; `value` is copied. Rows must come in ascending (main, sub) order: the reader checks. */
  append(main: Revision, sub: number, tombstone: boolean, value: Uint8Array): void {
    const offset = this.#begin(main, sub, tombstone, value.length);
    this.#data.set(value, offset);
  }

  /** The same of a value that lies in a larger buffer. */
  appendSlice(main: Revision, sub: number, tombstone: boolean, value: ByteSlice): void {
    const offset = this.#begin(main, sub, tombstone, value.length);
    value.copyTo(this.#data, offset);
  }

  /** Appends a row whose revision key is at hand as bytes (17 or 18 of them). */
  appendEncoded(key: Uint8Array, value: Uint8Array): void {
    this.#reserve(key.length + value.length);
    this.#data.set(key, this.#used);
    this.#data.set(value, this.#used + key.length);
    this.#push(value.length, key.length === TOMBSTONE_KEY_BYTES, key.length);
  }

  /** Returns the encoded block and empties the builder. */
  take(): Buffer {
    const block = Buffer.allocUnsafe(this.byteLength);
    block.writeUInt32LE(this.#count, 0);
    let offset = ROW_BLOCK_COUNT_BYTES;
    for (let row = 0; row < this.#count; row++, offset += ROW_ENTRY_BYTES) {
      block.writeUInt32LE(this.#entries[row]!, offset);
    }
    this.#data.copy(block, offset, 0, this.#used);
    if (this.#data.length > DATA_BYTES_KEPT && this.#used * KEPT_SHARE < this.#data.length) {
      freeBuffer(this.#data);
      this.#data = Buffer.alloc(0);
      this.#entries = new Uint32Array(0);
    }
    this.#count = 0;
    this.#used = 0;
    return block;
  }

  /** Makes room for a row and writes its key; answers where in `#data` the value belongs. */
  #begin(main: Revision, sub: number, tombstone: boolean, valueLength: number): number {
    const keyBytes = tombstone ? TOMBSTONE_KEY_BYTES : REVISION_KEY_BYTES;
    this.#reserve(keyBytes + valueLength);
    const valueOffset = writeRevisionKey(this.#data, this.#used, main, sub, tombstone);
    this.#push(valueLength, tombstone, keyBytes);
    return valueOffset;
  }

  #push(valueLength: number, tombstone: boolean, keyBytes: number): void {
    if (this.#count === this.#entries.length) {
      const larger = new Uint32Array(Math.max(ROWS_MIN, this.#entries.length * 2));
      larger.set(this.#entries);
      this.#entries = larger;
    }
    this.#entries[this.#count++] = ((valueLength << 1) | (tombstone ? 1 : 0)) >>> 0;
    this.#used += keyBytes + valueLength;
  }

  #reserve(bytes: number): void {
    const needed = this.#used + bytes;
    if (needed <= this.#data.length) return;
    // Not out of the pool that small buffers share: it would be held as long as the builder is.
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, DATA_BYTES_MIN, this.#data.length * 2));
    this.#data.copy(larger, 0, 0, this.#used);
    freeBuffer(this.#data);
    this.#data = larger;
  }
}

/** A parsed row block. `data` is a view of the given bytes: nothing is copied. */
export class RowBlock {
  readonly rowCount: number;
  /** key 0 value 0 key 1 value 1 ... */
  readonly data: Buffer;
  /** Offsets into `data`: row i is [offsets[i], offsets[i + 1]). */
  readonly offsets: Uint32Array;
  readonly #bytes: Buffer;

  private constructor(bytes: Buffer, rowCount: number, data: Buffer, offsets: Uint32Array) {
    this.#bytes = bytes;
    this.rowCount = rowCount;
    this.data = data;
    this.offsets = offsets;
  }

  /**
   * Checks lengths, key shapes and strictly ascending revision keys.
   * @throws EtcdOpsError ROW_BLOCK_DAMAGED naming the row and the rule.
   */
  static parse(bytes: Buffer): RowBlock {
    if (bytes.length < ROW_BLOCK_COUNT_BYTES) throw damaged(`${bytes.length} bytes are too few for a row count`);
    const rowCount = bytes.readUInt32LE(0);
    const dataOffset = ROW_BLOCK_COUNT_BYTES + rowCount * ROW_ENTRY_BYTES;
    if (dataOffset > bytes.length) throw damaged(`${rowCount} rows do not fit into ${bytes.length} bytes`);
    const data = bytes.subarray(dataOffset);
    const offsets = new Uint32Array(rowCount + 1);
    let used = 0;
    for (let row = 0; row < rowCount; row++) {
      const entry = bytes.readUInt32LE(ROW_BLOCK_COUNT_BYTES + row * ROW_ENTRY_BYTES);
      const tombstone = (entry & 1) === 1;
      const keyBytes = tombstone ? TOMBSTONE_KEY_BYTES : REVISION_KEY_BYTES;
      const valueLength = entry >>> 1;
      const end = used + keyBytes + valueLength;
      if (valueLength > ROW_VALUE_BYTES_MAX || end > data.length) {
        throw damaged(`row ${row} of ${valueLength} bytes ends behind the block`);
      }
      if (data[used + 8] !== 0x5f || (tombstone && data[used + REVISION_KEY_BYTES] !== 0x74)) {
        throw damaged(`row ${row} does not begin with a revision key`);
      }
      if (row > 0 && compareRevisions(data, offsets[row - 1]!, used) >= 0) {
        throw damaged(`row ${row} does not come after the row before it`);
      }
      offsets[row] = used;
      used = end;
    }
    offsets[rowCount] = used;
    if (used !== data.length) throw damaged(`${data.length - used} bytes follow the last row`);
    return new RowBlock(bytes, rowCount, data, offsets);
  }

  /** The encoded block that was parsed. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  main(row: number): Revision {
    return readMain(this.data, this.offsets[row]!);
  }

  isTombstone(row: number): boolean {
    return (this.#entry(row) & 1) === 1;
  }

  /** The revision key of a row: a view of 17 or 18 bytes. */
  key(row: number): Buffer {
    const start = this.offsets[row]!;
    return this.data.subarray(start, start + (this.isTombstone(row) ? TOMBSTONE_KEY_BYTES : REVISION_KEY_BYTES));
  }

  value(row: number): Buffer {
    const end = this.offsets[row + 1]!;
    return this.data.subarray(end - (this.#entry(row) >>> 1), end);
  }

  /** The first row whose main revision is above `revision`; rowCount if there is none. */
  firstRowAbove(revision: Revision): number {
    let low = 0;
    let high = this.rowCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.main(middle) > revision) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #entry(row: number): number {
    return this.#bytes.readUInt32LE(ROW_BLOCK_COUNT_BYTES + row * ROW_ENTRY_BYTES);
  }
}

/**
 * The digest of one revision's rows: SHA-256 over (key length u32 LE, key, value length u32 LE, value) of each row in order.
 * It is what a resumed watch is compared with, and what tells a fork from a continuation (docs/FORMAT.md).
 */
export class RevisionDigest {
  readonly #hash: Hash = createHash('sha256');
  readonly #lengths = Buffer.allocUnsafe(8);
  rowCount = 0;

  update(key: Uint8Array, value: Uint8Array): void {
    this.#lengths.writeUInt32LE(key.length, 0);
    this.#lengths.writeUInt32LE(value.length, 4);
    this.#hash.update(this.#lengths.subarray(0, 4)).update(key).update(this.#lengths.subarray(4)).update(value);
    this.rowCount++;
  }

  /** 32 bytes as lower-case hex. The object is used up. */
  hex(): string {
    return this.#hash.digest('hex');
  }
}

/** Not by `Buffer.compare`: neighbours differ within a few bytes, and a call out of JavaScript costs ten times that. */
function compareRevisions(data: Buffer, left: number, right: number): number {
  return compareBytes(data, left, left + REVISION_KEY_BYTES, data, right, right + REVISION_KEY_BYTES);
}

function damaged(rule: string): EtcdOpsError {
  return new EtcdOpsError('ROW_BLOCK_DAMAGED', { message: `Row block: ${rule}` });
}
