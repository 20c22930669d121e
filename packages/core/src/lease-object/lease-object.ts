import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { crc32c } from '../base/crc32c.ts';
import { describeError, EtcdOpsError } from '../base/errors.ts';
import { codecId, codecOfId, type Codec } from '../codec/codec.ts';
import { decodeBlock, encodeBlock } from '../delta/delta-block.ts';
import { assertZero, BLOCK_HEADER_BYTES, readSafeUint64, writeSafeUint64 } from '../delta/delta-format.ts';
import { decodeLeaseRecords, encodeLeaseRecords, LEASE_RECORD_BYTES, type LeaseRecord } from '../mvcc/lease-record.ts';

/** The format of lease objects, version 1; docs/FORMAT.md holds the byte table. */
export const LEASE_OBJECT_VERSION = 1;
const HEADER_BYTES = 64;
const CRC_OFFSET = HEADER_BYTES - 4;
const SHA256_BYTES = 32;
const MAGIC = Buffer.from('89454f4c0d0a1a0a', 'hex');

/** More records are more objects: each is held in memory. */
export const LEASE_OBJECT_RECORDS_MAX = 2 ** 18;
/** Header, a block that did not shrink, its padding, and the SHA-256. */
export const LEASE_OBJECT_BYTES_MAX =
  HEADER_BYTES + BLOCK_HEADER_BYTES + LEASE_OBJECT_RECORDS_MAX * LEASE_RECORD_BYTES + SHA256_BYTES;
/** Header and hash, and a block of one record that shrank to next to nothing. */
export const LEASE_OBJECT_BYTES_MIN = HEADER_BYTES + BLOCK_HEADER_BYTES + SHA256_BYTES;

/** Lease records that no rows followed: what was learned when all up to `revision` had been captured. */
export interface LeaseObject {
  clusterId: bigint;
  timeline: number;
  revision: number;
  /** When the last of them was captured, in milliseconds since the epoch. */
  observedMs: number;
  /** In the order in which they were learned. */
  records: readonly LeaseRecord[];
}

/** The same facts give the same bytes; with a codec, by the same build of its library. */
export function encodeLeaseObject(object: LeaseObject, codec: Codec = 'none', compressionLevel?: number): Buffer {
  const { records, revision } = object;
  assert(records.length > 0 && records.length <= LEASE_OBJECT_RECORDS_MAX, 'a lease object has records, and a limit');
  const header = encodeHeader(object, codec);
  const block = encodeBlock(
    {
      type: 'leases',
      codec,
      plain: encodeLeaseRecords(records),
      items: records.length,
      firstRevision: revision,
      lastRevision: revision,
    },
    compressionLevel,
  );
  const body = Buffer.concat([header, block.header, block.stored, block.padding]);
  return Buffer.concat([body, createHash('sha256').update(body).digest()]);
}

/**
 * Decodes what must be a whole lease object.
 * @throws EtcdOpsError OBJECT_DAMAGED naming the rule.
 */
export function decodeLeaseObject(bytes: Buffer): LeaseObject & { codec: Codec } {
  try {
    return decode(bytes);
  } catch (error) {
    throw new EtcdOpsError('OBJECT_DAMAGED', { message: `Lease object: ${describeError(error)}`, cause: error });
  }
}

/** What tells two objects of one revision and time apart, in their names: 8 hex digits, the same with every codec. */
export function leaseObjectTag(object: LeaseObject): string {
  const facts = encodeHeader(object, 'none');
  return createHash('sha256').update(facts).update(encodeLeaseRecords(object.records)).digest('hex').slice(0, 8);
}

function encodeHeader({ clusterId, timeline, revision, observedMs, records }: LeaseObject, codec: Codec): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header, 0);
  header.writeUInt16LE(LEASE_OBJECT_VERSION, 8);
  header.writeUInt16LE(HEADER_BYTES, 10);
  header[12] = codecId(codec);
  header.writeBigUInt64LE(clusterId, 16);
  header.writeUInt32LE(timeline, 24);
  header.writeUInt32LE(records.length, 28);
  writeSafeUint64(header, revision, 32);
  writeSafeUint64(header, observedMs, 40);
  header.writeUInt32LE(crc32c(header.subarray(0, CRC_OFFSET)), CRC_OFFSET);
  return header;
}

function decode(bytes: Buffer): LeaseObject & { codec: Codec } {
  if (bytes.length < LEASE_OBJECT_BYTES_MIN) throw new Error(`${bytes.length} bytes are too few`);
  if (bytes.length > LEASE_OBJECT_BYTES_MAX) throw new Error(`${bytes.length} bytes are too many`);
  if (!bytes.subarray(0, 8).equals(MAGIC)) throw new Error('it does not begin like one');
  const version = bytes.readUInt16LE(8);
  if (version !== LEASE_OBJECT_VERSION) {
    throw new Error(`it has version ${version}, and this etcd-ops reads version ${LEASE_OBJECT_VERSION}`);
  }
  const end = bytes.length - SHA256_BYTES;
  if (!createHash('sha256').update(bytes.subarray(0, end)).digest().equals(bytes.subarray(end))) {
    throw new Error('its SHA-256 is another one');
  }
  const { facts, codec, count } = decodeHeader(bytes);
  const { header, plain, length } = decodeBlock(bytes.subarray(HEADER_BYTES, end), HEADER_BYTES, 'leases');
  if (length !== end - HEADER_BYTES) throw new Error('something follows its block');
  if (header.items !== count || plain.length !== count * LEASE_RECORD_BYTES) {
    throw new Error(`its header promises ${count} records, and the block has ${plain.length} bytes`);
  }
  return { ...facts, codec, records: decodeLeaseRecords(plain) };
}

function decodeHeader(bytes: Buffer): { facts: Omit<LeaseObject, 'records'>; codec: Codec; count: number } {
  if (bytes.readUInt16LE(10) !== HEADER_BYTES) throw new Error(`its header must have ${HEADER_BYTES} bytes`);
  if (bytes.readUInt32LE(CRC_OFFSET) !== crc32c(bytes.subarray(0, CRC_OFFSET))) {
    throw new Error('its header fails its CRC');
  }
  const codec = codecOfId(bytes[12]!);
  if (codec === undefined) throw new Error(`codec ${bytes[12]} is unknown`);
  assertZero(bytes, 13, 16, 0);
  assertZero(bytes, 48, CRC_OFFSET, 0);
  const count = bytes.readUInt32LE(28);
  const timeline = bytes.readUInt32LE(24);
  if (timeline === 0) throw new Error('timelines are counted from 1');
  if (count === 0 || count > LEASE_OBJECT_RECORDS_MAX) throw new Error(`${count} records are none, or too many`);
  return {
    facts: {
      clusterId: bytes.readBigUInt64LE(16),
      timeline,
      revision: readSafeUint64(bytes, 32, 0),
      observedMs: readSafeUint64(bytes, 40, 0),
    },
    codec,
    count,
  };
}
