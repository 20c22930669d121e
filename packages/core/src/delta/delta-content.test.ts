import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CODECS } from '../codec/codec.ts';
import type { LeaseRecord } from '../mvcc/lease-record.ts';
import { decodeDelta } from './decode-delta.ts';
import { deltaContentSha256 } from './delta-content.ts';
import { DeltaEncoder } from './delta-encoder.ts';
import type { DeltaIdentity } from './delta-format.ts';
import { blockOf, SAMPLE_IDENTITY, sampleRows, type SampleRow } from './delta-samples.ts';

const LEASE: LeaseRecord = { id: 7n, grantedTtlSeconds: 60, askedAtRevision: 4, source: 'ttl' };

interface Sample {
  rows: readonly SampleRow[];
  leases: readonly LeaseRecord[];
  atMs: number;
}

function encoded({ rows, leases, atMs }: Sample, identity: DeltaIdentity = SAMPLE_IDENTITY) {
  const encoder = new DeltaEncoder(identity);
  encoder.addRows(blockOf(rows));
  encoder.addLeases(leases);
  encoder.addTime(rows.at(-1)!.main, atMs);
  return encoder.finish();
}

test('is the same whatever the codec and its level, and what a reader computes', async () => {
  const sample = { rows: sampleRows(3, 4000, 150), leases: [LEASE], atMs: 5 };
  const plain = encoded(sample);
  for (const codec of CODECS) {
    for (const compressionLevel of [1, 6]) {
      const { bytes, contentSha256 } = encoded(sample, { ...SAMPLE_IDENTITY, codec, compressionLevel });
      expect(contentSha256).toBe(plain.contentSha256);
      expect(deltaContentSha256(await decodeDelta(bytes))).toBe(contentSha256);
      if (codec !== 'none') expect(bytes.length).toBeLessThan(plain.bytes.length / 2);
    }
  }
});

test('differs as soon as anything that is said differs', () => {
  const sample: Sample = { rows: sampleRows(3, 40), leases: [LEASE], atMs: 5 };
  const { contentSha256 } = encoded(sample);
  const others = [
    encoded({ ...sample, rows: sampleRows(3, 41) }),
    encoded({ ...sample, rows: sampleRows(3, 40, 21) }),
    encoded({ ...sample, leases: [] }),
    encoded({ ...sample, leases: [{ ...LEASE, grantedTtlSeconds: 61 }] }),
    encoded({ ...sample, atMs: 6 }),
    encoded(sample, { ...SAMPLE_IDENTITY, epoch: 'ff'.repeat(16) }),
    encoded(sample, { ...SAMPLE_IDENTITY, timeline: 2 }),
    encoded(sample, { ...SAMPLE_IDENTITY, clusterId: 1n }),
  ].map((other) => other.contentSha256);
  expect(new Set([contentSha256, ...others]).size).toBe(others.length + 1);
});

test('does not depend on the portions in which rows came', () => {
  const rows = sampleRows(3, 300, 3000);
  const whole = encoded({ rows, leases: [], atMs: 5 });
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 30 }), (portions) => {
      const encoder = new DeltaEncoder({ ...SAMPLE_IDENTITY, codec: 'zstd' });
      let next = 0;
      for (const portion of [...portions, rows.length]) {
        if (next < rows.length) encoder.addRows(blockOf(rows.slice(next, next + portion)));
        next += portion;
      }
      encoder.addTime(300, 5);
      expect(encoder.finish().contentSha256).toBe(whole.contentSha256);
    }),
    { numRuns: 20 },
  );
});
