import { expect, test } from 'vitest';
import { doubtsOf, groupDoubts, settledTo } from './proof-doubts.ts';
import type { ProofRecord } from './proof-record.ts';
import { failedEdge, sampleEdge } from './proof-samples.ts';

const KEYS = ['prod/delta-b', 'prod/delta-c'];
const keysOf = (edges: ProofRecord[]): string[] => doubtsOf(edges).map(({ key }) => key);

test('a failed edge leaves both sides in doubt', () => {
  const edge = failedEdge();
  expect(keysOf([sampleEdge({ revision: 100, from: 1 }), edge])).toEqual([edge.full, ...KEYS]);
  expect(doubtsOf([edge])[1]!.reason).toContain('revision 150');
  expect(settledTo([sampleEdge({ revision: 100, from: 1 }), edge], 1)).toBe(100);
});

test('another full that agrees with the deltas acquits them', () => {
  const edge = failedEdge();
  const next = sampleEdge({ revision: 300, from: 101 });
  expect(keysOf([edge, next])).toEqual([edge.full]);
  expect(settledTo([edge, next], 1)).toBe(300);
});

test('one that was compared only behind the difference acquits nobody', () => {
  const edge = failedEdge();
  expect(keysOf([edge, sampleEdge({ revision: 300, from: 151 })])).toEqual([edge.full, ...KEYS]);
});

test('another full that differs in the same way acquits the fulls, and settles the edge', () => {
  const edge = failedEdge();
  const next = failedEdge({ revision: 300 });
  expect(keysOf([edge, next])).toEqual(KEYS);
  expect(settledTo([edge, next], 1)).toBe(300);
});

test('fulls that differ in other ways acquit nobody', () => {
  const edge = failedEdge();
  const next = failedEdge({ revision: 300, found: 'cc' });
  expect(keysOf([edge, next]).toSorted()).toEqual([edge.full, next.full, ...KEYS].toSorted());
  expect(settledTo([edge, next], 1)).toBe(0);
});

test('one full for the deltas and two against them: all stay in doubt', () => {
  const edges = [failedEdge(), failedEdge({ revision: 300 }), sampleEdge({ revision: 400, from: 101 })];
  expect(keysOf(edges).toSorted()).toEqual([edges[0]!.full, edges[1]!.full, ...KEYS].toSorted());
});

test('a later proof of the same full replaces the earlier one', () => {
  const edge = failedEdge();
  const again = sampleEdge({ provedAt: '2027-01-01T00:00:00.000Z' });
  expect(keysOf([again, edge])).toEqual([]);
  expect(keysOf([edge, again])).toEqual([]);
});

test('deltas that hold the revision in doubt are in doubt under whatever name, merged or not yet', () => {
  const delta = (first: number, last: number, timeline = 1) => ({
    key: `${timeline}/${first}-${last}`,
    timeline,
    first,
    last,
  });
  const merged = [delta(1, 300), delta(150, 160), delta(140, 149), delta(201, 210), delta(1, 300, 2)];
  const found = doubtsOf([failedEdge()], merged).map(({ key }) => key);
  expect(found).toEqual([failedEdge().full, ...KEYS, '1/1-300', '1/150-160']);
});

test('a later proof that could compare nothing takes no doubt back', () => {
  const edge = failedEdge();
  const open = sampleEdge({ verdict: 'open', problem: 'no key', provedAt: '2027-01-01T00:00:00.000Z' });
  expect(keysOf([edge, open])).toEqual([edge.full, ...KEYS]);
});

test('for people, what is in doubt for one reason is one line', () => {
  const doubts = [
    { key: 'a', reason: 'one' },
    { key: 'b', reason: 'two' },
    { key: 'c', reason: 'one' },
    { key: 'd', reason: 'one' },
  ];
  expect(groupDoubts(doubts)).toEqual([
    { key: 'a and 2 more', reason: 'one' },
    { key: 'b', reason: 'two' },
  ]);
});

test('timelines do not bear on each other', () => {
  const edge = failedEdge();
  expect(keysOf([edge, failedEdge({ revision: 300, timeline: 2 })])).toHaveLength(4);
  expect(settledTo([sampleEdge({ timeline: 2 })], 1)).toBe(0);
});
