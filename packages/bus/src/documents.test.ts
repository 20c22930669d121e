import { expect, test } from 'vitest';
import type { Bus } from './connection.ts';
import { attempts, owners, positions } from './state.ts';

test('the handle of a bucket is asked for once on a connection, and again after a failure', async () => {
  const asked: string[] = [];
  const busOf = (name: string): Bus => {
    const kv = async (bucket: string) => {
      asked.push(`${name} ${bucket}`);
      if (asked.length === 1) throw new Error('NATS is away');
      return { get: async () => null };
    };
    return { js: { views: { kv } } } as unknown as Bus;
  };
  const bus = busOf('first');
  await expect(owners(bus).get('a')).rejects.toThrow('NATS is away');
  for (const key of ['a', 'b']) expect(await owners(bus).get(key)).toBeUndefined();
  await Promise.all([positions(bus).get('position.a'), attempts(bus).get('attempt.a')]);
  await owners(busOf('second')).get('a');
  expect(asked).toEqual([
    'first etcdops_owners',
    'first etcdops_owners',
    'first etcdops_state',
    'second etcdops_owners',
  ]);
});
