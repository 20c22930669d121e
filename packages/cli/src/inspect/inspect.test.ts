import { EtcdOpsError } from '@etcd-ops/core';
import { expect, test } from 'vitest';
import { renderTable } from '../output/table.ts';
import type { Inspection } from './inspection.ts';
import { inspectionDocument, inspectionRows } from './render-inspection.ts';
import { checkHashRange } from './run-hash.ts';

const inspection: Inspection = {
  kind: 'full',
  facts: {
    bytes: 4096,
    revision: 1234,
    hashKv: { hash: 1234567, revision: 1234 },
    members: [{ id: 'a1', name: 'm1', peerUrls: ['http://a:1', 'http://a:2'] }],
    authEnabled: false,
    term: undefined,
    alarms: [],
    voters: ['a1', 'b2'],
    raftSnapshot: { v2Keys: 2 },
  },
  warnings: ['Know this.'],
  damages: [],
};

test('the table says whether it is sound first, numbers for people, a hash digit by digit', () => {
  expect(inspectionRows('/x/db', inspection)).toEqual([
    ['path', '/x/db'],
    ['sound', 'yes'],
    ['bytes', '4.1 kB'],
    ['revision', '1,234'],
    ['HashKV hash', '1234567'],
    ['HashKV revision', '1,234'],
    ['member', 'a1 m1 http://a:1 http://a:2'],
    ['auth enabled', 'no'],
    ['voters', 'a1, b2'],
    ['raft snapshot v2 keys', '2'],
    ['note', 'Know this.'],
  ]);
  expect(renderTable(['what', 'full'], inspectionRows('/x/db', inspection))).toContain('sound');
});

test('damage is in the document and in the table', () => {
  const damages = [new EtcdOpsError('BOLT_DAMAGED', { message: 'page 3' })];
  expect(inspectionRows('p', { ...inspection, damages }).slice(1, 3)).toEqual([
    ['sound', 'no'],
    ['damage', 'page 3'],
  ]);
  expect(inspectionDocument('p', { kind: 'wal', facts: { entries: 1 }, warnings: [], damages })).toEqual({
    ...{ path: 'p', kind: 'wal', sound: false, entries: 1, warnings: [] },
    damages: [{ code: 'BOLT_DAMAGED', message: 'page 3' }],
  });
});

test.each([
  { revision: undefined, compactRevision: undefined },
  { revision: 0, compactRevision: undefined },
  { revision: 10, compactRevision: 10 },
  { revision: 20, compactRevision: 15 },
])('a hash at $revision, compacted at $compactRevision, can be had', (wanted) => {
  expect(() => checkHashRange('f', { revision: 20, compactRevision: 10 }, wanted)).not.toThrow();
});

test.each([
  { revision: 9, compactRevision: undefined, says: 'holds the revisions 10 to 20, not 9' },
  { revision: 21, compactRevision: undefined, says: 'not 21' },
  { revision: 20, compactRevision: 9, says: '--compact-revision 9 is not between 10' },
  { revision: 15, compactRevision: 16, says: '--compact-revision 16 is not between 10' },
])('a hash at $revision, compacted at $compactRevision, would mislead', ({ says, ...wanted }) => {
  expect(() => checkHashRange('f', { revision: 20, compactRevision: 10 }, wanted)).toThrow(says);
});
