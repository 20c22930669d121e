import { EtcdOpsError } from '../base/errors.ts';
import type { Revision } from './revision.ts';

/** mvccpb.KeyValue, as a row's value holds it. Source: etcd api/mvccpb/kv.proto. `key` and `value` are views. */
export interface KeyValue {
  key: Uint8Array;
  createRevision: Revision;
  modRevision: Revision;
  /** 1 for a key's first value since it was created. */
  version: number;
  value: Uint8Array;
  /** 0n: none. Signed, as etcd's lease ids are. */
  lease: bigint;
}

const NOTHING = new Uint8Array(0);
const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

/**
 * Reads a row's value. A tombstone has only the key; the row that `--bump-revision` writes is empty and gives an empty key.
 * Unknown fields are skipped.
 * @throws EtcdOpsError MVCC_DAMAGED when it is no protobuf message.
 */
export function scanKeyValue(bytes: Uint8Array): KeyValue {
  const result: KeyValue = { key: NOTHING, createRevision: 0, modRevision: 0, version: 0, value: NOTHING, lease: 0n };
  const reader = new ProtoScanner(bytes);
  while (reader.nextField()) {
    switch (reader.tag) {
      case (1 << 3) | LENGTH_DELIMITED:
        result.key = reader.takeBytes();
        break;
      case (2 << 3) | VARINT:
        result.createRevision = reader.takeNumber();
        break;
      case (3 << 3) | VARINT:
        result.modRevision = reader.takeNumber();
        break;
      case (4 << 3) | VARINT:
        result.version = reader.takeNumber();
        break;
      case (5 << 3) | LENGTH_DELIMITED:
        result.value = reader.takeBytes();
        break;
      case (6 << 3) | VARINT:
        result.lease = BigInt.asIntN(64, reader.takeBigInt());
        break;
      default:
        reader.skip();
    }
  }
  return result;
}

/** Just enough protobuf for etcd's small messages. Every length is checked against the bytes that are there. */
export class ProtoScanner {
  /** Field number and wire type of the field at hand. */
  tag = 0;
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Goes on to the next field; its content must be taken or skipped. False at the end. */
  nextField(): boolean {
    if (this.#offset >= this.#bytes.length) return false;
    this.tag = this.takeNumber();
    return true;
  }

  takeNumber(): number {
    let result = 0;
    let scale = 1;
    for (let index = 0; index < 10; index++) {
      const byte = this.#byte();
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (result > Number.MAX_SAFE_INTEGER) throw damaged(`the number ${result} is larger than 2^53`);
        return result;
      }
      scale *= 128;
    }
    throw damaged('a number does not end');
  }

  takeBigInt(): bigint {
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, result);
    }
    throw damaged('a number does not end');
  }

  takeBytes(): Uint8Array {
    const length = this.takeNumber();
    const end = this.#offset + length;
    if (end > this.#bytes.length) throw damaged(`a field of ${length} bytes ends behind the message`);
    const bytes = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return bytes;
  }

  skip(): void {
    const wireType = this.tag & 7;
    if (wireType === VARINT) this.takeBigInt();
    else if (wireType === LENGTH_DELIMITED) this.takeBytes();
    else if (wireType === FIXED64 || wireType === FIXED32) this.#advance(wireType === FIXED64 ? 8 : 4);
    else throw damaged(`the wire type ${wireType} is unknown`);
  }

  #advance(bytes: number): void {
    if (this.#offset + bytes > this.#bytes.length) throw damaged('a field ends behind the message');
    this.#offset += bytes;
  }

  #byte(): number {
    const byte = this.#bytes[this.#offset++];
    if (byte === undefined) throw damaged('it ends inside a number');
    return byte;
  }
}

function damaged(rule: string): EtcdOpsError {
  return new EtcdOpsError('MVCC_DAMAGED', { message: `Not a protobuf message of etcd: ${rule}` });
}
