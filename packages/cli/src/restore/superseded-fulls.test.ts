import type { FullEntry } from '@etcd-ops/core';
import { expect, test } from 'vitest';
import { supersededFulls } from './superseded-fulls.ts';

function full(compactRevision: number, revision: number, more: { stale?: true } = {}): FullEntry {
  return { key: `${compactRevision}..${revision}`, revision, manifest: { compactRevision, ...more } } as FullEntry;
}
const superseded = (...fulls: FullEntry[]): string[] => Array.from(supersededFulls(fulls), ({ key }) => key).toSorted();

test('a full is superseded by a later one whose history reaches as far back', () => {
  expect(superseded(full(10, 20), full(15, 30), full(20, 40))).toEqual([]);
  expect(superseded(full(10, 20), full(15, 30), full(5, 40))).toEqual(['10..20', '15..30']);
  expect(superseded(full(-1, 20), full(-1, 30), full(25, 40))).toEqual(['-1..20']);
  // Two of one revision: the later one stands in for the other.
  expect(superseded(full(10, 20), full(10, 20))).toEqual(['10..20']);
});

test('a stale full stands in for none, but may be stood in for', () => {
  expect(superseded(full(10, 20), full(5, 30, { stale: true }))).toEqual([]);
  expect(superseded(full(10, 20, { stale: true }), full(5, 30))).toEqual(['10..20']);
});
