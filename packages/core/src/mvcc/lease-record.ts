import { EtcdOpsError } from '../base/errors.ts';

/** Bytes of one encoded lease record. */
export const LEASE_RECORD_BYTES = 32;

/** Where a lease's TTL was learned. `gone`: etcd said that the lease exists no more. */
export const LEASE_SOURCES = ['unknown', 'ttl', 'file', 'gone'] as const;
export type LeaseSource = (typeof LEASE_SOURCES)[number];

/** What was learned about one lease, and when: grants send no watch event, so they are recorded beside the rows. */
export interface LeaseRecord {
  id: bigint;
  /** The granted TTL in seconds; 0 when unknown or gone. */
  grantedTtlSeconds: number;
  /** The store revision that etcd named in its answer. */
  askedAtRevision: number;
  source: LeaseSource;
}

/** `id i64 LE | granted TTL u64 LE | asked-at revision u64 LE | source u8 | zeros`, 32 bytes a record (docs/FORMAT.md). */
export function encodeLeaseRecords(records: readonly LeaseRecord[]): Buffer {
  const bytes = Buffer.alloc(records.length * LEASE_RECORD_BYTES);
  records.forEach((record, index) => {
    const offset = index * LEASE_RECORD_BYTES;
    bytes.writeBigInt64LE(record.id, offset);
    bytes.writeBigUInt64LE(BigInt(record.grantedTtlSeconds), offset + 8);
    bytes.writeBigUInt64LE(BigInt(record.askedAtRevision), offset + 16);
    bytes[offset + 24] = LEASE_SOURCES.indexOf(record.source);
  });
  return bytes;
}

/** @throws EtcdOpsError ROW_BLOCK_DAMAGED when a length, number or source is not possible. */
export function decodeLeaseRecords(bytes: Buffer): LeaseRecord[] {
  if (bytes.length % LEASE_RECORD_BYTES !== 0) throw damaged(`${bytes.length} bytes are not a whole number of records`);
  const records: LeaseRecord[] = [];
  for (let offset = 0; offset < bytes.length; offset += LEASE_RECORD_BYTES) {
    const source = LEASE_SOURCES[bytes[offset + 24]!];
    if (source === undefined) {
      throw damaged(`record ${offset / LEASE_RECORD_BYTES} has the unknown source ${bytes[offset + 24]}`);
    }
    records.push({
      id: bytes.readBigInt64LE(offset),
      grantedTtlSeconds: safeNumber(bytes.readBigUInt64LE(offset + 8)),
      askedAtRevision: safeNumber(bytes.readBigUInt64LE(offset + 16)),
      source,
    });
  }
  return records;
}

function safeNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged(`the number ${value} is larger than 2^53`);
  return Number(value);
}

function damaged(rule: string): EtcdOpsError {
  return new EtcdOpsError('ROW_BLOCK_DAMAGED', { message: `Lease records: ${rule}` });
}
