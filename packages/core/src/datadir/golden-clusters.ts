import { readFileSync } from 'node:fs';

/** The clusters of the golden files (golden/README.md), for tests. */
export const GOLDEN_CLUSTERS = [
  { file: '1-members', token: 'tok-1', member: 'm1', initialCluster: 'm1=http://127.0.0.1:2380' },
  {
    file: '3-members',
    token: 'etcd-cluster',
    member: 'm 2',
    initialCluster: [
      '<a&b>"\\é\u2028=https://[::1]:2380',
      '<a&b>"\\é\u2028=HTTP://Host.Example:1',
      'm 2=unix://abc:1',
      'm3=http://10.0.0.1:2380',
    ].join(','),
  },
] as const;

export function readGolden(name: string): Buffer {
  return readFileSync(new URL(`golden/${name}`, import.meta.url));
}
