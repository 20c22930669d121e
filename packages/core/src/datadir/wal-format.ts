import { crc32c } from '../base/crc32c.ts';
import { ProtoWriter } from './proto-writer.ts';

/** etcd preallocates a segment of this size (64 * 1000 * 1000; etcd server/storage/wal). */
export const WAL_FILE_BYTES = 64_000_000;
/** The name of the first segment: sequence 0, first raft index 0. */
export const FIRST_WAL_NAME = '0000000000000000-0000000000000000.wal';
export const WAL_LENGTH_FIELD_BYTES = 8;

/** Types of records in a segment (etcd server/storage/wal). */
export const WAL_RECORD_TYPES = { metadata: 1, entry: 2, hardState: 3, crc: 4, snapshot: 5 } as const;

/** Entry types of raft: an ordinary proposal, a configuration change, and one of the second kind. */
export const ENTRY_CONFIG_CHANGE = 1;

/**
 * Encodes the records of a segment. A frame is `length field u64 LE | record | zeros up to a multiple of 8`; the length field
 * holds the record's length in its low 56 bits and, when there are p > 0 bytes of padding, 0x80 | p in its top byte.
 * A record is {1: type, 2: crc, 3: data}; its crc is the running CRC-32C over the data of all records up to and with it.
 */
export class WalEncoder {
  readonly #frames: Buffer[] = [];
  #crc = 0;

  append(type: number, data?: Buffer): void {
    if (data !== undefined) this.#crc = crc32c(data, this.#crc);
    const record = new ProtoWriter().varint(1, type).varint(2, this.#crc >>> 0);
    if (data !== undefined) record.bytes(3, data);
    const bytes = record.finish();
    const padding = walPadding(bytes.length);
    const frame = Buffer.alloc(WAL_LENGTH_FIELD_BYTES + bytes.length + padding);
    frame.writeBigUInt64LE(walLengthField(bytes.length));
    bytes.copy(frame, WAL_LENGTH_FIELD_BYTES);
    this.#frames.push(frame);
  }

  finish(): Buffer {
    return Buffer.concat(this.#frames);
  }
}

export function walPadding(recordBytes: number): number {
  return (8 - (recordBytes % 8)) % 8;
}

export function walLengthField(recordBytes: number): bigint {
  const padding = walPadding(recordBytes);
  return padding === 0 ? BigInt(recordBytes) : (BigInt(0x80 | padding) << 56n) | BigInt(recordBytes);
}
