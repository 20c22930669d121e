import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CODECS, codecId, codecOfId, codecOfSuffix, codecSuffix, type Codec } from './codec.ts';
import { compressStream, decompressStream } from './codec-stream.ts';
import { compressBlock, decompressBlock } from './compress-block.ts';

async function through(codec: Codec, bytes: Buffer, plainBytesMax: number): Promise<Buffer> {
  const stream = decompressStream(codec, { plainBytesMax });
  const [, plain] = await Promise.all([pipeline(Readable.from([bytes]), stream), buffer(stream)]);
  return plain;
}

test('ids and suffixes are the ones the formats document', () => {
  expect(CODECS.map((codec) => [codec, codecId(codec), codecSuffix(codec)])).toEqual([
    ['none', 0, ''],
    ['gzip', 1, '.gz'],
    ['zlib', 2, '.zz'],
    ['zstd', 3, '.zst'],
  ]);
  for (const codec of CODECS) {
    expect(codecOfId(codecId(codec))).toBe(codec);
    expect(codecOfSuffix(codecSuffix(codec))).toBe(codec);
  }
  expect(codecOfId(4)).toBeUndefined();
  expect(codecOfSuffix('.age')).toBeUndefined();
});

for (const codec of CODECS) {
  test(`${codec}: blocks and streams give back what went in`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), fc.nat(3), async (seed, doublings) => {
        let plain = Buffer.from(seed);
        for (let index = 0; index < doublings; index++) plain = Buffer.concat([plain, plain]);
        const stored = compressBlock(codec, plain);
        expect(decompressBlock(codec, stored, plain.length).equals(plain)).toBe(true);
        const streamed = await buffer(
          Readable.from([plain.subarray(0, 7), plain.subarray(7)]).pipe(compressStream(codec)),
        );
        expect((await through(codec, streamed, plain.length)).equals(plain)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test(`${codec}: a wrong length is damage`, () => {
    const stored = compressBlock(codec, Buffer.alloc(1000, 'x'));
    for (const length of [0, 999, 1001]) {
      expect(() => decompressBlock(codec, stored, length)).toThrow(expect.objectContaining({ code: 'OBJECT_DAMAGED' }));
    }
  });
}

for (const codec of ['gzip', 'zlib', 'zstd'] as const) {
  test(`${codec}: a bomb stops at the bound`, async () => {
    const bomb = compressBlock(codec, Buffer.alloc(64 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(512 * 1024);
    const before = process.memoryUsage().arrayBuffers;
    expect(() => decompressBlock(codec, bomb, 1000)).toThrow(expect.objectContaining({ code: 'OBJECT_DAMAGED' }));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024);
    await expect(through(codec, bomb, 1_000_000)).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
  });

  test(`${codec}: cut short, changed and foreign bytes are damage`, async () => {
    const plain = randomBytes(40_000);
    const stored = compressBlock(codec, plain);
    for (const cut of [0, 1, 5, stored.length >> 1, stored.length - 1]) {
      const short = stored.subarray(0, cut);
      expect(() => decompressBlock(codec, short, plain.length)).toThrow(
        expect.objectContaining({ code: 'OBJECT_DAMAGED' }),
      );
      if (cut > 0) await expect(through(codec, short, plain.length)).rejects.toMatchObject({ code: 'OBJECT_DAMAGED' });
    }
    await expect(through(codec, Buffer.from('this is no compressed stream at all'), 10_000)).rejects.toMatchObject({
      code: 'OBJECT_DAMAGED',
    });
  });
}

test('an error of the source stays what it was', async () => {
  const stream = decompressStream('gzip', { plainBytesMax: 10 });
  const source = new Readable({
    read() {
      this.destroy(new Error('the network is gone'));
    },
  });
  await expect(pipeline(source, stream)).rejects.toThrow('the network is gone');
});
