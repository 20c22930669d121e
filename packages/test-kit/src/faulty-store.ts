import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdOpsError, type ObjectStore } from '@etcd-ops/core';

const STORE_CALLS = ['put', 'putFile', 'putStream', 'get', 'stream', 'stat', 'list', 'delete'] as const;
export type StoreCall = (typeof STORE_CALLS)[number];

export interface StoreFault {
  /** Which calls count; default all. */
  call?: StoreCall;
  /** Only calls whose key (or prefix) contains this. */
  keyIncludes?: string;
  /** Fails the n-th matching call, counted from 1; 0 = every one. */
  nth: number;
  /**
   * `before`: nothing happens, the call fails. `after`: the call takes effect and fails nevertheless (a lost answer).
   * `torn`: half of the bytes arrive under the key (a store that breaks its promise), and the call succeeds.
   * `cut`: a read ends early with an error.
   */
  kind: 'before' | 'after' | 'torn' | 'cut';
  error?: Error;
}

export interface FaultyStore extends ObjectStore {
  /** What goes wrong; may be changed at any time. */
  readonly faults: StoreFault[];
  /** How slow each call is. */
  delayMs: number;
  /** All calls so far: `put cluster/t00000001/...`. */
  readonly calls: string[];
}

/** Wraps a store so that chosen calls fail, tear or are slow. */
export function faultyStore(inner: ObjectStore, faults: StoreFault[] = []): FaultyStore {
  const seen = new Map<StoreFault, number>();
  const calls: string[] = [];

  async function enter(call: StoreCall, key: string): Promise<StoreFault | undefined> {
    calls.push(`${call} ${key}`);
    if (store.delayMs > 0) await delay(store.delayMs);
    let hit: StoreFault | undefined;
    for (const fault of faults) {
      if ((fault.call !== undefined && fault.call !== call) || !key.includes(fault.keyIncludes ?? '')) continue;
      const count = (seen.get(fault) ?? 0) + 1;
      seen.set(fault, count);
      if (fault.nth === 0 || fault.nth === count) hit ??= fault;
    }
    if (hit?.kind === 'before') throw failure(hit, call, key);
    return hit;
  }

  function leave(fault: StoreFault | undefined, call: StoreCall, key: string): void {
    if (fault?.kind === 'after') throw failure(fault, call, key);
  }

  const store: FaultyStore = {
    faults,
    delayMs: 0,
    calls,
    description: `faulty ${inner.description}`,
    get capabilities() {
      return inner.capabilities;
    },
    async put(key, body, options) {
      const fault = await enter('put', key);
      const outcome = await inner.put(
        key,
        fault?.kind === 'torn' ? body.subarray(0, body.length >>> 1) : body,
        options,
      );
      leave(fault, 'put', key);
      return outcome;
    },
    async putFile(key, path, options) {
      const fault = await enter('putFile', key);
      if (fault?.kind === 'torn') {
        const bytes = await readFile(path);
        await inner.put(key, bytes.subarray(0, bytes.length >>> 1), {
          ...(options?.signal && { signal: options.signal }),
        });
      } else {
        await inner.putFile(key, path, options);
      }
      leave(fault, 'putFile', key);
    },
    async putStream(key, source, options) {
      const fault = await enter('putStream', key);
      const bytes = await inner.putStream(key, fault?.kind === 'torn' ? halves(source) : source, options);
      leave(fault, 'putStream', key);
      return bytes;
    },
    async get(key, options) {
      const fault = await enter('get', key);
      const bytes = await inner.get(key, options);
      leave(fault, 'get', key);
      if (fault?.kind === 'cut') throw failure(fault, 'get', key);
      return fault?.kind === 'torn' ? bytes.subarray(0, bytes.length >>> 1) : bytes;
    },
    async *stream(key, options) {
      const fault = await enter('stream', key);
      for await (const chunk of inner.stream(key, options)) {
        if (fault === undefined) yield chunk;
        else yield chunk.subarray(0, chunk.length >>> 1);
        if (fault?.kind === 'torn') return;
        if (fault !== undefined) throw failure(fault, 'stream', key);
      }
    },
    async stat(key) {
      const fault = await enter('stat', key);
      const info = await inner.stat(key);
      leave(fault, 'stat', key);
      return info;
    },
    async *list(prefix, options) {
      const fault = await enter('list', prefix);
      yield* inner.list(prefix, options);
      leave(fault, 'list', prefix);
    },
    async delete(keys) {
      const fault = await enter('delete', keys.join(' '));
      await inner.delete(fault?.kind === 'torn' ? keys.slice(0, keys.length >>> 1) : keys);
      leave(fault, 'delete', keys.join(' '));
    },
  };
  if (inner.localPath !== undefined) store.localPath = (key) => inner.localPath?.(key);
  if (inner.sweepAbandoned !== undefined) {
    store.sweepAbandoned = async (prefix, options) => (await inner.sweepAbandoned?.(prefix, options)) ?? 0;
  }
  if (inner.objectLock !== undefined) store.objectLock = async (key) => await inner.objectLock?.(key);
  return store;
}

/** Of each chunk, the first half. */
async function* halves(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield chunk.subarray(0, chunk.length >>> 1);
}

function failure(fault: StoreFault, call: StoreCall, key: string): Error {
  return (
    fault.error ?? new EtcdOpsError('STORE_FAILED', { message: `${call} of ${key} failed because a test wants it` })
  );
}
