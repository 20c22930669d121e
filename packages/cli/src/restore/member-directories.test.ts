import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planMemberDirectories, type MemberOptions } from './member-directories.ts';

const three = 'm1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,m3=http://10.0.0.3:2380';
const options = (more: Partial<MemberOptions> = {}): MemberOptions => ({
  name: 'm2',
  initialCluster: three,
  initialClusterToken: 'token',
  ...more,
});
const here = (name: string): string => join(process.cwd(), name);
const directories = (more: Partial<MemberOptions>): string[] =>
  planMemberDirectories(options(more)).members.map(({ dataDir }) => dataDir);

describe('where members go', () => {
  test.each<[string, Partial<MemberOptions>, string[]]>([
    ['one, by default as etcdctl', {}, [here('m2.etcd')]],
    ['one, where it is told', { dataDir: '/d' }, ['/d']],
    [
      'all, with a place for the name',
      { allMembers: true, dataDir: '/d/{name}/etcd' },
      ['/d/m1/etcd', '/d/m2/etcd', '/d/m3/etcd'],
    ],
    ['all, without one', { allMembers: true, dataDir: '/d/etcd/' }, ['/d/etcd-m1', '/d/etcd-m2', '/d/etcd-m3']],
    ['all, by default', { allMembers: true }, [here('m1.etcd'), here('m2.etcd'), here('m3.etcd')]],
  ])('%s', (_, more, expected) => {
    expect(directories(more)).toEqual(expected);
  });

  test('logs follow the same rule', () => {
    const { members } = planMemberDirectories(options({ allMembers: true, dataDir: '/d/{name}', walDir: '/w' }));
    expect(members.map(({ walDir }) => walDir)).toEqual(['/w-m1', '/w-m2', '/w-m3']);
  });

  test('a name with a slash stays below its directory', () => {
    const initialCluster = 'a/../b=http://10.0.0.1:2380';
    expect(directories({ allMembers: true, initialCluster, dataDir: '/d/{name}' })).toEqual(['/d/a_.._b']);
    const above = '..=http://10.0.0.1:2380';
    expect(() => directories({ allMembers: true, initialCluster: above, dataDir: '/d/{name}' })).toThrow(
      /another name|no directory/,
    );
  });
});

describe('what is refused', () => {
  const eight = Array.from({ length: 8 }, (_, index) => `m${index}=http://10.0.0.${index}:2380`).join(',');
  test.each<[string, Partial<MemberOptions>, RegExp]>([
    ['more than seven at once', { allMembers: true, initialCluster: eight }, /at most 7/],
    ['a name that is not in the cluster', { name: 'm9' }, /m1, m2, m3/],
    ['peer URLs that differ', { initialAdvertisePeerUrls: ['http://10.0.0.9:2380'] }, /10\.0\.0\.9/],
    [
      'peer URLs of all members',
      { allMembers: true, initialAdvertisePeerUrls: ['http://10.0.0.2:2380'] },
      /of one member/,
    ],
  ])('%s', (_, more, said) => {
    expect(() => planMemberDirectories(options(more))).toThrow(said);
  });

  test('peer URLs that mean the same are the same', () => {
    expect(directories({ initialAdvertisePeerUrls: ['HTTP://10.0.0.2:2380'] })).toHaveLength(1);
  });
});
