import { PartJoiner } from './part-joiner.ts';
import { isEtcdOpsError } from '@etcd-ops/core';
import fc from 'fast-check';
import { headers as createHeaders } from 'nats';
import { expect, test } from 'vitest';
import { rowsEvent, startEvent } from '../testing/rows.ts';
import { decodeHeaders, decodePayload, encodeHeaders, encodePayload, payloadByteLength } from './event-codec.ts';
import { headersOf, START_CAUSES, startOf, type EventHeaders } from './event-message.ts';

const revision = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 1_000_000 });
const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: digits, maxLength: digits });

const facts: fc.Arbitrary<EventHeaders> = fc
  .record({
    epoch: hex(32),
    timeline: fc.integer({ min: 1, max: 99_999_999 }),
    clusterId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    first: revision,
    length: fc.integer({ min: 0, max: 1000 }),
    digest: fc.option(hex(64)),
    digestRows: fc.nat(),
    rowCount: fc.nat(),
    leaseCount: fc.nat(),
    observedMs: fc.nat(2 ** 50),
    parts: fc.integer({ min: 1, max: 65_536 }),
    part: fc.integer({ min: 1, max: 65_536 }),
    payloadBytes: fc.nat(2 ** 30),
  })
  .map(({ length, part, ...rest }) => ({
    ...rest,
    kind: 'rows',
    last: rest.first + length - 1,
    part: Math.min(part, rest.parts),
  }));

test('headers come back as they were', () => {
  fc.assert(
    fc.property(facts, (given) => {
      expect(decodeHeaders(encodeHeaders(given))).toEqual(given);
    }),
  );
});

test('starts come back as they were', () => {
  for (const cause of START_CAUSES) {
    const start = startEvent(7, { cause, after: 3, compacted: 6, digest: 'ab'.repeat(32) });
    expect(startOf(decodeHeaders(encodeHeaders(headersOf(start, 'f'.repeat(32), 0, 1))))).toEqual(start);
  }
});

test('payloads come back as they were', () => {
  const leases = [{ id: -5n, grantedTtlSeconds: 60, askedAtRevision: 12, source: 'ttl' as const }];
  const event = rowsEvent(3, 20, { leases });
  const payload = encodePayload(event);
  expect(payload).toHaveLength(payloadByteLength(event.rowBlock.length, 1));
  const { rows, leases: decoded } = decodePayload(payload);
  expect(rows.bytes.equals(event.rowBlock)).toBe(true);
  expect(decoded).toEqual(leases);
});

test('no damaged payload is decoded as anything else', () => {
  const payload = encodePayload(rowsEvent(3, 20));
  fc.assert(
    fc.property(
      fc.nat(payload.length - 1),
      fc.integer({ min: 0, max: 255 }),
      fc.nat(payload.length),
      (offset, byte, length) => {
        const damaged = Buffer.from(payload);
        damaged[offset] = byte;
        for (const bytes of [damaged, payload.subarray(0, length)]) {
          try {
            decodePayload(bytes);
          } catch (error) {
            expect(isEtcdOpsError(error)).toBe(true);
          }
        }
      },
    ),
  );
});

test.each([
  ['Etcdops-Version', '0'],
  ['Etcdops-Version', '1.5'],
  ['Etcdops-Kind', 'row'],
  ['Etcdops-Epoch', 'xyz'],
  ['Etcdops-Cluster-Id', '0x1'],
  ['Etcdops-First', '-1'],
  ['Etcdops-First', '1e3'],
  ['Etcdops-Last', '9007199254740993'],
  ['Etcdops-Last', '1'],
  ['Etcdops-Digest', 'AB'],
  ['Etcdops-Part', '0/1'],
  ['Etcdops-Part', '2/1'],
  ['Etcdops-Part', '1/99999'],
  ['Etcdops-Bytes', '2000000000'],
])('%s: %s is refused', (name, value) => {
  const given = encodeHeaders(headersOf(rowsEvent(3, 20), 'f'.repeat(32), 10, 1));
  given.set(name, value);
  expect(() => decodeHeaders(given)).toThrow(/Event message/);
});

test('headers that are not known are ignored, missing ones are not', () => {
  const given = encodeHeaders(headersOf(rowsEvent(3, 20), 'f'.repeat(32), 10, 1));
  given.set('Etcdops-Colour', 'blue');
  expect(decodeHeaders(given).first).toBe(3);
  expect(() => decodeHeaders(createHeaders())).toThrow(/version/);
  expect(() => decodeHeaders(undefined)).toThrow(/version/);
});

test('an event of a later version is no damage: it is told apart, and never passed over', () => {
  const given = encodeHeaders(headersOf(rowsEvent(3, 20), 'f'.repeat(32), 10, 1));
  given.set('Etcdops-Version', '2');
  const later = expect.objectContaining({ code: 'BUS_VERSION_UNKNOWN' });
  expect(() => decodeHeaders(given)).toThrow(later);
  expect(() => new PartJoiner().push({ sequence: 1, headers: given })).toThrow(later);
});
