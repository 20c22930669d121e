import { ELEMENT_BYTES, PAGE_COUNT_MAX, PAGE_HEADER_BYTES } from './format.ts';

/** After a larger entry the memory is given back. */
const KEPT_BYTES_MAX = 1024 * 1024;

/** The entries of the leaf that is being filled: data as one run, sizes beside it. */
export class LeafInProgress {
  readonly #pageSize: number;
  /** Room for one page; more once an entry was larger than that. */
  data: Buffer;
  used = 0;
  count = 0;
  #flags: Uint32Array = new Uint32Array(64);
  #keyLengths: Uint32Array = new Uint32Array(64);
  #valueLengths: Uint32Array = new Uint32Array(64);

  constructor(pageSize: number) {
    this.#pageSize = pageSize;
    this.data = Buffer.allocUnsafeSlow(pageSize);
  }

  /** Bytes of the page as it stands. */
  get byteLength(): number {
    return PAGE_HEADER_BYTES + this.count * ELEMENT_BYTES + this.used;
  }

  /** Whether one more entry still fits into one page. An empty leaf takes an entry of any size. */
  hasRoomFor(entryBytes: number): boolean {
    return (
      this.count === 0 ||
      (this.byteLength + ELEMENT_BYTES + entryBytes <= this.#pageSize && this.count < PAGE_COUNT_MAX)
    );
  }

  get firstKeyLength(): number {
    return this.#keyLengths[0]!;
  }

  get firstKey(): Buffer {
    const key = Buffer.allocUnsafe(this.firstKeyLength);
    for (let index = 0; index < key.length; index++) key[index] = this.data[index]!;
    return key;
  }

  /** Counts an entry whose data is copied by `copyData`. */
  pushSizes(flags: number, keyLength: number, valueLength: number): void {
    if (this.count === this.#flags.length) this.#growSizes();
    this.#flags[this.count] = flags;
    this.#keyLengths[this.count] = keyLength;
    this.#valueLengths[this.count] = valueLength;
    this.count++;
  }

  copyData(source: Uint8Array, start: number, end: number): void {
    const needed = this.used + end - start;
    if (needed > this.data.length) {
      const larger = Buffer.allocUnsafeSlow(needed);
      this.data.copy(larger, 0, 0, this.used);
      this.data = larger;
    }
    if (Buffer.isBuffer(source)) source.copy(this.data, this.used, start, end);
    else this.data.set(source.subarray(start, end), this.used);
    this.used = needed;
  }

  /** Writes the element table at `base`; the data follows it directly. */
  writeElements(view: DataView, base: number): void {
    let position = this.count * ELEMENT_BYTES;
    for (let entry = 0, element = base; entry < this.count; entry++, element += ELEMENT_BYTES) {
      const keyLength = this.#keyLengths[entry]!;
      const valueLength = this.#valueLengths[entry]!;
      view.setUint32(element, this.#flags[entry]!, true);
      view.setUint32(element + 4, position, true);
      view.setUint32(element + 8, keyLength, true);
      view.setUint32(element + 12, valueLength, true);
      position += keyLength + valueLength - ELEMENT_BYTES;
    }
  }

  clear(): void {
    this.count = 0;
    this.used = 0;
    if (this.data.length > KEPT_BYTES_MAX) this.data = Buffer.allocUnsafeSlow(this.#pageSize);
  }

  #growSizes(): void {
    const grow = (old: Uint32Array): Uint32Array => {
      const larger = new Uint32Array(old.length * 2);
      larger.set(old);
      return larger;
    };
    this.#flags = grow(this.#flags);
    this.#keyLengths = grow(this.#keyLengths);
    this.#valueLengths = grow(this.#valueLengths);
  }
}
