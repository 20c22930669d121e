import { EtcdOpsError } from '@etcd-ops/core';

export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
export const WIRE_FIXED32 = 5;

const VARINT_BYTES_MAX = 10;

/**
 * Reads protobuf fields out of one message. Every length is checked against what is left before it is used, so malformed bytes
 * end in an ETCD_FAILED and never in a read outside the message. One reader can be used again for the next message (`reset`).
 */
export class ByteReader {
  bytes: Buffer;
  position: number;
  end: number;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.position = 0;
    this.end = bytes.length;
  }

  reset(bytes: Buffer): void {
    this.bytes = bytes;
    this.position = 0;
    this.end = bytes.length;
  }

  get done(): boolean {
    return this.position >= this.end;
  }

  /** A field's tag: field number << 3 | wire type. */
  tag(): number {
    const tag = this.number();
    if (tag < 8 || tag > 0xffff_ffff) throw malformed(`${tag} is no field tag`);
    return tag;
  }

  /** A varint from 0 to 2^53 - 1; a larger or negative one is malformed here. */
  number(): number {
    const { bytes } = this;
    let { position } = this;
    if (position >= this.end) throw malformed('it ends inside a number');
    let byte = bytes[position++]!;
    if (byte < 0x80) {
      this.position = position;
      return byte;
    }
    let value = byte & 0x7f;
    for (let scale = 0x80, length = 1; length < 8; length++, scale *= 0x80) {
      if (position >= this.end) throw malformed('it ends inside a number');
      byte = bytes[position++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw malformed('a number is larger than 2^53');
        this.position = position;
        return value;
      }
    }
    throw malformed('a number is larger than 2^53 or negative');
  }

  /** An int64 that must lie within +-(2^53 - 1), such as a watch id or a compact revision. */
  signedNumber(): number {
    const value = this.int64();
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw malformed(`the number ${value} is outside +-2^53`);
    return number;
  }

  int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  uint64(): bigint {
    let low = 0;
    let high = 0;
    for (let length = 0; length < VARINT_BYTES_MAX; length++) {
      if (this.position >= this.end) throw malformed('it ends inside a number');
      const byte = this.bytes[this.position++]!;
      // 35 bits fit into `low` and 35 into `high` as exact doubles.
      if (length < 5) low += (byte & 0x7f) * 0x80 ** length;
      else high += (byte & 0x7f) * 0x80 ** (length - 5);
      if (byte < 0x80) return BigInt.asUintN(64, BigInt(low) + (BigInt(high) << 35n));
    }
    throw malformed('a number is longer than 10 bytes');
  }

  boolean(): boolean {
    return this.uint64() !== 0n;
  }

  /** The length of the bytes that follow; they are all there. */
  length(): number {
    const length = this.number();
    if (length > this.end - this.position) {
      throw malformed(`${length} bytes are announced and ${this.end - this.position} are left`);
    }
    return length;
  }

  /** A view, not a copy. */
  view(): Buffer {
    const length = this.length();
    const start = this.position;
    this.position = start + length;
    return this.bytes.subarray(start, this.position);
  }

  text(): string {
    return this.view().toString('utf8');
  }

  /** Passes over a length and the bytes that it announces. */
  skipBytesField(): void {
    const length = this.length();
    this.position += length;
  }

  skip(tag: number): void {
    switch (tag & 7) {
      case WIRE_VARINT:
        this.uint64();
        return;
      case WIRE_FIXED64:
        this.#skipBytes(8);
        return;
      case WIRE_BYTES:
        this.skipBytesField();
        return;
      case WIRE_FIXED32:
        this.#skipBytes(4);
        return;
      default:
        throw malformed(`${tag & 7} is no wire type`);
    }
  }

  #skipBytes(count: number): void {
    if (count > this.end - this.position) throw malformed('it ends inside a fixed number');
    this.position += count;
  }
}

export function malformed(rule: string): EtcdOpsError {
  return new EtcdOpsError('ETCD_FAILED', { message: `A message of etcd is malformed: ${rule}` });
}
