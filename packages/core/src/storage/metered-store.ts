import type { ObjectInfo, ObjectStore, ReadOptions } from './object-store.ts';
import type { RequestName } from './each-request.ts';

export const STORE_OPERATIONS = [
  'put',
  'putFile',
  'putStream',
  'get',
  'stream',
  'stat',
  'list',
  'delete',
  'sweep',
] as const;
export type StoreOperation = (typeof STORE_OPERATIONS)[number];

export interface StoreMeter {
  /** An operation has ended. `bytes`: of the objects' content that went through it. */
  operated(operation: StoreOperation, outcome: 'ok' | 'failed', facts: { seconds: number; bytes: number }): void;
  /** A single request failed and is tried again. */
  retried(request: RequestName): void;
}

/** Counts and times what is done with a store. A reader that stops half way did well. */
export function meteredStore(inner: ObjectStore, meter: StoreMeter): ObjectStore {
  const timer = new OperationTimer(meter);
  const store: ObjectStore = {
    get description() {
      return inner.description;
    },
    get capabilities() {
      return inner.capabilities;
    },
    put: async (key, body, options) =>
      await timer.run(
        'put',
        async () => await inner.put(key, body, options),
        (outcome) => (outcome === 'created' ? body.length : 0),
      ),
    async putFile(key, path, options = {}) {
      let bytes = 0;
      const onProgress = (done: number): void => {
        bytes = done;
        options.onProgress?.(done);
      };
      await timer.run(
        'putFile',
        async () => await inner.putFile(key, path, { ...options, onProgress }),
        () => bytes,
      );
    },
    putStream: async (key, source, options) =>
      await timer.run(
        'putStream',
        async () => await inner.putStream(key, source, options),
        (bytes) => bytes,
      ),
    get: async (key, options) =>
      await timer.run(
        'get',
        async () => await inner.get(key, options),
        ({ length }) => length,
      ),
    stream: (key: string, options?: ReadOptions) =>
      timer.iterate('stream', inner.stream(key, options), ({ length }) => length),
    stat: async (key) => await timer.run('stat', async () => await inner.stat(key)),
    list: (prefix, options) => timer.iterate<ObjectInfo>('list', inner.list(prefix, options), () => 0),
    delete: async (keys) => await timer.run('delete', async () => await inner.delete(keys)),
  };
  addOptional(store, inner, timer);
  return store;
}

/** What not every store can do. */
function addOptional(store: ObjectStore, inner: ObjectStore, timer: OperationTimer): void {
  if (inner.sweepAbandoned !== undefined) {
    store.sweepAbandoned = async (prefix, options) =>
      await timer.run('sweep', async () => (await inner.sweepAbandoned?.(prefix, options)) ?? 0);
  }
  if (inner.objectLock !== undefined) store.objectLock = async (key) => await inner.objectLock?.(key);
  if (inner.bucketFacts !== undefined) {
    store.bucketFacts = async (options) => (await inner.bucketFacts?.(options)) ?? { unreadable: [] };
  }
  if (inner.localPath !== undefined) store.localPath = (key) => inner.localPath?.(key);
  if (inner.close !== undefined) store.close = async () => await inner.close?.();
}

class OperationTimer {
  readonly #meter: StoreMeter;

  constructor(meter: StoreMeter) {
    this.#meter = meter;
  }

  async run<Result>(
    operation: StoreOperation,
    work: () => Promise<Result>,
    bytesOf: (result: Result) => number = () => 0,
  ): Promise<Result> {
    const beganMs = performance.now();
    try {
      const result = await work();
      this.#meter.operated(operation, 'ok', { seconds: secondsSince(beganMs), bytes: bytesOf(result) });
      return result;
    } catch (error) {
      this.#meter.operated(operation, 'failed', { seconds: secondsSince(beganMs), bytes: 0 });
      throw error;
    }
  }

  async *iterate<Item>(
    operation: StoreOperation,
    items: AsyncIterable<Item>,
    bytesOf: (item: Item) => number,
  ): AsyncGenerator<Item> {
    const beganMs = performance.now();
    let bytes = 0;
    let outcome: 'ok' | 'failed' = 'ok';
    try {
      for await (const item of items) {
        bytes += bytesOf(item);
        yield item;
      }
    } catch (error) {
      outcome = 'failed';
      throw error;
    } finally {
      this.#meter.operated(operation, outcome, { seconds: secondsSince(beganMs), bytes });
    }
  }
}

function secondsSince(beganMs: number): number {
  return (performance.now() - beganMs) / 1000;
}
