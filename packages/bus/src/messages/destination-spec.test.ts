import { expect, test } from 'vitest';
import { clusterSpecSchema } from './cluster-spec.ts';

const S3 = { provider: 'S3', bucket: 'off-site', prefix: 'etcd/' };

function problems(...destinations: object[]): string[] {
  const spec = { version: 1, name: 'c', endpoints: ['10.0.0.1:2379'], store: { provider: 'Local', bucket: '/b' } };
  const parsed = clusterSpecSchema.safeParse({ ...spec, destinations });
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test('a destination is complete with its defaults', () => {
  const spec = { version: 1, name: 'c', endpoints: ['a:1'], store: { provider: 'Local', bucket: '/b' } };
  const { destinations } = clusterSpecSchema.parse({ ...spec, destinations: [{ name: 'far', store: S3 }] });
  expect(destinations).toMatchObject([{ periodMs: 300_000, retention: { maxBackups: 240, graceMs: 900_000 } }]);
  expect(clusterSpecSchema.parse(spec)).not.toHaveProperty('destinations');
});

test('names and places are unique, and none is that of the cluster itself', () => {
  const near = { name: 'near', store: { provider: 'Local', bucket: '/near' } };
  expect(problems(near, { name: 'far', store: S3 })).toEqual([]);
  expect(problems(near, { name: 'near', store: S3 })).toEqual([
    'destinations: each destination needs a name of its own',
  ]);
  expect(problems({ name: 'one', store: S3 }, { name: 'two', store: { ...S3, prefix: 'etcd' } })).toEqual([
    'destinations: two destinations are the same place',
  ]);
  expect(problems(near, { name: 'own', store: { provider: 'Local', bucket: '/b/' } })).toEqual([
    "destinations.1.store: the same place as the cluster's own store",
  ]);
});

test('unknown fields and names that are no token are refused', () => {
  expect(problems({ name: 'far', store: S3, retentoin: {} })).toHaveLength(1);
  for (const name of ['', 'a.b', 'a b', '-a', 'x'.repeat(41)]) expect(problems({ name, store: S3 })).toHaveLength(1);
});
