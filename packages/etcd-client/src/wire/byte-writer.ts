import { WIRE_BYTES, WIRE_VARINT } from './byte-reader.ts';

/** Writes a protobuf message field by field; fields of value zero are left out, as proto3 does. */
export class ByteWriter {
  readonly #parts: Buffer[] = [];

  /** A varint field. Negative values are int64 and take 10 bytes. */
  integer(field: number, value: number | bigint | boolean): this {
    const whole = BigInt.asUintN(64, BigInt(value));
    if (whole !== 0n) this.#parts.push(encodeVarint(BigInt((field << 3) | WIRE_VARINT)), encodeVarint(whole));
    return this;
  }

  bytes(field: number, value: Uint8Array | string): this {
    return value.length === 0 ? this : this.message(field, typeof value === 'string' ? Buffer.from(value) : value);
  }

  /** A sub-message, which is there even when it is empty. */
  message(field: number, value: Uint8Array): this {
    this.#parts.push(
      encodeVarint(BigInt((field << 3) | WIRE_BYTES)),
      encodeVarint(BigInt(value.length)),
      Buffer.from(value),
    );
    return this;
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

export function encodeVarint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
