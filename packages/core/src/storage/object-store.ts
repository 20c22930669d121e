export interface ObjectInfo {
  key: string;
  bytes: number;
  /** Milliseconds since the epoch, by the store's clock. */
  modifiedAtMs: number;
}

export interface ReadOptions {
  /** First byte, counted from 0. A negative offset counts from the end. */
  offset?: number;
  /** Bytes wanted; without it, all up to the end. */
  length?: number;
  signal?: AbortSignal;
}

export interface WriteOptions {
  signal?: AbortSignal;
  /** Called with the bytes written so far. */
  onProgress?: (bytes: number) => void;
}

export interface StoreCapabilities {
  /** `put` with `ifAbsent` is atomic against other writers. */
  conditionalPut: boolean;
}

/**
 * Where snapshots live. Keys are `/`-separated paths of letters, digits and `._=-`; a key never begins or ends with `/`.
 *
 * - An object MUST be visible only whole: a `put` that failed or was killed leaves nothing that `list` shows.
 * - An object MUST be durable when `put` or `putFile` resolves.
 * - `list` MUST return keys in ascending byte order and MUST see every put that resolved before it began.
 * - Errors MUST be EtcdOpsError: STORE_NOT_FOUND, STORE_KEY_INVALID, STORE_EXISTS or STORE_FAILED (naming the key).
 */
export interface ObjectStore {
  /** For people: `Local /var/backups/etcd`. Holds no secret. */
  readonly description: string;
  readonly capabilities: StoreCapabilities;

  /**
   * Stores a small object (held in memory).
   * With `ifAbsent`, an existing object is left as it is and `exists` is answered.
   */
  put(key: string, body: Uint8Array, options?: WriteOptions & { ifAbsent?: boolean }): Promise<'created' | 'exists'>;
  /** Stores the bytes of a local file. With `move`, the store MAY take the file away instead of copying it. */
  putFile(key: string, path: string, options?: WriteOptions & { move?: boolean }): Promise<void>;

  /** Reads a whole small object or a range; refuses (LIMIT_EXCEEDED) what is larger than `bytesMax` (default 64 MiB). */
  get(key: string, options?: ReadOptions & { bytesMax?: number }): Promise<Buffer>;
  /** Streams an object with bounded memory. */
  stream(key: string, options?: ReadOptions): AsyncIterable<Buffer>;
  stat(key: string): Promise<ObjectInfo | undefined>;
  /** All objects whose key begins with `prefix` (which MUST be empty or end in `/`), in ascending key order. */
  list(prefix: string, options?: { after?: string; signal?: AbortSignal }): AsyncIterable<ObjectInfo>;
  /** Deletes objects; a key that does not exist is no error. */
  delete(keys: readonly string[]): Promise<void>;

  /** The path of an object that is an ordinary local file, so that restore can clone it; undefined for remote stores. */
  localPath?(key: string): string | undefined;
}
