import { beforeEach, expect, test } from 'vitest';
import { EtcdOpsError, type ObjectStore } from '@etcd-ops/core';
import { faultyStore } from './faulty-store.ts';

const objects = new Map<string, Buffer>();
const memory: ObjectStore = {
  description: 'memory',
  capabilities: { conditionalPut: true, multipart: false, objectLock: false },
  put: async (key, body) => {
    objects.set(key, Buffer.from(body));
    return 'created';
  },
  putFile: () => Promise.reject(new Error('not here')),
  putStream: () => Promise.reject(new Error('not here')),
  get: async (key) => {
    const bytes = objects.get(key);
    if (bytes === undefined) throw new EtcdOpsError('STORE_NOT_FOUND', { message: key });
    return bytes;
  },
  async *stream(key) {
    yield objects.get(key)!;
  },
  stat: async () => undefined,
  async *list() {
    for (const [key, bytes] of objects) yield { key, bytes: bytes.length, modifiedAtMs: 0 };
  },
  delete: async (keys) => keys.forEach((key) => objects.delete(key)),
};

beforeEach(() => objects.clear());

test('the n-th matching call fails before or after its effect', async () => {
  const store = faultyStore(memory, [
    { call: 'put', keyIncludes: 'b', nth: 2, kind: 'before' },
    { call: 'put', keyIncludes: 'c', nth: 1, kind: 'after' },
  ]);
  await store.put('a', Buffer.from('1'));
  await store.put('b', Buffer.from('1'));
  await expect(store.put('b', Buffer.from('2'))).rejects.toThrow(expect.objectContaining({ code: 'STORE_FAILED' }));
  expect(objects.get('b')).toEqual(Buffer.from('1'));
  await expect(store.put('c', Buffer.from('3'))).rejects.toThrow('a test wants it');
  expect(objects.get('c')).toEqual(Buffer.from('3'));
  expect(store.calls).toEqual(['put a', 'put b', 'put b', 'put c']);
});

test('writes and reads tear', async () => {
  const store = faultyStore(memory, [{ call: 'put', nth: 1, kind: 'torn' }]);
  await store.put('a', Buffer.from('abcdef'));
  expect(objects.get('a')).toEqual(Buffer.from('abc'));
  store.faults.push({ call: 'stream', nth: 0, kind: 'cut' });
  const parts: string[] = [];
  await expect(
    (async () => {
      for await (const part of store.stream('a')) parts.push(part.toString());
    })(),
  ).rejects.toThrow('stream of a failed');
  expect(parts).toEqual(['a']);
});
