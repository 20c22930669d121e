import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isEtcdOpsError } from '@etcd-ops/core';
import { ByteWriter } from './byte-writer.ts';
import { WatchScanner } from './watch-scanner.ts';

interface Row {
  main: number;
  tombstone: boolean;
  value: string;
  lease: bigint;
}

function scan(message: Buffer) {
  const rows: Row[] = [];
  const scanner = new WatchScanner({
    row: (main, tombstone, value, lease) => rows.push({ main, tombstone, value: value.view().toString('hex'), lease }),
  });
  return { facts: scanner.scan(message), rows };
}

const putEvent = (kv: Buffer) => new ByteWriter().message(2, kv).finish();
const deleteEvent = (kv: Buffer) => new ByteWriter().integer(1, 1).message(2, kv).finish();

test('a put is the bytes of its kv; a delete is its key field alone', () => {
  const put = Buffer.from('0a0161 1002 1803 2001 2a0178 30ffffffffffffffffff01'.replaceAll(' ', ''), 'hex');
  const removal = Buffer.from('0a0162 1804'.replaceAll(' ', ''), 'hex');
  const header = new ByteWriter().integer(1, 7n).integer(2, 8n).integer(3, 9).finish();
  const message = new ByteWriter()
    .message(1, header)
    .integer(7, true)
    .message(11, putEvent(put))
    .message(11, deleteEvent(removal))
    .finish();
  const { facts, rows } = scan(message);
  expect(rows).toEqual([
    { main: 3, tombstone: false, value: put.toString('hex'), lease: -1n },
    { main: 4, tombstone: true, value: '0a0162', lease: 0n },
  ]);
  expect(facts).toMatchObject({ fragment: true, eventCount: 2, created: false, canceled: false });
  expect(facts.header).toEqual({ clusterId: 7n, memberId: 8n, revision: 9, raftTerm: 0n });
});

test('a refusal, with the watch id -1', () => {
  const { facts } = scan(
    new ByteWriter().integer(2, -1).integer(3, true).integer(4, true).integer(5, 400).bytes(6, 'why').finish(),
  );
  expect(facts).toMatchObject({
    watchId: -1,
    created: true,
    canceled: true,
    compactRevision: 400,
    cancelReason: 'why',
  });
});

const event = fc.record({
  key: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  main: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  version: fc.integer({ min: 1, max: 2 ** 40 }),
  value: fc.uint8Array({ maxLength: 300 }),
  // Few leases, so that the same one follows itself often.
  lease: fc.constantFrom(0n, 1n, -1n, 2n ** 62n, -(2n ** 63n), 127n, 128n, 16_511n),
  tombstone: fc.boolean(),
});

test('any events come out as they went in', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      const writer = new ByteWriter();
      const expected: Row[] = [];
      for (const { key, main, version, value, lease, tombstone } of events) {
        if (tombstone) {
          writer.message(11, deleteEvent(new ByteWriter().bytes(1, key).integer(3, main).finish()));
          expected.push({ main, tombstone, value: new ByteWriter().bytes(1, key).finish().toString('hex'), lease: 0n });
        } else {
          const kv = new ByteWriter().bytes(1, key).integer(2, main).integer(3, main).integer(4, version);
          const bytes = kv.bytes(5, value).integer(6, lease).finish();
          writer.message(11, putEvent(bytes));
          expected.push({ main, tombstone, value: bytes.toString('hex'), lease });
        }
      }
      expect(scan(writer.finish()).rows).toEqual(expected);
    }),
  );
});

test('malformed bytes end in ETCD_FAILED, whatever they are', () => {
  const sound = new ByteWriter()
    .message(1, new ByteWriter().integer(3, 1000).finish())
    .message(11, putEvent(new ByteWriter().bytes(1, 'key').integer(3, 1000).bytes(5, 'value').integer(6, 12n).finish()))
    .finish();
  fc.assert(
    fc.property(fc.nat(sound.length - 1), fc.nat(255), fc.nat(sound.length), (at, byte, length) => {
      const bytes = Buffer.from(sound);
      bytes[at] = byte;
      try {
        scan(bytes.subarray(0, length));
      } catch (error) {
        expect(isEtcdOpsError(error, 'ETCD_FAILED')).toBe(true);
      }
    }),
    { numRuns: 3_000 },
  );
});

test('no row comes after the scanner was stopped', () => {
  const message = new ByteWriter()
    .message(11, putEvent(Buffer.from('0a01611801', 'hex')))
    .message(11, putEvent(Buffer.from('0a01621802', 'hex')))
    .finish();
  let rows = 0;
  const scanner: WatchScanner = new WatchScanner({
    row: () => {
      rows++;
      scanner.stopped = true;
    },
  });
  scanner.scan(message);
  expect(rows).toBe(1);
});
