import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdOpsError } from '../../base/errors.ts';
import {
  putDelta,
  putFull,
  SAMPLE_CLUSTER,
  type SampleDeltaName,
  type SampleFull,
} from '../../repository/repository-samples.ts';
import { LocalStore } from '../../storage/local-store.ts';
import type { ObjectInfo, ObjectStore } from '../../storage/object-store.ts';

/** Two local stores in a directory of their own. For tests. */
export class CopyWorld implements AsyncDisposable {
  readonly directory: string;
  readonly source: LocalStore;
  readonly target: LocalStore;

  private constructor(directory: string) {
    this.directory = directory;
    this.source = new LocalStore(join(directory, 'source'));
    this.target = new LocalStore(join(directory, 'target'));
  }

  static async make(fulls: readonly SampleFull[] = [], deltas: readonly SampleDeltaName[] = []): Promise<CopyWorld> {
    const world = new CopyWorld(await mkdtemp(join(tmpdir(), 'copy-')));
    for (const full of fulls) await putFull(world.source, full);
    for (const delta of deltas) await putDelta(world.source, delta);
    return world;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Key and bytes of everything in the folder of the cluster. */
export async function contentOf(store: ObjectStore): Promise<Map<string, string>> {
  const content = new Map<string, string>();
  for await (const { key } of store.list(`${SAMPLE_CLUSTER}/`)) {
    content.set(key, (await store.get(key)).toString('hex'));
  }
  return content;
}

/** Lets so many writes through; every later one fails. */
export function failingAfter(inner: ObjectStore, writes: number): ObjectStore {
  let left = writes;
  const enter = (key: string): void => {
    if (left-- <= 0) throw new EtcdOpsError('STORE_UNREACHABLE', { message: `Writing ${key} failed: no route` });
  };
  return new Proxy(inner, {
    get(target, name) {
      if (name === 'put' || name === 'putStream') {
        return async (key: string, ...rest: unknown[]): Promise<unknown> => {
          enter(key);
          const call = target[name] as (...args: unknown[]) => Promise<unknown>;
          return await call.call(target, key, ...rest);
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** As much of a store as a copy uses. */
export class MemoryStore implements ObjectStore {
  readonly description = 'memory';
  readonly capabilities = { conditionalPut: true, multipart: false, objectLock: false };
  readonly #objects = new Map<string, Buffer>();

  async put(key: string, body: Uint8Array, options: { ifAbsent?: boolean } = {}): Promise<'created' | 'exists'> {
    if (options.ifAbsent === true && this.#objects.has(key)) return 'exists';
    this.#objects.set(key, Buffer.from(body));
    return 'created';
  }

  putFile(): Promise<void> {
    throw new Error('not used here');
  }

  async putStream(key: string, source: AsyncIterable<Uint8Array>): Promise<number> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of source) chunks.push(chunk);
    this.#objects.set(key, Buffer.concat(chunks));
    return this.#objects.get(key)!.length;
  }

  async get(key: string): Promise<Buffer> {
    const found = this.#objects.get(key);
    if (found === undefined) throw new EtcdOpsError('STORE_NOT_FOUND', { message: `no ${key}` });
    return found;
  }

  async *stream(key: string): AsyncGenerator<Buffer> {
    yield await this.get(key);
  }

  async stat(key: string): Promise<ObjectInfo | undefined> {
    const found = this.#objects.get(key);
    return found === undefined ? undefined : { key, bytes: found.length, modifiedAtMs: 0 };
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    for (const key of [...this.#objects.keys()].toSorted()) {
      if (key.startsWith(prefix)) yield { key, bytes: this.#objects.get(key)!.length, modifiedAtMs: 0 };
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#objects.delete(key);
  }
}
