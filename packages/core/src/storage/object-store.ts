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

export interface StreamWriteOptions extends WriteOptions {
  /**
   * An upper bound of what will come, from which a store chooses the size of its parts: it may refuse (LIMIT_EXCEEDED) a stream
   * that turns out to be longer. Default 64 GiB.
   */
  bytesMax?: number;
}

/** What a store can do. May change from true to false while a store is in use: a server that ignores a condition is found out. */
export interface StoreCapabilities {
  /** `put` with `ifAbsent` is atomic against other writers. Without it, two writers at the same moment may both be told `created`. */
  readonly conditionalPut: boolean;
  /** Large objects go in parts: what dies half way leaves parts that `sweepAbandoned` takes away. */
  readonly multipart: boolean;
  /** Objects may be protected by the store: `objectLock` says until when. */
  readonly objectLock: boolean;
}

/** How the store itself protects an object against deletion. */
export interface ObjectLock {
  /** Milliseconds since the epoch; a deletion before is refused, or only hides the object. */
  retainUntilMs?: number;
  /** `governance` can be lifted by whoever has the right to; `compliance` by nobody. */
  mode?: 'governance' | 'compliance';
  legalHold: boolean;
}

/** A rule by which the store itself deletes or moves objects, whatever the retention of a cluster says. */
export interface LifecycleRule {
  id: string;
  /** Keys that it is about; '' for all. */
  prefix: string;
  /** Days after which objects are deleted. */
  expireAfterDays?: number;
  /** Days after which they move to another storage class, from which they may have to be fetched back before they can be read. */
  moveAfterDays?: number;
  storageClass?: string;
  /** Days after which unfinished multipart uploads are dropped: this one does good. */
  abortUploadsAfterDays?: number;
}

/** What the bucket itself is set to. A part that may not be read is undefined, and `unreadable` tells why. */
export interface BucketFacts {
  versioning?: 'off' | 'on' | 'suspended';
  objectLock?: { enabled: boolean; defaultMode?: 'governance' | 'compliance'; defaultDays?: number };
  lifecycle?: LifecycleRule[];
  /** How far the store's clock is ahead of ours. */
  clockAheadMs?: number;
  unreadable: string[];
}

/**
 * Where snapshots live. Keys are `/`-separated paths of letters, digits and `._=-`; a key never begins or ends with `/`.
 *
 * - An object MUST be visible only whole: a `put` that failed or was killed leaves nothing that `list` shows.
 * - An object MUST be durable when `put`, `putFile` or `putStream` resolves. One that failed or was aborted MUST reject.
 * - `list` MUST return keys in ascending byte order and MUST see every put that resolved before it began.
 * - Errors MUST be EtcdOpsError: STORE_... (naming bucket or key), LIMIT_EXCEEDED or CANCELLED. No error holds a secret.
 * - A store retries by itself what may succeed later; its errors are final for this call.
 */
export interface ObjectStore {
  /** For people: `Local /var/backups/etcd`, `S3 backups/prod at https://s3.example.com`. Holds no secret. */
  readonly description: string;
  readonly capabilities: StoreCapabilities;

  /**
   * Stores a small object (held in memory). The only kind of write that may commit something: it is conditional where the
   * store can be, which a completed multipart upload is not everywhere.
   * With `ifAbsent`, an existing object is left as it is and `exists` is answered.
   */
  put(key: string, body: Uint8Array, options?: WriteOptions & { ifAbsent?: boolean }): Promise<'created' | 'exists'>;
  /** Stores the bytes of a local file of any size with bounded memory. With `move`, the store MAY take the file away instead of copying it. */
  putFile(key: string, path: string, options?: WriteOptions & { move?: boolean }): Promise<void>;
  /**
   * Stores a stream of any size with bounded memory. When the stream throws, so does this, and nothing becomes visible.
   * @returns how many bytes came.
   */
  putStream(key: string, source: AsyncIterable<Uint8Array>, options?: StreamWriteOptions): Promise<number>;

  /** Reads a whole small object or a range; refuses (LIMIT_EXCEEDED) what is larger than `bytesMax` (default 64 MiB). */
  get(key: string, options?: ReadOptions & { bytesMax?: number }): Promise<Buffer>;
  /** Streams an object with bounded memory. */
  stream(key: string, options?: ReadOptions): AsyncIterable<Buffer>;
  stat(key: string): Promise<ObjectInfo | undefined>;
  /** All objects whose key begins with `prefix` (which MUST be empty or end in `/`), in ascending key order. */
  list(prefix: string, options?: { after?: string; signal?: AbortSignal }): AsyncIterable<ObjectInfo>;
  /** Deletes objects, any number of them; a key that does not exist is no error. When some cannot be deleted, the others are, and it rejects. */
  delete(keys: readonly string[]): Promise<void>;

  /**
   * Removes what writers of keys below `prefix` left behind when they died, and nobody sees: temporary files, parts of uploads.
   * What a writer added to within `olderThanMs` lives, however long ago it began; that must be far above the longest pause of a writer.
   * @returns how many went.
   */
  sweepAbandoned?(prefix: string, options: SweepOptions): Promise<number>;
  /** How the store protects an object; undefined when it does not. Only where `capabilities.objectLock`. */
  objectLock?(key: string): Promise<ObjectLock | undefined>;
  /** What the bucket is set to, for a check of the set-up. */
  bucketFacts?(options?: { signal?: AbortSignal }): Promise<BucketFacts>;
  /** The path of an object that is an ordinary local file, so that restore can clone it; undefined for remote stores. */
  localPath?(key: string): string | undefined;
  /** Closes idle connections. The store must not be used afterwards. */
  close?(): Promise<void>;
}

export interface SweepOptions {
  olderThanMs: number;
  nowMs: number;
  signal?: AbortSignal;
}
