const VARINT_BYTES_MAX = 10;
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

/** One field of a protobuf message: varints as bigint, length-delimited ones as a view. */
export interface ProtoField {
  field: number;
  value: bigint | Buffer;
}

/** Thrown for bytes that are no protobuf message; callers turn it into their own error code. */
export class ProtoError extends Error {
  override readonly name = 'ProtoError';
}

/** Reads the fields of a message of varints and length-delimited fields. Every length is checked against the bytes left. */
export function readProto(bytes: Buffer): ProtoField[] {
  const fields: ProtoField[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const tag = readVarint(bytes, offset);
    offset = tag.end;
    const field = Number(tag.value >> 3n);
    const wireType = Number(tag.value & 7n);
    if (field === 0 || field > 0x1fff_ffff) {
      throw new ProtoError(`field number ${field} at byte ${offset} is not possible`);
    }
    if (wireType === 0) {
      const scalar = readVarint(bytes, offset);
      fields.push({ field, value: scalar.value });
      offset = scalar.end;
    } else if (wireType === 2) {
      const length = readVarint(bytes, offset);
      if (length.value > BigInt(bytes.length - length.end)) {
        throw new ProtoError(`field ${field} of ${length.value} bytes ends behind the message`);
      }
      offset = length.end + Number(length.value);
      fields.push({ field, value: bytes.subarray(length.end, offset) });
    } else {
      throw new ProtoError(`field ${field} has the unexpected wire type ${wireType}`);
    }
  }
  return fields;
}

/** The fields of a message by number: each at most once, none but the expected ones. */
export class ProtoMessage {
  readonly #fields = new Map<number, bigint | Buffer>();

  constructor(bytes: Buffer, expectedFields: readonly number[]) {
    for (const { field, value } of readProto(bytes)) {
      if (!expectedFields.includes(field)) throw new ProtoError(`unexpected field ${field}`);
      if (this.#fields.has(field)) throw new ProtoError(`field ${field} is there twice`);
      this.#fields.set(field, value);
    }
  }

  /** A required unsigned number. */
  varint(field: number): bigint {
    const value = this.#fields.get(field);
    if (typeof value !== 'bigint') throw new ProtoError(`field ${field} is missing or no number`);
    return value;
  }

  /** A required unsigned number of at most 2^53. */
  number(field: number): number {
    const value = this.varint(field);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ProtoError(`field ${field} is ${value}, more than 2^53`);
    return Number(value);
  }

  optionalBytes(field: number): Buffer | undefined {
    const value = this.#fields.get(field);
    if (typeof value === 'bigint') throw new ProtoError(`field ${field} is no byte string`);
    return value;
  }

  bytes(field: number): Buffer {
    const value = this.optionalBytes(field);
    if (value === undefined) throw new ProtoError(`field ${field} is missing`);
    return value;
  }
}

function readVarint(bytes: Buffer, start: number): { value: bigint; end: number } {
  let value = 0n;
  for (let length = 0; length < VARINT_BYTES_MAX; length++) {
    const byte = bytes[start + length];
    if (byte === undefined) throw new ProtoError(`a number at byte ${start} ends behind the message`);
    value |= BigInt(byte & 0x7f) << BigInt(7 * length);
    if (byte < 0x80) {
      if (value > UINT64_MAX) throw new ProtoError(`a number at byte ${start} has more than 64 bits`);
      return { value, end: start + length + 1 };
    }
  }
  throw new ProtoError(`a number at byte ${start} has more than ${VARINT_BYTES_MAX} bytes`);
}
