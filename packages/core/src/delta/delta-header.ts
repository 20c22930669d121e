import assert from 'node:assert/strict';
import { crc32c } from '../base/crc32c.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { codecId, codecOfId, type Codec } from '../codec/codec.ts';
import {
  assertZero,
  damagedDelta,
  DELTA_HEADER_BYTES,
  DELTA_VERSION,
  HEADER_MAGIC,
  readSafeUint64,
  writeSafeUint64,
} from './delta-format.ts';

export interface DeltaHeader {
  codec: Codec;
  clusterId: bigint;
  timeline: number;
  epoch: string;
  firstRevision: number;
}

const EPOCH = /^[0-9a-f]{32}$/;
const CRC_OFFSET = DELTA_HEADER_BYTES - 4;
const KEY_ID_OFFSET = 48;

export function encodeDeltaHeader(header: DeltaHeader): Buffer {
  assert(EPOCH.test(header.epoch), 'an epoch is 32 lower-case hex digits');
  assert(
    Number.isInteger(header.timeline) && header.timeline > 0 && header.timeline < 2 ** 32,
    'a timeline is a positive u32',
  );
  const bytes = Buffer.alloc(DELTA_HEADER_BYTES);
  HEADER_MAGIC.copy(bytes, 0);
  bytes.writeUInt16LE(DELTA_VERSION, 8);
  bytes.writeUInt16LE(DELTA_HEADER_BYTES, 10);
  bytes[12] = codecId(header.codec);
  bytes.writeBigUInt64LE(header.clusterId, 16);
  bytes.writeUInt32LE(header.timeline, 24);
  bytes.write(header.epoch, 32, 'hex');
  writeSafeUint64(bytes, header.firstRevision, 64);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, CRC_OFFSET)), CRC_OFFSET);
  return bytes;
}

/** @throws EtcdOpsError DELTA_DAMAGED naming the byte and the rule. */
export function decodeDeltaHeader(bytes: Buffer): DeltaHeader {
  if (bytes.length < DELTA_HEADER_BYTES) throw damagedDelta(0, `${bytes.length} bytes are too few for a header`);
  if (!bytes.subarray(0, 8).equals(HEADER_MAGIC)) throw damagedDelta(0, 'it does not begin like a delta');
  // The version comes before the checksum: a later version may keep its checksum elsewhere.
  const version = bytes.readUInt16LE(8);
  if (version !== DELTA_VERSION) throw unknownVersion(version);
  if (bytes.readUInt16LE(10) !== DELTA_HEADER_BYTES) throw damagedDelta(10, 'the header length of version 1 is 128');
  if (bytes.readUInt32LE(CRC_OFFSET) !== crc32c(bytes.subarray(0, CRC_OFFSET))) {
    throw damagedDelta(CRC_OFFSET, 'the header fails its CRC');
  }
  const codec = codecOfId(bytes[12]!);
  if (codec === undefined) throw damagedDelta(12, `codec ${bytes[12]} is unknown`);
  assertZero(bytes, 13, 16, 0);
  assertZero(bytes, 28, 32, 0);
  assertNoKey(bytes);
  assertZero(bytes, 72, CRC_OFFSET, 0);
  const timeline = bytes.readUInt32LE(24);
  const firstRevision = readSafeUint64(bytes, 64, 0);
  if (timeline === 0) throw damagedDelta(24, 'timelines are counted from 1');
  if (firstRevision === 0) throw damagedDelta(64, 'revisions are counted from 1');
  return { codec, clusterId: bytes.readBigUInt64LE(16), timeline, epoch: bytes.toString('hex', 32, 48), firstRevision };
}

/** Encryption wraps the whole object: a delta in itself never has a key. */
function assertNoKey(bytes: Buffer): void {
  const keyId = bytes.subarray(KEY_ID_OFFSET, KEY_ID_OFFSET + 16);
  if (keyId.every((byte) => byte === 0)) return;
  throw new EtcdOpsError('DELTA_DAMAGED', {
    message: `Delta, byte ${KEY_ID_OFFSET}: it names the key ${keyId.toString('hex')}, and no version of etcd-ops writes one there`,
    remedy: 'If the object is sound, another program wrote it: use that one.',
  });
}

export function unknownVersion(version: number): EtcdOpsError {
  return new EtcdOpsError('DELTA_DAMAGED', {
    message: `Delta, byte 8: it has version ${version}, and this etcd-ops reads version ${DELTA_VERSION}`,
    remedy: 'If the object is sound, a newer etcd-ops wrote it: use that one or a later one.',
  });
}
