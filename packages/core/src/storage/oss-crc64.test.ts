import { ossCrc64 } from '@etcd-ops/local-servers';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { combineCrc64, Crc64, crc64 } from './oss-crc64.ts';

it('gives the published check value', () => {
  expect(crc64(Buffer.from('123456789'))).toBe(0x995dc9bbdf1939fan.toString());
  expect(crc64(Buffer.alloc(0))).toBe('0');
});

it('equals the plain calculation, in whatever pieces the bytes come', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 8 }), (pieces) => {
      const running = new Crc64();
      for (const piece of pieces) running.update(piece);
      const whole = Buffer.concat(pieces);
      expect(running.decimal).toBe(ossCrc64(whole));
      expect(crc64(whole)).toBe(ossCrc64(whole));
    }),
  );
});

it('of a whole follows from those of its parts', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (first, second) => {
      const combined = combineCrc64(crc64(first), crc64(second), second.length);
      expect(combined).toBe(crc64(Buffer.concat([first, second])));
    }),
  );
});
