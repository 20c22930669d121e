import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isEtcdOpsError } from '@etcd-ops/core';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter, encodeVarint } from './byte-writer.ts';
import {
  encodeAuthenticate,
  encodeCompact,
  encodeHashKv,
  encodeLeaseTimeToLive,
  encodeMoveLeader,
  encodeRange,
  encodeWatchCreate,
  LOWEST_KEY,
} from './requests.ts';
import * as responses from './responses.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

test('requests are the bytes that a protobuf encoder makes', () => {
  expect(encodeRange({ key: LOWEST_KEY, countOnly: true })).toEqual(hex('0a0100 4801'));
  expect(encodeRange({ key: Buffer.from('k'), revision: 300, serializable: true, limit: 1 })).toEqual(
    hex('0a016b 1801 20ac02 3801'),
  );
  expect(encodeWatchCreate({ startRevision: 5, fragment: true })).toEqual(hex('0a0a 0a0100 120100 1805 4001'));
  expect(encodeHashKv(0)).toEqual(Buffer.alloc(0));
  expect(encodeHashKv(150)).toEqual(hex('089601'));
  expect(encodeMoveLeader(0xffff_ffff_ffff_ffffn)).toEqual(hex('08ffffffffffffffffff01'));
  expect(encodeLeaseTimeToLive(-1n)).toEqual(hex('08ffffffffffffffffff01'));
  expect(encodeCompact(7, true)).toEqual(hex('0807 1001'));
  expect(encodeAuthenticate('root', 'pw')).toEqual(hex('0a04726f6f74 12027077'));
});

test('answers are read by hand-made vectors', () => {
  const header = hex('0a0d 0801 10ffffffffffffffffff01');
  expect(responses.decodeResponseHeader(header)).toEqual({
    clusterId: 1n,
    memberId: 0xffff_ffff_ffff_ffffn,
    revision: 0,
    raftTerm: 0n,
  });
  expect(responses.decodeHashKv(hex('1095fa8d8504 18ffffffffffffffffff01'))).toMatchObject({
    hash: 0x40a37d15,
    compactRevision: -1,
    hashRevision: 0,
  });
  expect(responses.decodeLeases(hex('1203 08ac02 1200 120b 08ffffffffffffffffff01'))).toEqual([300n, 0n, -1n]);
  expect(responses.decodeAlarms(hex('1204 0805 1001 1202 1002'))).toEqual([
    { memberId: 5n, kind: 'NOSPACE' },
    { memberId: 0n, kind: 'CORRUPT' },
  ]);
  expect(responses.decodeMemberList(hex('120d 0801 12016d 1a0175 220163 2801'))).toEqual([
    { id: 1n, name: 'm', peerUrls: ['u'], clientUrls: ['c'], isLearner: true },
  ]);
  expect(responses.decodeAuthStatus(hex('1001 1815'))).toEqual({ enabled: true, authRevision: 21 });
});

test('any status survives a round trip, with unknown fields among it', () => {
  const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const bytes = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(
      uint64,
      bytes,
      uint64,
      fc.array(fc.string({ minLength: 1 })),
      fc.boolean(),
      (id, size, index, errors, learner) => {
        const header = new ByteWriter().integer(1, id).integer(2, index).integer(3, size).finish();
        const writer = new ByteWriter()
          .message(1, header)
          .bytes(2, '3.5.16')
          .integer(3, size)
          .integer(99, 12345n)
          .integer(5, index);
        for (const error of errors) writer.bytes(8, error);
        writer.integer(9, size).integer(10, learner).bytes(1000, 'what is to come');
        const answer = responses.decodeStatus(writer.finish());
        expect(answer).toMatchObject({
          version: '3.5.16',
          dbBytes: size,
          dbInUseBytes: size,
          raftIndex: index,
          errors,
        });
        expect(answer.header).toEqual({ clusterId: id, memberId: index, revision: size, raftTerm: 0n });
        expect(answer.isLearner).toBe(learner);
      },
    ),
  );
});

test('every varint is read as it was written', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const bytes = encodeVarint(BigInt.asUintN(64, value));
      expect(new ByteReader(bytes).int64()).toBe(value);
      expect(new ByteReader(bytes).uint64()).toBe(BigInt.asUintN(64, value));
      const reader = new ByteReader(bytes);
      if (value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) expect(reader.number()).toBe(Number(value));
      else expect(() => reader.number()).toThrow('2^53');
    }),
  );
});

test('malformed bytes end in ETCD_FAILED, whatever they are', () => {
  const decoders: readonly ((bytes: Buffer) => unknown)[] = Object.values(responses);
  expect(decoders.length).toBeGreaterThan(8);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(decoders.length - 1), (bytes, which) => {
      try {
        decoders[which]!(Buffer.from(bytes));
      } catch (error) {
        expect(isEtcdOpsError(error, 'ETCD_FAILED')).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});
