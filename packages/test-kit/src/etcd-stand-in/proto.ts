/** As much of protobuf as the stand-in speaks: it is no code of ours that it is meant to check. */

export function varint(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

/** A number field; zero is left out, as proto3 does. */
export function numberField(field: number, value: number | bigint | boolean): Buffer {
  const number = typeof value === 'boolean' ? Number(value) : value;
  return Number(number) === 0 ? Buffer.alloc(0) : Buffer.from([field << 3, ...varint(number)]);
}

/** A field of bytes, a text or a message; it is there even when it is empty. */
export function bytesField(field: number, value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...varint(bytes.length)]), bytes]);
}

export interface Fields {
  numbers: Map<number, bigint>;
  bytes: Map<number, Buffer>;
}

/** Of a field that is repeated, the last one. @throws RangeError on malformed bytes. */
export function parseFields(message: Buffer): Fields {
  const fields: Fields = { numbers: new Map(), bytes: new Map() };
  let offset = 0;
  const take = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message.readUInt8(offset++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (offset < message.length) {
    const tag = Number(take());
    if ((tag & 7) === 0) fields.numbers.set(tag >>> 3, take());
    else if ((tag & 7) === 2) {
      const length = Number(take());
      fields.bytes.set(tag >>> 3, message.subarray(offset, offset + length));
      offset += length;
    } else throw new RangeError(`a field of wire type ${tag & 7}`);
  }
  return fields;
}

/** gRPC's frame of one message: not compressed, its length, itself. */
export function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Gathers the frames of a stream of bytes. */
export class Unframer {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Buffer[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const messages: Buffer[] = [];
    while (this.#rest.length >= 5) {
      const end = 5 + this.#rest.readUInt32BE(1);
      if (this.#rest.length < end) break;
      messages.push(this.#rest.subarray(5, end));
      this.#rest = this.#rest.subarray(end);
    }
    return messages;
  }
}
