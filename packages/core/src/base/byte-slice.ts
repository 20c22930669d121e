/**
 * Bytes [start, end) of a buffer, as one object that its owner moves on and on: a view of its own for each of a million rows is what a
 * collector of garbage spends its time on. Valid only until the owner moves it.
 */
export class ByteSlice {
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;

  static of(bytes: Uint8Array): ByteSlice {
    return new ByteSlice().move(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
  }

  get length(): number {
    return this.end - this.start;
  }

  move(bytes: Buffer, start: number, end: number): this {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    return this;
  }

  copyTo(target: Uint8Array, offset: number): void {
    this.bytes.copy(target, offset, this.start, this.end);
  }

  /** A view for whoever needs one: it stays valid as long as the buffer. */
  view(): Buffer {
    return this.bytes.subarray(this.start, this.end);
  }
}
