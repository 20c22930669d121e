import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isEtcdOpsError } from '../base/errors.ts';
import { CODECS } from '../codec/codec.ts';
import { LEASE_SOURCES } from '../mvcc/lease-record.ts';
import { decodeLeaseObject, encodeLeaseObject, leaseObjectTag, type LeaseObject } from './lease-object.ts';

const SAMPLE: LeaseObject = {
  clusterId: 0xcdf818194e3a8c32n,
  timeline: 1,
  revision: 120,
  observedMs: 1_790_000_001_500,
  records: [
    { id: 0x694d7a2b1c0d0e0fn, grantedTtlSeconds: 60, askedAtRevision: 120, source: 'ttl' },
    { id: -5n, grantedTtlSeconds: 0, askedAtRevision: 120, source: 'gone' },
  ],
};

const objects = fc.record({
  clusterId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  timeline: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  revision: fc.maxSafeNat(),
  observedMs: fc.maxSafeNat(),
  records: fc.array(
    fc.record({
      id: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      grantedTtlSeconds: fc.maxSafeNat(),
      askedAtRevision: fc.maxSafeNat(),
      source: fc.constantFrom(...LEASE_SOURCES),
    }),
    { minLength: 1, maxLength: 50 },
  ),
});

describe('a lease object', () => {
  test('says again what it was made of, whatever compresses it', () => {
    fc.assert(
      fc.property(objects, fc.constantFrom(...CODECS), (object, codec) => {
        expect(decodeLeaseObject(encodeLeaseObject(object, codec))).toEqual({ ...object, codec });
      }),
    );
  });

  test('any changed, missing or added byte is damage that is named', () => {
    const sound = encodeLeaseObject(SAMPLE);
    const isDamaged = (bytes: Buffer): boolean => {
      try {
        decodeLeaseObject(bytes);
        return false;
      } catch (error) {
        return isEtcdOpsError(error, 'OBJECT_DAMAGED');
      }
    };
    for (let at = 0; at < sound.length; at++) {
      const changed = Buffer.from(sound);
      changed[at]! ^= 0x10;
      expect(isDamaged(changed), `byte ${at}`).toBe(true);
      expect(isDamaged(sound.subarray(0, at)), `${at} bytes`).toBe(true);
    }
    expect(isDamaged(Buffer.concat([sound, Buffer.alloc(8)]))).toBe(true);
  });

  test('its tag tells other facts and other records apart, and not other codecs', () => {
    const tag = leaseObjectTag(SAMPLE);
    expect(tag).toMatch(/^[0-9a-f]{8}$/);
    expect(leaseObjectTag(decodeLeaseObject(encodeLeaseObject(SAMPLE, 'zstd')))).toBe(tag);
    expect(leaseObjectTag({ ...SAMPLE, records: SAMPLE.records.slice(1) })).not.toBe(tag);
    expect(leaseObjectTag({ ...SAMPLE, clusterId: 1n })).not.toBe(tag);
  });

  test('one of version 1 is read, and written again byte for byte (ETCD_OPS_WRITE_GOLDEN=1 writes what does not exist yet)', async () => {
    const path = join(import.meta.dirname, 'fixtures', 'leases-v1-none.leases');
    if (process.env['ETCD_OPS_WRITE_GOLDEN'] === '1') await writeFile(path, encodeLeaseObject(SAMPLE), { flag: 'wx' });
    const golden = await readFile(path);
    expect(decodeLeaseObject(golden)).toEqual({ ...SAMPLE, codec: 'none' });
    expect(encodeLeaseObject(SAMPLE).toString('hex')).toBe(golden.toString('hex'));
    expect(leaseObjectTag(SAMPLE)).toBe('a22fb2c4');
  });
});
