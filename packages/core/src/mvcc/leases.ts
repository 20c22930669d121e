import type { BoltFile } from '../bolt/bolt-file.ts';
import { EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import { ProtoScanner } from './key-value.ts';

/** etcd's bucket of leases: `id i64 BE` -> leasepb.Lease. Source: etcd server/lease/lessor.go. */
export const LEASE_BUCKET = 'lease';

export interface StoredLease {
  /** The granted TTL. */
  ttlSeconds: number;
  /** What was left at the last checkpoint; 0 when there was none, and then etcd counts from the full TTL. */
  remainingTtlSeconds: number;
}

/** @throws EtcdOpsError MVCC_DAMAGED when an entry is not a lease. */
export function readLeases(file: BoltFile): Map<bigint, StoredLease> {
  const leases = new Map<bigint, StoredLease>();
  const cursor = file.bucket(LEASE_BUCKET)?.cursor();
  if (cursor === undefined) return leases;
  for (let found = cursor.first(); found; found = cursor.next()) {
    if (cursor.key.length !== 8) {
      throw new EtcdOpsError('MVCC_DAMAGED', {
        message: `Bucket lease: not a lease id: ${cursor.key.toString('hex')}`,
      });
    }
    const id = cursor.key.readBigInt64BE();
    leases.set(id, decodeLease(id, cursor.value));
  }
  return leases;
}

/** An entry of the bucket `lease`, as etcd writes it at a grant, or with what is left at a checkpoint. */
export function encodeLeaseRow(
  id: bigint,
  ttlSeconds: number,
  remainingTtlSeconds = 0,
): { key: Buffer; value: Buffer } {
  const key = Buffer.alloc(8);
  key.writeBigInt64BE(id);
  const fields = [BigInt.asUintN(64, id), BigInt(ttlSeconds), BigInt(remainingTtlSeconds)];
  return { key, value: Buffer.from(fields.flatMap((value, index) => field(index + 1, value))) };
}

function decodeLease(id: bigint, value: Uint8Array): StoredLease {
  const lease: StoredLease = { ttlSeconds: 0, remainingTtlSeconds: 0 };
  const scanner = new ProtoScanner(value);
  try {
    while (scanner.nextField()) {
      if (scanner.tag === 2 << 3) lease.ttlSeconds = scanner.takeNumber();
      else if (scanner.tag === 3 << 3) lease.remainingTtlSeconds = scanner.takeNumber();
      else scanner.skip();
    }
  } catch (error) {
    if (!isEtcdOpsError(error, 'MVCC_DAMAGED')) throw error;
    const name = BigInt.asUintN(64, id).toString(16);
    throw new EtcdOpsError('MVCC_DAMAGED', { message: `Bucket lease: lease ${name}: ${error.message}` });
  }
  return lease;
}

/** A varint field; proto3 leaves zeros out. */
function field(number: number, value: bigint): number[] {
  if (value === 0n) return [];
  const bytes = [number << 3];
  for (; value >= 0x80n; value >>= 7n) bytes.push(Number(value & 0x7fn) | 0x80);
  return [...bytes, Number(value)];
}
