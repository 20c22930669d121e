import { ByteSlice, RevisionDigest, encodeRevisionKey, sealDigest } from '@etcd-ops/core';
import { describe, expect, it } from 'vitest';
import { OverlapCheck, type RevisionMark } from './overlap-check.ts';

const ROWS = [
  { tombstone: false, value: Buffer.from('put a') },
  { tombstone: true, value: Buffer.from('del b') },
];

function markOf(main: number, rows = ROWS): RevisionMark {
  const digest = new RevisionDigest();
  rows.forEach((row, sub) => digest.update(encodeRevisionKey(main, sub, row.tombstone), row.value));
  return { digest: digest.hex(), rowCount: rows.length };
}

function feed(check: OverlapCheck, main: number, rows = ROWS): boolean[] {
  return rows.map((row) => check.takes(main, row.tombstone, ByteSlice.of(row.value)));
}

describe('OverlapCheck', () => {
  it('takes the rows of the anchor away and recognizes them', async () => {
    const check = new OverlapCheck(7, markOf(7).digest);
    expect(feed(check, 7)).toEqual([true, true]);
    check.endBatch(true);
    await expect(check.settled).resolves.toBe('same');
    expect(check.seen).toEqual(markOf(7));
    expect(feed(check, 8)).toEqual([false, false]);
  });

  it('tells a sealed digest of its rows from that of others', async () => {
    for (const [rows, outcome] of [
      [ROWS, 'same'],
      [ROWS.slice(1), 'other'],
    ] as const) {
      const check = new OverlapCheck(7, await sealDigest(markOf(7).digest));
      feed(check, 7, [...rows]);
      check.endBatch(true);
      expect(check.outcome).toBe(outcome);
    }
  });

  it('waits for the rest of a revision that comes in fragments', () => {
    const check = new OverlapCheck(7, markOf(7).digest);
    check.takes(7, ROWS[0]!.tombstone, ByteSlice.of(ROWS[0]!.value));
    check.endBatch(false);
    expect(check.outcome).toBeUndefined();
    check.takes(7, ROWS[1]!.tombstone, ByteSlice.of(ROWS[1]!.value));
    check.endBatch(true);
    expect(check.outcome).toBe('same');
  });

  it.each([
    ['another value', [ROWS[0]!, { tombstone: true, value: Buffer.from('del c') }]],
    ['a missing tombstone', [ROWS[0]!]],
    ['a put instead of the tombstone', [ROWS[0]!, { tombstone: false, value: Buffer.from('del b') }]],
    ['one row more', [...ROWS, ROWS[0]!]],
    ['another order', [ROWS[1]!, ROWS[0]!]],
  ])('tells %s from what was recorded', (_, rows) => {
    const check = new OverlapCheck(7, markOf(7).digest);
    feed(check, 7, rows);
    expect(feed(check, 8)).toEqual([false, false]);
    expect(check.outcome).toBe('other');
  });

  it('says that the anchor is missing when a later revision comes first', () => {
    const check = new OverlapCheck(7, markOf(7).digest);
    feed(check, 8);
    expect(check.outcome).toBe('missing');
    expect(check.seen).toBeNull();
  });

  it('compares nothing without a record, and still learns the rows', () => {
    const check = new OverlapCheck(7, null);
    feed(check, 7);
    check.endBatch(true);
    expect(check.outcome).toBe('uncompared');
    expect(check.seen).toEqual(markOf(7));
  });

  it('takes repeated older rows without counting them', () => {
    const check = new OverlapCheck(7, markOf(7).digest);
    expect(check.takes(6, false, ByteSlice.of(Buffer.from('x')))).toBe(true);
    feed(check, 7);
    check.endBatch(true);
    expect(check.outcome).toBe('same');
  });
});
