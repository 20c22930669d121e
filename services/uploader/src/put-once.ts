import { EtcdOpsError, type ObjectStore } from '@etcd-ops/core';
import { createHash } from 'node:crypto';

/**
 * Stores an object that is written once and never changed. An equal one that is there already is what another uploader, or this
 * one before it crashed, made of the same task: fine.
 * @throws EtcdOpsError STORE_EXISTS when another one is there.
 */
export async function putOnce(
  store: ObjectStore,
  key: string,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<'created' | 'equal'> {
  const options = signal === undefined ? {} : { signal };
  if ((await store.put(key, bytes, { ifAbsent: true, ...options })) === 'created') return 'created';
  const found = await store.stat(key);
  if (found !== undefined && found.bytes === bytes.length) {
    const stored = await store.get(key, { bytesMax: bytes.length, ...options });
    if (sha256(stored) === sha256(bytes)) return 'equal';
  }
  throw new EtcdOpsError('STORE_EXISTS', { message: `${key} exists in ${store.description} with other bytes` });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
