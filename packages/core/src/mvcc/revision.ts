import { EtcdOpsError } from '../base/errors.ts';

/** Bytes of a revision key: main (8, big endian) `_` sub (8, big endian). Source: etcd server/storage/mvcc/revision.go. */
export const REVISION_KEY_BYTES = 17;
/** A tombstone's revision key carries one more byte, `t`. */
export const TOMBSTONE_KEY_BYTES = 18;
const SEPARATOR = 0x5f;
const TOMBSTONE_MARK = 0x74;
const TWO_POW_32 = 0x1_0000_0000;

/** An MVCC revision (main). A double holds it exactly up to 2^53; larger ones are refused as damage. */
export type Revision = number;

export interface RevisionKey {
  main: Revision;
  sub: number;
  tombstone: boolean;
}

/** Writes the 17 or 18 bytes of a revision key at `offset`; returns the offset behind them. */
export function writeRevisionKey(
  target: Uint8Array,
  offset: number,
  main: Revision,
  sub: number,
  tombstone: boolean,
): number {
  writeUint64(target, offset, main);
  target[offset + 8] = SEPARATOR;
  writeUint64(target, offset + 9, sub);
  if (!tombstone) return offset + REVISION_KEY_BYTES;
  target[offset + REVISION_KEY_BYTES] = TOMBSTONE_MARK;
  return offset + TOMBSTONE_KEY_BYTES;
}

export function encodeRevisionKey(main: Revision, sub = 0, tombstone = false): Buffer {
  const key = Buffer.alloc(tombstone ? TOMBSTONE_KEY_BYTES : REVISION_KEY_BYTES);
  writeRevisionKey(key, 0, main, sub, tombstone);
  return key;
}

/** @throws EtcdOpsError MVCC_DAMAGED when the bytes are not a revision key. */
export function decodeRevisionKey(key: Uint8Array): RevisionKey {
  const tombstone = key.length === TOMBSTONE_KEY_BYTES;
  if (
    (!tombstone && key.length !== REVISION_KEY_BYTES) ||
    key[8] !== SEPARATOR ||
    (tombstone && key[REVISION_KEY_BYTES] !== TOMBSTONE_MARK)
  ) {
    throw new EtcdOpsError('MVCC_DAMAGED', {
      message: `Not a revision key: ${Buffer.from(key.subarray(0, 32)).toString('hex')}`,
    });
  }
  return { main: readMain(key, 0), sub: readUint64(key, 9), tombstone };
}

/** The main revision of the revision key at `offset`, without checking the rest of it. */
export function readMain(bytes: Uint8Array, offset: number): Revision {
  return readUint64(bytes, offset);
}

function writeUint64(target: Uint8Array, offset: number, value: number): void {
  const high = Math.floor(value / TWO_POW_32);
  const low = value >>> 0;
  target[offset] = high >>> 24;
  target[offset + 1] = high >>> 16;
  target[offset + 2] = high >>> 8;
  target[offset + 3] = high;
  target[offset + 4] = low >>> 24;
  target[offset + 5] = low >>> 16;
  target[offset + 6] = low >>> 8;
  target[offset + 7] = low;
}

function readUint64(bytes: Uint8Array, offset: number): number {
  const high =
    bytes[offset]! * 0x100_0000 + ((bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!);
  const low =
    bytes[offset + 4]! * 0x100_0000 + ((bytes[offset + 5]! << 16) | (bytes[offset + 6]! << 8) | bytes[offset + 7]!);
  const value = high * TWO_POW_32 + low;
  if (value > Number.MAX_SAFE_INTEGER) {
    throw new EtcdOpsError('MVCC_DAMAGED', {
      message: `A revision of ${value} is larger than 2^53 and cannot be real`,
    });
  }
  return value;
}
