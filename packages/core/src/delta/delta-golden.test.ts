import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CODECS } from '../codec/codec.ts';
import { decodeDelta } from './decode-delta.ts';
import { blockOf, sampleDelta, sampleRows } from './delta-samples.ts';

/**
 * Deltas as version 1 wrote them, for ever readable. When this test fails, the format changed: that needs a new version, a
 * reader for both, and new files beside the old ones. (ETCD_OPS_WRITE_GOLDEN=1 writes files that do not exist yet.)
 */
const FIXTURES = join(import.meta.dirname, 'fixtures');
/** Other builds of the libraries may compress to other bytes; they decompress to the same. */
const LIBRARIES = { gzip: '1.3.2.1-motley-8002e91', zlib: '1.3.2.1-motley-8002e91', zstd: '1.5.7', none: '' };

function golden(codec: (typeof CODECS)[number]): Buffer {
  return sampleDelta({ codec, first: 101, last: 120, valueBytes: 40 });
}

for (const codec of CODECS) {
  test(`${codec}: a delta of version 1 is read, and written again byte for byte`, async () => {
    const path = join(FIXTURES, `delta-v1-${codec}.delta`);
    if (process.env['ETCD_OPS_WRITE_GOLDEN'] === '1') await writeFile(path, golden(codec), { flag: 'wx' });
    const bytes = await readFile(path);
    const { facts, rowBlocks, leases, times } = await decodeDelta(bytes);
    expect(facts).toMatchObject({
      codec,
      timeline: 1,
      clusterId: 0xcdf818194e3a8c32n,
      epoch: '00112233445566778899aabbccddeeff',
      firstRevision: 101,
      lastRevision: 120,
    });
    expect(rowBlocks.map((block) => block.bytes)).toEqual([blockOf(sampleRows(101, 120, 40)).bytes]);
    expect(leases).toEqual([
      { id: 0x694d7a2b1c0d0e0fn, grantedTtlSeconds: 60, askedAtRevision: 101, source: 'ttl' },
      { id: -5n, grantedTtlSeconds: 0, askedAtRevision: 120, source: 'gone' },
    ]);
    expect(times).toEqual([
      { revision: 101, observedMs: 1_790_000_000_000 },
      { revision: 120, observedMs: 1_790_000_001_500 },
    ]);
    const library = codec === 'zstd' ? process.versions['zstd'] : process.versions['zlib'];
    if (codec === 'none' || library === LIBRARIES[codec]) {
      expect(golden(codec).toString('hex')).toBe(bytes.toString('hex'));
    }
  });
}
