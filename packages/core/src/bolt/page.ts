import {
  boltDamaged,
  BRANCH_PAGE,
  BUCKET_ELEMENT,
  compareBytes,
  ELEMENT_BYTES,
  KEY_BYTES_MAX,
  LEAF_PAGE,
  PAGE_HEADER_BYTES,
  readUint64,
  VALUE_BYTES_MAX,
} from './format.ts';

const NOTHING = Buffer.alloc(0);

/** A leaf as scans see it. Every view is valid only until the scan's next step. */
export interface LeafView {
  readonly id: number;
  readonly count: number;
  /** The first entry of this scan: above 0 only in the leaf that `fromKey` falls into. */
  readonly first: number;
  /** True when entry i + 1 begins where entry i ends: then `run` is one piece of bytes. bbolt always writes it so. */
  readonly contiguous: boolean;
  /** Bytes of the page, overflow included. */
  readonly byteLength: number;
  /** What the offsets below count in. */
  readonly buffer: Buffer;
  key(entry: number): Buffer;
  value(entry: number): Buffer;
  keyOffset(entry: number): number;
  keyLength(entry: number): number;
  valueLength(entry: number): number;
  isBucket(entry: number): boolean;
  /** The bytes `key value key value ...` of the entries [from, to). Only when `contiguous`. */
  run(from: number, to: number): Buffer;
}

/**
 * A branch or leaf page somewhere in memory, its elements checked: no accessor can reach outside the page.
 * Reused from page to page, so that a scan allocates nothing per page.
 */
export class Page implements LeafView {
  id = 0;
  isLeaf = true;
  count = 0;
  first = 0;
  contiguous = true;
  byteLength = 0;
  buffer: Buffer = NOTHING;
  view: DataView = new DataView(NOTHING.buffer);
  /** Where the page begins in `buffer`. */
  base = 0;
  #own: Buffer = NOTHING;
  #ownView: DataView = new DataView(NOTHING.buffer);

  /** Memory of this page alone, for callers that copy a page out of a cache. Grows, never shrinks. */
  own(bytes: number): { buffer: Buffer; view: DataView } {
    if (this.#own.length < bytes) {
      this.#own = Buffer.allocUnsafeSlow(bytes);
      this.#ownView = new DataView(this.#own.buffer, 0, bytes);
    }
    return { buffer: this.#own, view: this.#ownView };
  }

  /**
   * Points this page at bytes and checks the header and every element.
   * @throws EtcdOpsError BOLT_DAMAGED naming the page and the rule.
   */
  attach(path: string, id: number, bytes: { buffer: Buffer; view: DataView }, base: number, byteLength: number): void {
    const { buffer, view } = bytes;
    const flags = view.getUint16(base + 8, true);
    if (flags !== LEAF_PAGE && flags !== BRANCH_PAGE) {
      throw boltDamaged(path, id, `its flags ${flags} are neither leaf nor branch`);
    }
    this.id = id;
    this.isLeaf = flags === LEAF_PAGE;
    this.count = view.getUint16(base + 10, true);
    this.first = 0;
    this.buffer = buffer;
    this.view = view;
    this.base = base;
    this.byteLength = byteLength;
    if (PAGE_HEADER_BYTES + this.count * ELEMENT_BYTES > byteLength) {
      throw boltDamaged(path, id, `${this.count} elements do not fit into ${byteLength} bytes`);
    }
    if (this.isLeaf) this.#checkLeafElements(path);
    else this.#checkBranchElements(path);
  }

  keyOffset(entry: number): number {
    const element = this.#element(entry);
    return element + this.view.getUint32(this.isLeaf ? element + 4 : element, true);
  }

  keyLength(entry: number): number {
    return this.view.getUint32(this.#element(entry) + (this.isLeaf ? 8 : 4), true);
  }

  key(entry: number): Buffer {
    const offset = this.keyOffset(entry);
    return this.buffer.subarray(offset, offset + this.keyLength(entry));
  }

  valueLength(entry: number): number {
    return this.view.getUint32(this.#element(entry) + 12, true);
  }

  value(entry: number): Buffer {
    const offset = this.keyOffset(entry) + this.keyLength(entry);
    return this.buffer.subarray(offset, offset + this.valueLength(entry));
  }

  isBucket(entry: number): boolean {
    return (this.view.getUint32(this.#element(entry), true) & BUCKET_ELEMENT) !== 0;
  }

  child(entry: number): number {
    return readUint64(this.view, this.#element(entry) + 8);
  }

  run(from: number, to: number): Buffer {
    if (from >= to) return NOTHING;
    const last = to - 1;
    const end = this.keyOffset(last) + this.keyLength(last) + this.valueLength(last);
    return this.buffer.subarray(this.keyOffset(from), end);
  }

  compareKey(entry: number, key: Uint8Array): number {
    const offset = this.keyOffset(entry);
    return compareBytes(this.buffer, offset, offset + this.keyLength(entry), key, 0, key.length);
  }

  /** The first entry whose key is >= `key`; `count` when there is none. */
  lowerBound(key: Uint8Array): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compareKey(middle, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The child of this branch that can hold `key`: the last one whose key is <= it, else the first. */
  childIndexFor(key: Uint8Array): number {
    const index = this.lowerBound(key);
    if (index < this.count && this.compareKey(index, key) === 0) return index;
    return index === 0 ? 0 : index - 1;
  }

  #element(entry: number): number {
    return this.base + PAGE_HEADER_BYTES + entry * ELEMENT_BYTES;
  }

  #checkLeafElements(path: string): void {
    const { view, base, count, byteLength } = this;
    const tableEnd = PAGE_HEADER_BYTES + count * ELEMENT_BYTES;
    let previousEnd = -1;
    let contiguous = true;
    for (let entry = 0, element = PAGE_HEADER_BYTES; entry < count; entry++, element += ELEMENT_BYTES) {
      const flags = view.getUint32(base + element, true);
      const start = element + view.getUint32(base + element + 4, true);
      const keyBytes = view.getUint32(base + element + 8, true);
      const valueBytes = view.getUint32(base + element + 12, true);
      const end = start + keyBytes + valueBytes;
      if (flags > BUCKET_ELEMENT) throw boltDamaged(path, this.id, `entry ${entry} has the unknown flags ${flags}`);
      if (keyBytes === 0 || keyBytes > KEY_BYTES_MAX) {
        throw boltDamaged(path, this.id, `entry ${entry} has a key of ${keyBytes} bytes`);
      }
      if (valueBytes > VALUE_BYTES_MAX) {
        throw boltDamaged(path, this.id, `entry ${entry} has a value of ${valueBytes} bytes`);
      }
      if (start < tableEnd || end > byteLength) {
        throw boltDamaged(path, this.id, `entry ${entry} reaches outside the page`);
      }
      if (start !== previousEnd && previousEnd !== -1) contiguous = false;
      previousEnd = end;
    }
    this.contiguous = contiguous;
  }

  #checkBranchElements(path: string): void {
    const { view, base, count, byteLength } = this;
    if (count === 0) throw boltDamaged(path, this.id, 'a branch has no children');
    const tableEnd = PAGE_HEADER_BYTES + count * ELEMENT_BYTES;
    for (let entry = 0, element = PAGE_HEADER_BYTES; entry < count; entry++, element += ELEMENT_BYTES) {
      const start = element + view.getUint32(base + element, true);
      const keyBytes = view.getUint32(base + element + 4, true);
      if (keyBytes === 0 || keyBytes > KEY_BYTES_MAX) {
        throw boltDamaged(path, this.id, `child ${entry} has a key of ${keyBytes} bytes`);
      }
      if (start < tableEnd || start + keyBytes > byteLength) {
        throw boltDamaged(path, this.id, `child ${entry} reaches outside the page`);
      }
    }
  }
}
