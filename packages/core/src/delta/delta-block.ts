import { crc32c } from '../base/crc32c.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { codecId, codecOfId, type Codec } from '../codec/codec.ts';
import { compressBlock, decompressBlock } from '../codec/compress-block.ts';
import {
  assertZero,
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  BLOCK_TYPES,
  damagedDelta,
  DELTA_BLOCK_BYTES_MAX,
  paddingAt,
  readSafeUint64,
  writeSafeUint64,
  type BlockType,
} from './delta-format.ts';

export interface BlockHeader {
  type: BlockType;
  codec: Codec;
  storedBytes: number;
  plainBytes: number;
  items: number;
  firstRevision: number;
  lastRevision: number;
  storedCrc: number;
}

export interface BlockInput {
  type: BlockType;
  codec: Codec;
  plain: Buffer;
  items: number;
  firstRevision: number;
  lastRevision: number;
}

/** Block header, stored bytes and padding, as the parts that go into the object one behind the other. */
export function encodeBlock(
  block: BlockInput,
  compressionLevel?: number,
): { header: Buffer; stored: Buffer; padding: Buffer } {
  if (block.plain.length > DELTA_BLOCK_BYTES_MAX) {
    throw new EtcdOpsError('LIMIT_EXCEEDED', {
      message: `A ${block.type} block of ${block.plain.length} bytes is larger than a delta may hold (${DELTA_BLOCK_BYTES_MAX})`,
    });
  }
  const compressed = compressBlock(block.codec, block.plain, compressionLevel);
  // What does not shrink is stored plain; so stored bytes never exceed plain ones, which bounds every read.
  const codec = compressed.length < block.plain.length ? block.codec : 'none';
  const stored = codec === 'none' ? block.plain : compressed;
  const header = Buffer.alloc(BLOCK_HEADER_BYTES);
  BLOCK_MAGIC.copy(header, 0);
  header[4] = BLOCK_TYPES[block.type];
  header[5] = codecId(codec);
  header.writeUInt32LE(stored.length, 8);
  header.writeUInt32LE(block.plain.length, 12);
  header.writeUInt32LE(block.items, 16);
  writeSafeUint64(header, block.firstRevision, 24);
  writeSafeUint64(header, block.lastRevision, 32);
  header.writeUInt32LE(crc32c(stored), 40);
  header.writeUInt32LE(crc32c(header.subarray(0, 44)), 44);
  return { header, stored, padding: Buffer.alloc(paddingAt(stored.length)) };
}

/**
 * Decodes the block header at the start of `bytes`; `offset` is where it lies in the object.
 * @throws EtcdOpsError DELTA_DAMAGED naming the byte and the rule.
 */
export function decodeBlockHeader(bytes: Buffer, offset: number): BlockHeader {
  if (bytes.length < BLOCK_HEADER_BYTES) throw damagedDelta(offset, 'the object ends inside a block header');
  if (!bytes.subarray(0, 4).equals(BLOCK_MAGIC)) throw damagedDelta(offset, 'there is no block');
  if (bytes.readUInt32LE(44) !== crc32c(bytes.subarray(0, 44))) {
    throw damagedDelta(offset, 'the block header fails its CRC');
  }
  const type = (Object.keys(BLOCK_TYPES) as BlockType[]).find((name) => BLOCK_TYPES[name] === bytes[4]);
  const codec = codecOfId(bytes[5]!);
  if (type === undefined) throw damagedDelta(offset + 4, `block type ${bytes[4]} is unknown`);
  if (codec === undefined) throw damagedDelta(offset + 5, `codec ${bytes[5]} is unknown`);
  assertZero(bytes, 6, 8, offset);
  assertZero(bytes, 20, 24, offset);
  const storedBytes = bytes.readUInt32LE(8);
  const plainBytes = bytes.readUInt32LE(12);
  if (plainBytes > DELTA_BLOCK_BYTES_MAX) {
    throw damagedDelta(offset + 12, `a block of ${plainBytes} bytes is larger than one may be`);
  }
  if (codec === 'none' ? storedBytes !== plainBytes : storedBytes >= plainBytes) {
    throw damagedDelta(offset + 8, `${storedBytes} stored bytes do not fit ${plainBytes} plain bytes`);
  }
  return {
    type,
    codec,
    storedBytes,
    plainBytes,
    items: bytes.readUInt32LE(16),
    firstRevision: readSafeUint64(bytes, 24, offset),
    lastRevision: readSafeUint64(bytes, 32, offset),
    storedCrc: bytes.readUInt32LE(40),
  };
}

/**
 * Decodes the block at the start of `bytes`, which must hold it with its padding. The plain bytes of an uncompressed
 * block are a view. With `crc: false` the CRC of its stored bytes is not computed: for who compares all of them with others.
 * @throws EtcdOpsError DELTA_DAMAGED naming the byte and the rule.
 */
export function decodeBlock(
  bytes: Buffer,
  offset: number,
  type: BlockType,
  options: { crc?: boolean } = {},
): { header: BlockHeader; plain: Buffer; length: number } {
  const header = decodeBlockHeader(bytes, offset);
  if (header.type !== type) {
    throw damagedDelta(offset + 4, `there is a ${header.type} block where a ${type} block must be`);
  }
  const end = BLOCK_HEADER_BYTES + header.storedBytes;
  const length = end + paddingAt(end);
  if (length > bytes.length) {
    throw damagedDelta(offset + 8, `a block of ${header.storedBytes} stored bytes ends behind its place`);
  }
  const stored = bytes.subarray(BLOCK_HEADER_BYTES, end);
  if (options.crc !== false && crc32c(stored) !== header.storedCrc) {
    throw damagedDelta(offset + BLOCK_HEADER_BYTES, 'the stored bytes of a block fail their CRC');
  }
  assertZero(bytes, end, length, offset);
  try {
    return { header, plain: decompressBlock(header.codec, stored, header.plainBytes), length };
  } catch (error) {
    throw damagedDelta(offset + BLOCK_HEADER_BYTES, 'a block does not decompress', error);
  }
}
