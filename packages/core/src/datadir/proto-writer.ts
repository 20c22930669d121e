const VARINT_BYTES_MAX = 10;
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;
/** What this writer encodes is raft metadata of a fresh cluster: far below this. */
export const PROTO_MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Writes one protobuf message, field by field in the order of the calls. Just what etcd's raft files need: varints and
 * length-delimited fields. Zero scalars are written when asked for, as etcd's gogo proto2 messages do.
 */
export class ProtoWriter {
  readonly #parts: Buffer[] = [];
  #bytes = 0;

  varint(field: number, value: bigint | number): this {
    this.#push(encodeVarint(field << 3));
    this.#push(encodeVarint(value));
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#push(encodeVarint((field << 3) | 2));
    this.#push(encodeVarint(value.length));
    this.#push(value);
    return this;
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts, this.#bytes);
  }

  #push(part: Uint8Array): void {
    this.#bytes += part.length;
    if (this.#bytes > PROTO_MESSAGE_BYTES_MAX) {
      throw new RangeError(`A protobuf message larger than ${PROTO_MESSAGE_BYTES_MAX} bytes`);
    }
    this.#parts.push(Buffer.from(part.buffer, part.byteOffset, part.length));
  }
}

export function encodeVarint(value: bigint | number): Buffer {
  let rest = BigInt(value);
  if (rest < 0n || rest > UINT64_MAX) throw new RangeError(`${value} is no unsigned 64-bit number`);
  const bytes = Buffer.allocUnsafe(VARINT_BYTES_MAX);
  let length = 0;
  while (rest > 0x7fn) {
    bytes[length++] = Number(rest & 0x7fn) | 0x80;
    rest >>= 7n;
  }
  bytes[length++] = Number(rest);
  return bytes.subarray(0, length);
}
