/** Cuts a stream of bytes into blocks of one size; what might be the last block is held back until its end is known. */
export class BlockCutter {
  readonly #held: Buffer;
  #heldBytes = 0;

  constructor(blockBytes: number) {
    this.#held = Buffer.allocUnsafeSlow(blockBytes);
  }

  /** Whole blocks that are not the last one. Each is valid until the next is asked for; `bytes` until all were. */
  *add(bytes: Buffer): Generator<Buffer, void, undefined> {
    const size = this.#held.length;
    let offset = 0;
    if (this.#heldBytes > 0) {
      offset = bytes.copy(this.#held, this.#heldBytes);
      this.#heldBytes += offset;
      if (offset === bytes.length) return;
      this.#heldBytes = 0;
      yield this.#held;
    }
    for (; bytes.length - offset > size; offset += size) yield bytes.subarray(offset, offset + size);
    this.#heldBytes = bytes.copy(this.#held, 0, offset);
  }

  /** What is left: the last block, which is empty only when there was no byte at all. */
  last(): Buffer {
    return this.#held.subarray(0, this.#heldBytes);
  }
}
