import { clusterSpecSchema, type ClusterSpec } from '@etcd-ops/bus';
import { expect, test } from 'vitest';
import { etcdWarnings, sharedEndpoints } from './cluster-warnings.ts';

function spec(name: string, ...endpoints: string[]): ClusterSpec {
  const store = { provider: 'Local', bucket: '/backups' } as const;
  return clusterSpecSchema.parse({ version: 1, name, endpoints, store, timeouts: { connectMs: 500 } });
}

test('an endpoint of another cluster is told, however it is written; those of the cluster itself are not', () => {
  const others = [
    spec('one', 'http://ETCD-1:2379', 'etcd-2:2379'),
    spec('two', 'etcd-3:2379'),
    spec('new', 'etcd-1:2379'),
  ];
  expect(sharedEndpoints(spec('new', 'https://etcd-1:2379', 'etcd-4:2379'), others)).toEqual([
    'https://etcd-1:2379 belongs to the cluster one already',
  ]);
  expect(sharedEndpoints(spec('new', 'etcd-4:2379'), others)).toEqual([]);
});

test('an etcd that cannot be reached is a warning, and a failure where that is demanded', async () => {
  // A port that nothing can listen on.
  const nowhere = spec('new', '127.0.0.1:1');
  expect(await etcdWarnings(nowhere, { check: false })).toEqual([
    expect.stringMatching(/cannot be backed up from here/),
  ]);
  await expect(etcdWarnings(nowhere, { check: true })).rejects.toMatchObject({ code: 'ETCD_UNREACHABLE' });
});
