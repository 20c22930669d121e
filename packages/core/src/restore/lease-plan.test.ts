import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LeaseRecord } from '../mvcc/lease-record.ts';
import { planLeases, type LeasePlanInput } from './lease-plan.ts';
import { leaseOfRow } from './row-lease.ts';

const record = (
  id: bigint,
  askedAtRevision: number,
  source: LeaseRecord['source'],
  grantedTtlSeconds = 0,
): LeaseRecord => ({
  id,
  askedAtRevision,
  source,
  grantedTtlSeconds,
});

function plan(input: Partial<LeasePlanInput>): {
  ttls: [bigint, number][];
  kept: number;
  fromDeltas: number;
  unknown: bigint[];
} {
  const { ttlSeconds, ...rest } = planLeases({
    revision: 100,
    base: new Map(),
    records: [],
    referenced: new Map(),
    unknownTtlSeconds: 60,
    ...input,
  });
  return { ttls: [...ttlSeconds], ...rest };
}

describe('planLeases', () => {
  test('keeps the leases of the full', () => {
    expect(plan({ base: new Map([[7n, 30]]) })).toEqual({ ttls: [[7n, 30]], kept: 1, fromDeltas: 0, unknown: [] });
  });

  test('a lease that was gone by the revision is left out, one that went later is not', () => {
    expect(plan({ base: new Map([[7n, 30]]), records: [record(7n, 100, 'gone')] }).ttls).toEqual([]);
    expect(plan({ base: new Map([[7n, 30]]), records: [record(7n, 101, 'gone')] }).ttls).toEqual([[7n, 30]]);
  });

  test('a lease that came back under its old id is there with its new TTL', () => {
    const base = new Map([[7n, 30]]);
    const records = [record(7n, 50, 'gone'), record(7n, 61, 'ttl', 90)];
    expect(plan({ base, records, referenced: new Map([[7n, 60]]) }).ttls).toEqual([[7n, 90]]);
    expect(plan({ base, records: [record(7n, 50, 'gone')], referenced: new Map([[7n, 60]]) }).ttls).toEqual([[7n, 30]]);
    expect(plan({ base, records, referenced: new Map(), revision: 55 }).ttls).toEqual([]);
  });

  test('a referenced lease takes a TTL that was learned later, or the assumed one', () => {
    const referenced = new Map([
      [1n, 90],
      [2n, 91],
      [-3n, 92],
    ]);
    expect(plan({ referenced, records: [record(1n, 120, 'ttl', 11), record(2n, 95, 'unknown')] })).toEqual({
      ttls: [
        [1n, 11],
        [2n, 60],
        [-3n, 60],
      ],
      kept: 0,
      fromDeltas: 1,
      unknown: [2n, -3n],
    });
  });

  test('a lease without keys is there when it was known by the revision', () => {
    expect(plan({ records: [record(5n, 100, 'file', 20), record(6n, 101, 'ttl', 20)] }).ttls).toEqual([[5n, 20]]);
  });
});

describe('leaseOfRow', () => {
  test('reads the lease of a KeyValue with an arbitrary key and value', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        (key, value, revision, lease) => {
          const row = Buffer.concat([
            Buffer.from([0x0a, ...varint(BigInt(key.length))]),
            key,
            Buffer.from([0x10, ...varint(BigInt(revision)), 0x18, ...varint(BigInt(revision)), 0x20, 1]),
            value.length === 0
              ? Buffer.alloc(0)
              : Buffer.concat([Buffer.from([0x2a, ...varint(BigInt(value.length))]), value]),
            lease === 0n ? Buffer.alloc(0) : Buffer.from([0x30, ...varint(BigInt.asUintN(64, lease))]),
          ]);
          const padded = Buffer.concat([Buffer.from('x'), row, Buffer.from([0x30, 1])]);
          expect(leaseOfRow(padded, 1, 1 + row.length)).toBe(lease);
        },
      ),
    );
  });

  test('bytes that are no KeyValue end the scan', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64 }),
        (bytes) => typeof leaseOfRow(Buffer.from(bytes), 0, bytes.length) === 'bigint',
      ),
    );
    expect(leaseOfRow(Buffer.alloc(0), 0, 0)).toBe(0n);
  });
});

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  for (; value > 127n; value >>= 7n) bytes.push(Number(value & 127n) | 128);
  return [...bytes, Number(value)];
}
