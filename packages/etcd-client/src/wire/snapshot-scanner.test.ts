import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isEtcdOpsError } from '@etcd-ops/core';
import { encodeVarint } from './byte-writer.ts';
import { SnapshotScanner } from './snapshot-scanner.ts';

const MESSAGE_BYTES_MAX = 100_000;
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const tag = (field: number, wireType: number) => encodeVarint(BigInt(field * 8 + wireType));
const bytesField = (field: number, value: Uint8Array) =>
  Buffer.concat([tag(field, 2), encodeVarint(BigInt(value.length)), value]);
const framed = (message: Uint8Array, length = message.length, flag = 0) => {
  const prefix = Buffer.alloc(5, flag);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
};

function scan(chunks: readonly Buffer[]) {
  const pieces: Buffer[] = [];
  const onBlob = (chunk: Buffer, start: number, end: number) => pieces.push(chunk.subarray(start, end));
  const scanner = new SnapshotScanner(onBlob, MESSAGE_BYTES_MAX);
  for (const chunk of chunks) scanner.push(chunk);
  const { remainingBytes, lastBlobBytes, blobBytes, betweenMessages } = scanner;
  return { blob: Buffer.concat(pieces), remainingBytes, lastBlobBytes, blobBytes, betweenMessages };
}

/** Fields that an etcd of another version may send. */
const strange = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((value) => bytesField(1, value)),
  fc.uint8Array({ maxLength: 300 }).map((value) => bytesField(1000, value)),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => Buffer.concat([tag(7, 0), encodeVarint(value)])),
  fc.constant(Buffer.concat([tag(9, 1), Buffer.alloc(8, 0xff)])),
  fc.constant(Buffer.concat([tag(70_000, 5), Buffer.alloc(4, 0xff)])),
);
const part = fc.record({
  remaining: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  blob: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(33_000).fill(0x1a))),
  before: fc.array(strange, { maxLength: 2 }),
  after: fc.array(strange, { maxLength: 2 }),
});

test('messages are read alike however they are cut', () => {
  const cuts = fc.array(fc.nat(), { maxLength: 40 });
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), cuts, fc.boolean(), (parts, at, everywhere) => {
      const messages = parts.map(({ remaining, blob, before, after }) => {
        const left = Buffer.concat([tag(2, 0), encodeVarint(BigInt(remaining))]);
        return framed(Buffer.concat([...before, left, bytesField(3, blob), ...after]));
      });
      const all = Buffer.concat(messages);
      const ends = everywhere && all.length < 5_000 ? [...all.keys()] : at.map((cut) => cut % all.length);
      const sorted = [0, ...ends.toSorted((left, right) => left - right), all.length];
      const found = scan(sorted.slice(1).map((end, index) => all.subarray(sorted[index], end)));
      const blob = Buffer.concat(parts.map((one) => one.blob));
      expect(found.blob.equals(blob)).toBe(true);
      expect(found).toMatchObject({
        remainingBytes: parts.at(-1)!.remaining,
        lastBlobBytes: parts.at(-1)!.blob.length,
        blobBytes: blob.length,
        betweenMessages: true,
      });
    }),
  );
});

test('an end inside a message is seen', () => {
  const all = framed(bytesField(3, Buffer.from('abc')));
  for (let end = 1; end < all.length; end++) expect(scan([all.subarray(0, end)]).betweenMessages).toBe(false);
  expect(scan([framed(Buffer.alloc(0))])).toMatchObject({ betweenMessages: true, remainingBytes: 0, lastBlobBytes: 0 });
});

test.each([
  ['a compressed message', framed(hex('1801'), 2, 1), 'compressed'],
  ['a flag that nobody knows', framed(hex('1801'), 2, 2), 'no flag'],
  ['a blob longer than its message', framed(hex('1a05 61')), '5 bytes are announced and 1 are left'],
  ['a blob of 2^62 bytes', framed(hex('1a 808080808080808040')), 'are announced and 0 are left'],
  ['a field that ends with its tag', framed(hex('1a')), 'ends behind a tag'],
  ['a number that goes on behind the message', framed(hex('10ff')), 'ends inside a number'],
  ['a number of 11 bytes', framed(hex('10 8080808080808080808000')), 'longer than 10 bytes'],
  ['a negative rest', framed(hex('10 ffffffffffffffffff01')), '2^53'],
  ['a fixed number behind the end', framed(hex('49 00')), 'inside a fixed number'],
  ['a wire type of groups', framed(hex('1b')), '3 is no wire type'],
  ['a field of number 0', framed(hex('0000')), 'no field tag'],
  ['two blobs', framed(hex('1a0161 1a0162')), 'two blobs'],
])('%s is refused', (_, bytes, text) => {
  expect(() => scan([bytes])).toThrow(expect.objectContaining({ code: 'ETCD_FAILED' }));
  expect(() => scan([...bytes].map((byte) => Buffer.from([byte])))).toThrow(text);
});

test('a message larger than the limit is refused by its length alone', () => {
  expect(() => scan([framed(Buffer.alloc(0), MESSAGE_BYTES_MAX + 1)])).toThrow(
    expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
  );
  expect(scan([framed(Buffer.alloc(0), MESSAGE_BYTES_MAX)]).betweenMessages).toBe(false);
});

test('whatever comes is read, or refused in our own codes', () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 });
  fc.assert(
    fc.property(chunks, fc.boolean(), (bytes, isFramed) => {
      try {
        const found = scan(bytes.map((chunk) => (isFramed ? framed(chunk) : Buffer.from(chunk))));
        expect(found.blob.length).toBe(found.blobBytes);
      } catch (error) {
        expect(isEtcdOpsError(error, 'ETCD_FAILED') || isEtcdOpsError(error, 'LIMIT_EXCEEDED')).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});
