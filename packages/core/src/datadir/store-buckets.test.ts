import { expect, test } from 'vitest';
import { parseInitialCluster } from './initial-cluster.ts';
import { computeMembership } from './membership.ts';
import { rewriteStoreBuckets, targetOfVersion, type BucketEntry, type EtcdTarget } from './store-buckets.ts';

const membership = computeMembership(parseInitialCluster('m=http://127.0.0.1:2380'), 'etcd-cluster');
const before: Record<string, Record<string, string>> = {
  meta: {
    confState: 'old',
    consistent_index: '\0\0\0\0\0\0\0\x63',
    finishedCompactRev: 'F',
    scheduledCompactRev: 'S',
    storageVersion: '3.7.0',
    term: 'old',
  },
  cluster: { clusterVersion: '3.7.0', downgrade: '{}' },
};

function rewritten(target: EtcdTarget, dropAlarms = false): Record<string, Record<string, string>> {
  const after: Record<string, Record<string, string>> = {};
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
  const entries = (bucket: string): BucketEntry[] =>
    Object.entries(before[bucket] ?? {}).map(([key, value]) => ({
      key: Buffer.from(key),
      value: Buffer.from(value, 'latin1'),
    }));
  const replaceBucket = (name: string, rows: readonly BucketEntry[]): void => {
    const keys = rows.map(({ key }) => text(key));
    expect(keys).toEqual([...keys].sort());
    after[name] = Object.fromEntries(rows.map(({ key, value }) => [text(key), text(value)]));
  };
  const leases = [{ key: Buffer.from('12345678'), value: Buffer.from('L') }];
  rewriteStoreBuckets({ bucketEntries: entries }, { replaceBucket }, { membership, target, leases, dropAlarms });
  return after;
}

test('the store gets the new membership; compact revisions stay', () => {
  const after = rewritten('3.7');
  expect(after).toEqual({
    meta: {
      confState: '{"voters":[13195394291058371180],"auto_leave":false}',
      consistent_index: '\0\0\0\0\0\0\0\x01',
      finishedCompactRev: 'F',
      scheduledCompactRev: 'S',
      storageVersion: '3.7.0',
      term: '\0\0\0\0\0\0\0\x01',
    },
    members: { b71f75320dc06a6c: '{"id":13195394291058371180,"peerURLs":["http://127.0.0.1:2380"],"name":"m"}' },
    members_removed: {},
    cluster: { clusterVersion: '3.7.0', downgrade: '{}' },
    lease: { '12345678': 'L' },
  });
});

test('an older target gets nothing that it does not know', () => {
  expect(Object.keys(rewritten('3.5')['meta']!)).toEqual([
    'confState',
    'consistent_index',
    'finishedCompactRev',
    'scheduledCompactRev',
    'term',
  ]);
  expect(rewritten('3.5')['cluster']!['clusterVersion']).toBe('3.5.0');
  expect(rewritten('3.6')['meta']!['storageVersion']).toBe('3.6.0');
  expect(rewritten('3.6')['cluster']!['clusterVersion']).toBe('3.6.0');
  expect(Object.keys(rewritten('3.4')['meta']!)).toEqual([
    'consistent_index',
    'finishedCompactRev',
    'scheduledCompactRev',
  ]);
  expect(rewritten('3.4')['cluster']!['clusterVersion']).toBe('3.4.0');
});

test('alarms go only when asked', () => {
  expect(rewritten('3.5')['alarm']).toBeUndefined();
  expect(rewritten('3.5', true)['alarm']).toEqual({});
});

test.each([
  ['3.4.23', '3.4'],
  ['3.5.16', '3.5'],
  ['v3.6.0-rc.1', '3.6'],
  ['3.7.1', '3.7'],
  ['3.12.0', '3.7'],
  ['4.0', '3.7'],
  ['3.3.1', undefined],
  ['', undefined],
])('etcd %j is restored for %s', (version, target) => {
  expect(targetOfVersion(version)).toBe(target);
});
