import { sealDigest, type DataDirFacts, type DataDirState, type RestorePlan } from '@etcd-ops/core';
import { describe, expect, test } from 'vitest';
import { decide, type NewestBackup } from './decide.ts';
import type { KnownClusters } from './known-cluster.ts';

const OURS = 0xabn;
const known: KnownClusters = { recorded: new Set([OURS]), configured: 0xcdn, newest: OURS };
const nothingKnown: KnownClusters = { recorded: new Set(), configured: 0xcdn, newest: undefined };

function backup(revision: number, digest: string | null = 'aa'): NewestBackup {
  return { plan: { revision } as RestorePlan, digest };
}

function healthy(facts: Partial<DataDirFacts> = {}): DataDirState {
  return {
    kind: 'healthy',
    warnings: [],
    facts: {
      memberId: 1n,
      clusterId: OURS,
      revision: 100,
      compactRevision: -1,
      consistentIndex: 105n,
      entriesAhead: 0,
      members: 1,
      databaseBytes: 1,
      walBytes: 1,
      digest: 'aa',
      ...facts,
    },
  };
}

describe('a sound directory', () => {
  test.each([
    ['at the head of the backup', healthy(), backup(100)],
    ['ahead of the backup', healthy(), backup(60)],
    ['without a backup', healthy(), undefined],
    [
      'behind, but its log has the rest',
      healthy({ revision: 90, entriesAhead: 10, consistentIndex: 95n }),
      backup(100),
    ],
  ])('is left alone: %s', (_, state, newest) => {
    expect(decide(state, newest, known)).toEqual({ action: 'leave', warnings: [] });
  });

  test('is left alone as one of several members that is behind, with a word', () => {
    const decision = decide(healthy({ members: 3 }), backup(200), known);
    expect(decision).toMatchObject({ action: 'leave', warnings: [expect.stringContaining('other members')] });
  });

  test('is left alone when it was restored to an older point: its log is shorter than its history', () => {
    const decision = decide(healthy({ consistentIndex: 4n }), backup(200), known);
    expect(decision).toMatchObject({ action: 'leave', warnings: [expect.stringContaining('restored')] });
  });

  test('is left alone when the histories have parted, with a word', () => {
    const decision = decide(healthy({ digest: 'bb' }), backup(100), known);
    expect(decision).toMatchObject({ action: 'leave', warnings: [expect.stringContaining('parted')] });
  });

  test('is compared with an encrypted backup by its sealed digest', async () => {
    const [same, other] = ['ab'.repeat(32), 'cd'.repeat(32)];
    const encrypted = backup(100, await sealDigest(same));
    expect(decide(healthy({ digest: same }), encrypted, known)).toEqual({ action: 'leave', warnings: [] });
    expect(decide(healthy({ digest: other }), encrypted, known)).toMatchObject({
      warnings: [expect.stringContaining('parted')],
    });
  });

  test('that ends before its backup, as a lone member, is an old disk', () => {
    expect(decide(healthy(), backup(101), known)).toMatchObject({ action: 'restore', moveAside: true });
  });
});

test('data of another cluster is refused, sound or broken, unless nothing is recorded or it is the configured one', () => {
  const refused = { action: 'refuse', code: 'DATA_DIR_FOREIGN' };
  expect(decide(healthy({ clusterId: 9n }), backup(1), known)).toMatchObject(refused);
  expect(decide({ kind: 'broken', reason: 'x', clusterId: 9n }, backup(1), known)).toMatchObject(refused);
  expect(decide(healthy({ clusterId: 9n }), undefined, nothingKnown)).toMatchObject({ action: 'leave' });
  expect(decide(healthy({ clusterId: known.configured }), backup(1), known)).toMatchObject({ action: 'leave' });
});

test.each<[string, DataDirState, NewestBackup | undefined, object]>([
  ['missing, backup', { kind: 'missing' }, backup(5), { action: 'restore', moveAside: false }],
  ['missing, no backup', { kind: 'missing' }, undefined, { action: 'begin' }],
  [
    'broken, backup',
    { kind: 'broken', reason: 'x', clusterId: undefined },
    backup(5),
    { action: 'restore', moveAside: true },
  ],
  ['broken, no backup', { kind: 'broken', reason: 'x', clusterId: OURS }, undefined, { code: 'DATA_DIR_BROKEN' }],
  ['foreign', { kind: 'foreign', reason: 'x' }, backup(5), { code: 'DATA_DIR_FOREIGN' }],
  ['running', { kind: 'running', path: 'db', pid: 7 }, backup(5), { code: 'DATA_DIR_IN_USE' }],
])('%s', (_, state, newest, expected) => {
  expect(decide(state, newest, known)).toMatchObject(expected);
});
