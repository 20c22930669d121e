import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LzwDecompress } from './lzw-stream.ts';

/** The textbook's compressor: codes from 9 to 12 bits, the table cleared when it is full. */
function compress(plain: Uint8Array): Buffer {
  const bytes: number[] = [];
  let [bits, bitCount, width, next] = [0, 0, 9, 258];
  const write = (code: number): void => {
    bits |= code << bitCount;
    bitCount += width;
    for (; bitCount >= 8; bitCount -= 8, bits >>>= 8) bytes.push(bits & 0xff);
  };
  let table = new Map<string, number>();
  write(256);
  let prefix = '';
  const codeOf = (text: string): number => (text.length === 1 ? text.charCodeAt(0) : table.get(text)!);
  for (const byte of plain) {
    const letter = String.fromCharCode(byte);
    if (prefix === '' || table.has(prefix + letter)) {
      prefix += letter;
      continue;
    }
    write(codeOf(prefix));
    if (next === 4095) {
      write(256);
      [table, width, next] = [new Map(), 9, 258];
    } else {
      table.set(prefix + letter, next);
      if (next === 1 << width && width < 12) width++;
      next++;
    }
    prefix = letter;
  }
  if (prefix !== '') {
    write(codeOf(prefix));
    if (next === 1 << width && width < 12) width++;
  }
  write(257);
  if (bitCount > 0) bytes.push(bits & 0xff);
  return Buffer.from(bytes);
}

async function expand(stored: Buffer, chunkBytes = 1000): Promise<Buffer> {
  const chunks = Array.from({ length: Math.ceil(stored.length / chunkBytes) }, (_, index) =>
    stored.subarray(index * chunkBytes, (index + 1) * chunkBytes),
  );
  const stream = new LzwDecompress();
  const [, plain] = await Promise.all([pipeline(Readable.from(chunks), stream), buffer(stream)]);
  return plain;
}

test('what was compressed comes back, whatever the pieces', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 400 }),
      fc.nat(9),
      fc.integer({ min: 1, max: 300 }),
      async (seed, doublings, chunk) => {
        let plain = Buffer.from(seed);
        for (let index = 0; index < doublings; index++) {
          plain = Buffer.concat([plain, plain.map((byte) => byte ^ index)]);
        }
        expect((await expand(compress(plain), chunk)).equals(plain)).toBe(true);
      },
    ),
    { numRuns: 40 },
  );
});

test('a file of another program: Go 1.26 compress/lzw, "TOBEORNOTTOBEORTOBEORNOT" with least significant bits first', async () => {
  const stored = Buffer.from(GO_SAMPLE, 'hex');
  expect((await expand(stored, 3)).toString()).toBe('TOBEORNOTTOBEORTOBEORNOT');
});
const GO_SAMPLE = '00a93c1152e48914274fa80824687061c183090302';

test.each([
  ['cut short', (stored: Buffer) => stored.subarray(0, -2)],
  ['longer', (stored: Buffer) => Buffer.concat([stored, Buffer.alloc(3)])],
  ['of undefined codes', () => Buffer.from('00ffffff', 'hex')],
])('%s is damage', async (_, change) => {
  await expect(expand(change(compress(Buffer.from('some plain text'))))).rejects.toMatchObject({
    code: 'OBJECT_DAMAGED',
  });
});
