import { ByteSlice, encodeRevisionKey } from '@etcd-ops/core';
import { WatchRows } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';
import { differences, type FileRows } from './file-rows.ts';

const VALUE = Buffer.from('value');
const keyOf = (main: number, sub = 0) => encodeRevisionKey(main, sub, false).toString('hex');

function watched(...mains: number[]): WatchRows {
  const rows = new WatchRows(1);
  rows.created(1, 1n, 1n);
  for (const main of mains) rows.row(main, false, ByteSlice.of(VALUE), 0n);
  rows.batch(true);
  return rows;
}

function file(compactRevision: number, ...keys: string[]): FileRows {
  return { rows: new Map(keys.map((key) => [key, VALUE])), revision: 4, compactRevision };
}

test('equal rows, and rows that a compaction took', () => {
  expect(differences(watched(2, 3, 4), file(-1, keyOf(1), keyOf(2), keyOf(3), keyOf(4)))).toEqual([]);
  expect(differences(watched(2, 3, 4, 5), file(3, keyOf(3), keyOf(4)))).toEqual([]);
});

test('every kind of difference is found', () => {
  const all = file(-1, keyOf(2), keyOf(3), keyOf(4));
  expect(differences(watched(2, 4), all)).toEqual(['a hole before 4', `${keyOf(3)} was not watched`]);
  expect(differences(watched(2, 3, 3, 4), all)).toEqual([`${keyOf(3, 1)} is not in the file`]);
  const other = watched(2, 3, 4);
  other.rows.set(keyOf(3), Buffer.from('other'));
  expect(differences(other, all)).toEqual([`${keyOf(3)} was watched with another value`]);
});
