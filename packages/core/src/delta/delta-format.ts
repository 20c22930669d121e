import { EtcdOpsError } from '../base/errors.ts';
import type { Codec } from '../codec/codec.ts';

/** The delta format, version 1. docs/FORMAT.md holds the byte tables: change both or neither, and only with a new version. */
export const DELTA_VERSION = 1;
export const DELTA_HEADER_BYTES = 128;
export const DELTA_FOOTER_BYTES = 192;
export const DELTA_SHA256_BYTES = 32;
/** Footer and SHA-256: what a ranged reader asks for first. */
export const DELTA_TAIL_BYTES = DELTA_FOOTER_BYTES + DELTA_SHA256_BYTES;
export const BLOCK_HEADER_BYTES = 48;
/** Every block begins at a multiple of this, so that numbers of an uncompressed block may be read in place. */
export const BLOCK_ALIGNMENT_BYTES = 8;
export const INDEX_ENTRY_BYTES = 32;
export const TIME_ENTRY_BYTES = 16;

/** A rows block is closed before the row that would make it longer than this; one larger row is a block of its own. */
export const ROWS_BLOCK_BYTES_TARGET = 256 * 1024;
/** Longest block, stored or plain. */
export const DELTA_BLOCK_BYTES_MAX = 2 ** 30;
/** Longest delta; encoder and whole-object decoder hold one in memory. The ranged reader takes it as a bound as well. */
export const DELTA_BYTES_MAX = 2 ** 31 - 1;
/** The smallest delta has a header, one rows block, an index of one entry and the tail. */
export const DELTA_BYTES_MIN = DELTA_HEADER_BYTES + 2 * BLOCK_HEADER_BYTES + INDEX_ENTRY_BYTES + DELTA_TAIL_BYTES;

/** Like PNG's: the high bit, both line ends and the end-of-file byte tell at once that a transfer mangled the file. */
export const HEADER_MAGIC = Buffer.from('89454f440d0a1a0a', 'hex');
export const FOOTER_MAGIC = Buffer.from('89454f460d0a1a0a', 'hex');
export const BLOCK_MAGIC = Buffer.from('BLK1', 'latin1');

export const BLOCK_TYPES = { rows: 1, leases: 2, times: 3, index: 4 } as const;
export type BlockType = keyof typeof BLOCK_TYPES;

export interface DeltaIdentity {
  clusterId: bigint;
  timeline: number;
  /** The writer's epoch: 32 lower-case hex digits. */
  epoch: string;
  /** `none` unless told. */
  codec?: Codec;
  /** 1 unless told. */
  compressionLevel?: number;
}

export interface DeltaFacts {
  clusterId: bigint;
  timeline: number;
  epoch: string;
  codec: Codec;
  firstRevision: number;
  lastRevision: number;
  rowCount: number;
  /** Bytes of all row blocks before compression. */
  rowBytes: number;
  /** Milliseconds since the epoch; 0 when no time is known (rows that were read out of a file). */
  firstObservedMs: number;
  lastObservedMs: number;
  /** RevisionDigest of the rows of `lastRevision`, hex. */
  lastRevisionDigest: string;
  lastRevisionRows: number;
  /** Size of the whole object. */
  bytes: number;
  /** The object's own last 32 bytes, hex: SHA-256 of everything before them. */
  sha256: string;
}

/** One known moment: `revision` and all before it had been seen at `observedMs`. */
export interface ObservedTime {
  revision: number;
  observedMs: number;
}

/** Where one rows block lies. */
export interface RowsBlockLocation {
  offset: number;
  storedBytes: number;
  rowCount: number;
  firstRevision: number;
  lastRevision: number;
}

/** Where a block lies that the footer points to; its length counts the block header and the stored bytes, not the padding. */
export interface BlockSpan {
  offset: number;
  length: number;
}

export function damagedDelta(offset: number, rule: string, cause?: unknown): EtcdOpsError {
  return new EtcdOpsError('DELTA_DAMAGED', { message: `Delta, byte ${offset}: ${rule}`, cause });
}

/** Bytes of zeros that bring `offset` to the next block border. */
export function paddingAt(offset: number): number {
  return -offset & (BLOCK_ALIGNMENT_BYTES - 1);
}

/** Reads a u64 that must be an exact double. `base` is the object offset of `bytes`, for the message. */
export function readSafeUint64(bytes: Buffer, offset: number, base: number): number {
  const value = bytes.readUInt32LE(offset + 4) * 0x1_0000_0000 + bytes.readUInt32LE(offset);
  if (!Number.isSafeInteger(value)) throw damagedDelta(base + offset, 'a number is larger than 2^53');
  return value;
}

export function writeSafeUint64(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32LE(value % 0x1_0000_0000, offset);
  bytes.writeUInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4);
}

/** @throws EtcdOpsError DELTA_DAMAGED when a reserved byte is set: version 1 has no meaning for it. */
export function assertZero(bytes: Buffer, from: number, to: number, base: number): void {
  for (let offset = from; offset < to; offset++) {
    if (bytes[offset] !== 0) throw damagedDelta(base + offset, 'a reserved byte is not zero');
  }
}
