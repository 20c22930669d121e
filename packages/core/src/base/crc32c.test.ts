import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KERNEL_INPUT_BYTES } from './crc32c-kernel.ts';
import { crc32c } from './crc32c.ts';

/** One bit at a time, straight from the definition. */
function bitwiseReference(bytes: Uint8Array, previous = 0): number {
  let state = ~previous;
  for (const byte of bytes) {
    state ^= byte;
    for (let bit = 0; bit < 8; bit++) state = state & 1 ? (state >>> 1) ^ 0x82f63b78 : state >>> 1;
  }
  return ~state >>> 0;
}

describe('crc32c', () => {
  test('gives the known values', () => {
    expect(crc32c(Buffer.alloc(0))).toBe(0);
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    // RFC 3720, appendix B.4.
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(0x46dd794e);
    // HashKV of an empty etcd.
    expect(crc32c(Buffer.from('key'))).toBe(1084519789);
  });

  test('equals the bitwise definition for any bytes, cut anywhere', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), fc.nat(), fc.nat(), (bytes, cutSeed, previousSeed) => {
        const cut = cutSeed % (bytes.length + 1);
        const previous = previousSeed >>> 0;
        const expected = bitwiseReference(bytes, previous);
        expect(crc32c(bytes, previous)).toBe(expected);
        expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut), previous))).toBe(expected);
      }),
    );
  });

  test.each([-17, -1, 0, 1, 15, 16, 17, KERNEL_INPUT_BYTES + 5])(
    'crosses the kernel window: one window and %i bytes',
    (extra) => {
      const bytes = Uint8Array.from(
        { length: KERNEL_INPUT_BYTES + extra },
        (_, index) => (index * 2_654_435_761) >>> 13,
      );
      expect(crc32c(bytes, 99)).toBe(bitwiseReference(bytes, 99));
    },
  );
});
