import { expect, test } from 'vitest';
import { freeReceived } from './stored-message.ts';

const READ_BYTES = 64 * 1024;

test('a payload that is longer than one read of the socket is given back with all of its buffer', () => {
  // As the client makes it: headers before it, and room behind.
  const received = Buffer.from(new ArrayBuffer(3 * READ_BYTES)).subarray(100, 100 + READ_BYTES + 1);
  const rows = received.subarray(50);
  freeReceived(received);
  expect([received.length, rows.length]).toEqual([0, 0]);
  freeReceived(received);
});

test('a shorter one may lie among others, and stays', () => {
  const read = Buffer.alloc(READ_BYTES, 7);
  freeReceived(read);
  freeReceived(read.subarray(0, 100));
  expect(read.every((byte) => byte === 7)).toBe(true);
});
