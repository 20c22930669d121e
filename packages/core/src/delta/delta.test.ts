import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CODECS } from '../codec/codec.ts';
import { collect } from '../storage/collect.ts';
import { RevisionDigest } from '../mvcc/row-block.ts';
import { decodeDelta } from './decode-delta.ts';
import { DeltaEncoder } from './delta-encoder.ts';
import { readDeltaFooter } from './delta-footer.ts';
import { DELTA_TAIL_BYTES, ROWS_BLOCK_BYTES_TARGET, type DeltaIdentity } from './delta-format.ts';
import { bufferDeltaSource, DeltaReader, type DeltaSource } from './delta-reader.ts';
import { blockOf, SAMPLE_IDENTITY, sampleDelta, sampleRows, type SampleRow } from './delta-samples.ts';

const damaged = (rule: RegExp): object =>
  expect.objectContaining({ code: 'DELTA_DAMAGED', message: expect.stringMatching(rule) });

/** Histories: revisions without a hole, 1 to 4 rows each, now and then a value larger than a block. */
const history = fc
  .record({
    first: fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 2 ** 40, max: 2 ** 40 + 5 })),
    revisions: fc.array(
      fc.array(
        fc.record({
          tombstone: fc.boolean(),
          bytes: fc.oneof({ weight: 20, arbitrary: fc.nat(200) }, fc.nat(400_000)),
        }),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
      { minLength: 1, maxLength: 30 },
    ),
  })
  .map(({ first, revisions }) =>
    revisions.flatMap((rows, index) =>
      rows.map((row, sub): SampleRow => {
        const main = first + index;
        return { main, sub, tombstone: row.tombstone, value: Buffer.alloc(row.bytes, `${main}/${sub} `) };
      }),
    ),
  );

function encode(rows: readonly SampleRow[], portions: readonly number[], identity: DeltaIdentity): Buffer {
  const encoder = new DeltaEncoder(identity);
  let next = 0;
  for (const portion of [...portions, rows.length]) {
    const end = Math.min(rows.length, next + portion);
    if (end > next) encoder.addRows(blockOf(rows.slice(next, end)));
    next = end;
  }
  return encoder.finish().bytes;
}

function flat(blocks: readonly { rowCount: number; key(row: number): Buffer; value(row: number): Buffer }[]): string[] {
  return blocks.flatMap((block) =>
    Array.from({ length: block.rowCount }, (_, row) => {
      const value = block.value(row);
      return `${block.key(row).toString('hex')} ${value.length} ${createHash('sha1').update(value).digest('hex')}`;
    }),
  );
}

test('what goes in comes out, whole and by ranges, in any portions, with every codec', async () => {
  await fc.assert(
    fc.asyncProperty(
      history,
      fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 10 }),
      fc.constantFrom(...CODECS),
      async (rows, portions, codec) => {
        const bytes = encode(rows, portions, { ...SAMPLE_IDENTITY, codec });
        expect(encode(rows, [], { ...SAMPLE_IDENTITY, codec }).equals(bytes)).toBe(true);
        const expected = flat([blockOf(rows)]);
        const whole = await decodeDelta(bytes);
        expect(flat(whole.rowBlocks)).toEqual(expected);
        const reader = await DeltaReader.open(bufferDeltaSource(bytes));
        expect(reader.facts).toEqual(whole.facts);
        await reader.verify();
        const middle = rows[rows.length >> 1]!.main;
        const part = await collect(reader.rowBlocks({ fromRevision: middle, toRevision: middle }));
        const mains = part.flatMap((block) => Array.from({ length: block.rowCount }, (_, row) => block.main(row)));
        expect(mains.filter((main) => main === middle).length).toBe(rows.filter((row) => row.main === middle).length);
      },
    ),
    { numRuns: 60 },
  );
});

test('facts and footer tell the truth', async () => {
  const rows = sampleRows(500, 5500, 100);
  const encoder = new DeltaEncoder({ ...SAMPLE_IDENTITY, codec: 'zstd' });
  for (let index = 0; index < rows.length; index += 777) encoder.addRows(blockOf(rows.slice(index, index + 777)));
  encoder.addTime(600, 1000);
  encoder.addTime(5500, 2000);
  expect(encoder.lastRevision).toBe(5500);
  const bound = encoder.byteLength;
  const { bytes, facts } = encoder.finish();
  expect(bytes.length).toBeLessThanOrEqual(bound);
  const digest = new RevisionDigest();
  const last = blockOf(rows.filter((row) => row.main === 5500));
  for (let row = 0; row < last.rowCount; row++) digest.update(last.key(row), last.value(row));
  expect(facts).toEqual({
    ...SAMPLE_IDENTITY,
    codec: 'zstd',
    firstRevision: 500,
    lastRevision: 5500,
    rowCount: rows.length,
    rowBytes: expect.any(Number),
    firstObservedMs: 1000,
    lastObservedMs: 2000,
    lastRevisionDigest: digest.hex(),
    lastRevisionRows: last.rowCount,
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes.subarray(0, -32)).digest('hex'),
  });
  expect(readDeltaFooter(bytes.subarray(-DELTA_TAIL_BYTES), bytes.length)).toMatchObject(facts);
});

test('an uncompressed byteLength is a tight upper bound at every moment', () => {
  const encoder = new DeltaEncoder(SAMPLE_IDENTITY);
  const rows = sampleRows(1, 3000, 300);
  for (let index = 0; index < rows.length; index += 100) {
    encoder.addRows(blockOf(rows.slice(index, index + 100)));
    const probe = new DeltaEncoder(SAMPLE_IDENTITY);
    probe.addRows(blockOf(rows.slice(0, index + 100)));
    const real = probe.finish().bytes.length;
    expect(encoder.byteLength).toBeGreaterThanOrEqual(real);
    expect(encoder.byteLength - real).toBeLessThan(1000);
  }
});

test('leases and times come back; a clock set back is held, a revision keeps its first time', async () => {
  const encoder = new DeltaEncoder(SAMPLE_IDENTITY);
  encoder.addRows(blockOf(sampleRows(10, 20)));
  encoder.addTime(12, 5000);
  encoder.addTime(12, 9000);
  encoder.addTime(15, 4000);
  encoder.addTime(20, 6000);
  const lease = { id: -1n, grantedTtlSeconds: 2 ** 40, askedAtRevision: 3, source: 'file' as const };
  encoder.addLeases([lease, { ...lease, id: 7n, source: 'unknown', grantedTtlSeconds: 0 }]);
  const { bytes } = encoder.finish();
  const times = [
    { revision: 12, observedMs: 5000 },
    { revision: 15, observedMs: 5000 },
    { revision: 20, observedMs: 6000 },
  ];
  const leases = [lease, { ...lease, id: 7n, source: 'unknown', grantedTtlSeconds: 0 }];
  expect(await decodeDelta(bytes)).toMatchObject({ times, leases });
  const reader = await DeltaReader.open(bufferDeltaSource(bytes));
  expect(await reader.times()).toEqual(times);
  expect(await reader.leases()).toEqual(leases);
});

test('the encoder refuses rows that do not go on', () => {
  const row = (main: number, sub: number): SampleRow => ({ main, sub, tombstone: false, value: Buffer.from('x') });
  const cases: [SampleRow[], RegExp][] = [
    [[row(5, 0), row(7, 0)], /row \(7, 0\) does not follow row \(5, 0\)/],
    [[row(5, 1)], /first row is \(5, 1\)/],
    [[row(5, 0), row(5, 2)], /row \(5, 2\) does not follow row \(5, 0\)/],
    [[row(5, 0), row(6, 1)], /row \(6, 1\) does not follow row \(5, 0\)/],
    [[row(0, 0)], /first row is \(0, 0\)/],
  ];
  for (const [rows, rule] of cases) {
    expect(() => new DeltaEncoder(SAMPLE_IDENTITY).addRows(blockOf(rows))).toThrow(damaged(rule));
    const portions = new DeltaEncoder(SAMPLE_IDENTITY);
    expect(() => rows.forEach((single) => portions.addRows(blockOf([single])))).toThrow(damaged(rule));
  }
  const repeated = new DeltaEncoder(SAMPLE_IDENTITY);
  repeated.addRows(blockOf([row(5, 0), row(6, 0)]));
  expect(() => repeated.addRows(blockOf([row(6, 0)]))).toThrow(damaged(/does not follow/));
});

test('a row larger than a block is a block of its own, and a revision may be split over blocks', async () => {
  const big = (main: number, sub: number, bytes: number): SampleRow => ({
    main,
    sub,
    tombstone: false,
    value: Buffer.alloc(bytes, 'b'),
  });
  const rows = [
    big(1, 0, 10),
    big(1, 1, ROWS_BLOCK_BYTES_TARGET * 3),
    big(1, 2, 10),
    big(1, 3, 200_000),
    big(1, 4, 200_000),
    big(2, 0, 5),
  ];
  const bytes = encode(rows, [], SAMPLE_IDENTITY);
  const reader = await DeltaReader.open(bufferDeltaSource(bytes));
  expect(reader.index.map((block) => [block.rowCount, block.firstRevision, block.lastRevision])).toEqual([
    [1, 1, 1],
    [1, 1, 1],
    [2, 1, 1],
    [2, 1, 2],
  ]);
  await reader.verify();
  for (const block of reader.index) expect(block.offset % 8).toBe(0);
});

test('opening and resuming need few small reads', async () => {
  const bytes = sampleDelta({ first: 1, last: 40_000, valueBytes: 200 });
  const reads: [number, number][] = [];
  const source: DeltaSource = {
    bytes: bytes.length,
    read: async (offset, length) => {
      reads.push([offset, length]);
      return bytes.subarray(offset, offset + length);
    },
  };
  const reader = await DeltaReader.open(source);
  expect(reads).toHaveLength(2);
  await reader.leases();
  await reader.times();
  expect(reads).toHaveLength(2);
  expect(reader.index.length).toBeGreaterThan(50);
  const blocks = await collect(reader.rowBlocks({ fromRevision: 20_000, toRevision: 20_001 }));
  expect(blocks.length).toBeLessThanOrEqual(2);
  expect(reads.slice(2).reduce((sum, [, length]) => sum + length, 0)).toBeLessThan(2 * ROWS_BLOCK_BYTES_TARGET + 1000);
});

test('a cancelled signal stops decoding and reading', async () => {
  const bytes = sampleDelta();
  const signal = AbortSignal.abort();
  await expect(decodeDelta(bytes, { signal })).rejects.toMatchObject({ code: 'CANCELLED' });
  const reader = await DeltaReader.open(bufferDeltaSource(bytes));
  await expect(collect(reader.rowBlocks({ signal }))).rejects.toMatchObject({ code: 'CANCELLED' });
  await expect(reader.verify({ signal })).rejects.toMatchObject({ code: 'CANCELLED' });
});

test('a delta with more rows than allowed is refused before they are decompressed', async () => {
  await expect(decodeDelta(sampleDelta({ codec: 'zstd', last: 2000 }), { rowBytesMax: 1000 })).rejects.toMatchObject({
    code: 'LIMIT_EXCEEDED',
  });
});
