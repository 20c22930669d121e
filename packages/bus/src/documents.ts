import { EtcdOpsError } from '@etcd-ops/core';
import type { KV, KvEntry } from 'nats';
import type { z } from 'zod';
import { API_ERROR, isApiError, isDefiniteRefusal, toBusError } from './bus-error.ts';
import type { Bus } from './connection.ts';
import { readTolerantly, withUnknown, type Read, type UnknownField } from './messages/read-tolerantly.ts';

export interface Stored<T> {
  key: string;
  value: T;
  /** Give it back to `update` or `delete` to change only what was read. */
  revision: number;
  /** Fields that this version does not know; `update` keeps them when it is given what was read. */
  unknown: readonly UnknownField[];
}

export type Change<T> =
  | { kind: 'put'; entry: Stored<T> }
  | { kind: 'deleted'; key: string }
  | { kind: 'invalid'; key: string; error: EtcdOpsError };

/** The handles of the buckets of a connection. To make one costs a question, and a fleet asks on behalf of a thousand clusters. */
const VIEWS = new WeakMap<Bus, Map<string, Promise<KV>>>();

/**
 * JSON documents of one schema in a KV bucket. Reads ask the stream's leader: the client's default handle asks any
 * replica, and that one answered with old values, and with "missing" for keys created a moment before.
 */
export class Documents<T> {
  readonly #bus: Bus;
  readonly #bucket: string;
  readonly #schema: z.ZodType<T>;

  constructor(bus: Bus, bucket: string, schema: z.ZodType<T>) {
    this.#bus = bus;
    this.#bucket = bucket;
    this.#schema = schema;
  }

  /** @throws EtcdOpsError BUS_MESSAGE_INVALID when what is there follows another schema, BUS_VERSION_UNKNOWN. */
  async get(key: string): Promise<Stored<T> | undefined> {
    const entry = await this.#try(`Reading ${key}`, (kv) => kv.get(key));
    return entry === null || entry.operation !== 'PUT' ? undefined : this.#decode(entry);
  }

  /** The new revision; undefined when the key exists already. */
  create(key: string, value: T): Promise<number | undefined> {
    return this.#compareAndSet(`Creating ${key}`, (kv) => kv.create(key, this.#encode(key, value)));
  }

  /**
   * The new revision; undefined when the key is no longer at `revision`. An expired key counts as changed.
   * With `before`, what a later version wrote into the document stays in it.
   */
  update(key: string, value: T, revision: number, before?: Read<T>): Promise<number | undefined> {
    return this.#compareAndSet(`Updating ${key}`, (kv) => kv.update(key, this.#encode(key, value, before), revision));
  }

  put(key: string, value: T): Promise<number> {
    return this.#try(`Writing ${key}`, (kv) => kv.put(key, this.#encode(key, value)));
  }

  /** With `revision`: false when the key is no longer there or changed. */
  async delete(key: string, revision?: number): Promise<boolean> {
    const options = revision === undefined ? {} : { previousSeq: revision };
    const done = await this.#compareAndSet(`Deleting ${key}`, async (kv) => (await kv.delete(key, options), 1));
    return done !== undefined;
  }

  /** What an entry lives; 0: for ever. */
  async ttlMs(): Promise<number> {
    return (await this.#try('Asking for its settings', (kv) => kv.status())).ttl;
  }

  /** All keys below `prefix` (`position.`); without it, all. */
  async keys(prefix = ''): Promise<string[]> {
    const keys: string[] = [];
    const list = (kv: KV) => kv.keys(prefix === '' ? '>' : `${prefix}>`);
    const iterator = await this.#try('Listing keys', (kv) => repeated(() => list(kv)));
    for await (const key of iterator) keys.push(key);
    return keys.toSorted();
  }

  async entries(prefix = ''): Promise<Stored<T>[]> {
    const entries: Stored<T>[] = [];
    for (const key of await this.keys(prefix)) {
      const entry = await this.get(key);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  /**
   * What is there now and every later change, until the signal is aborted. Survives reconnections.
   * Expiry is NOT among the changes: the server sends nothing for it.
   * `onInitialized` is called behind the last entry that was there at the beginning.
   */
  async *watch(options: {
    prefix?: string;
    signal: AbortSignal;
    onInitialized?: () => void;
  }): AsyncGenerator<Change<T>> {
    const { prefix = '', signal, onInitialized } = options;
    if (signal.aborted) return;
    const watch = (kv: KV) =>
      kv.watch({
        key: prefix === '' ? '>' : `${prefix}>`,
        ...(onInitialized === undefined ? {} : { initializedFn: onInitialized }),
      });
    const iterator = await this.#try('Watching', (kv) => repeated(() => watch(kv)));
    const stop = () => iterator.stop();
    signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const entry of iterator) {
        if (signal.aborted) return;
        yield this.#change(entry);
      }
    } catch (error) {
      throw toBusError(error, `Watching the bucket ${this.#bucket}`);
    } finally {
      signal.removeEventListener('abort', stop);
      iterator.stop();
    }
  }

  #change(entry: KvEntry): Change<T> {
    if (entry.operation !== 'PUT') return { kind: 'deleted', key: entry.key };
    try {
      return { kind: 'put', entry: this.#decode(entry) };
    } catch (error) {
      return { kind: 'invalid', key: entry.key, error: toBusError(error, `Decoding ${entry.key}`) };
    }
  }

  #decode(entry: KvEntry): Stored<T> {
    const where = `${this.#bucket}/${entry.key}`;
    let json: unknown;
    try {
      json = JSON.parse(entry.string());
    } catch (error) {
      throw new EtcdOpsError('BUS_MESSAGE_INVALID', { message: `${where} is no JSON`, cause: error });
    }
    const { value, unknown } = readTolerantly(this.#schema, json, where);
    return { key: entry.key, value, revision: entry.revision, unknown };
  }

  #encode(key: string, value: T, before?: Read<T>): string {
    const parsed = this.#schema.safeParse(value);
    if (!parsed.success) {
      const message = `A value for ${this.#bucket}/${key} does not follow its schema`;
      throw new EtcdOpsError('BUS_MESSAGE_INVALID', { message, cause: parsed.error });
    }
    return JSON.stringify(before === undefined ? parsed.data : withUnknown(parsed.data, before));
  }

  async #compareAndSet(what: string, call: (kv: KV) => Promise<number>): Promise<number | undefined> {
    try {
      return await call(await this.#kv());
    } catch (error) {
      if (isApiError(error, API_ERROR.wrongLastSequence)) return undefined;
      throw toBusError(error, `${what} in ${this.#bucket}`);
    }
  }

  async #try<R>(what: string, call: (kv: KV) => Promise<R>): Promise<R> {
    try {
      return await call(await this.#kv());
    } catch (error) {
      throw toBusError(error, `${what} in ${this.#bucket}`);
    }
  }

  #kv(): Promise<KV> {
    const views = VIEWS.get(this.#bus) ?? new Map<string, Promise<KV>>();
    VIEWS.set(this.#bus, views);
    const known = views.get(this.#bucket);
    if (known !== undefined) return known;
    // bindOnly is what makes the client ask the leader (bus.md part 0).
    const view = this.#bus.js.views.kv(this.#bucket, { bindOnly: true });
    views.set(this.#bucket, view);
    view.catch(() => views.delete(this.#bucket));
    return view;
  }
}

const CONSUMER_TRIES_MAX = 4;

/** Makes a consumer, which a server of three may put on a node that is dead (see `reading-consumer.ts`): then another one. */
async function repeated<R>(make: () => Promise<R>): Promise<R> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await make();
    } catch (error) {
      if (isDefiniteRefusal(error) || attempt >= CONSUMER_TRIES_MAX) throw error;
    }
  }
}
