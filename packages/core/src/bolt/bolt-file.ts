import { closeSync, fstatSync, openSync } from 'node:fs';
import { EtcdOpsError } from '../base/errors.ts';
import { BlockCache } from './block-cache.ts';
import { Bucket } from './bucket.ts';
import { boltDamaged, SNAPSHOT_TRAILER_BYTES } from './format.ts';
import { readMetaPages, type BoltMeta, type MetaPages } from './meta.ts';

const CACHE_BYTES_DEFAULT = 8 * 1024 * 1024;

export interface BoltFileOptions {
  /** Memory for blocks of the file; 8 MiB unless told. */
  cacheBytes?: number;
  /** Bytes behind the database: 32 in an etcd snapshot (its SHA-256). Seen from the size unless told. */
  trailerBytes?: 0 | 32;
}

/** A bbolt database file, or an etcd snapshot, opened for reading. Memory is bounded whatever the file's size. */
export class BoltFile implements Disposable {
  readonly path: string;
  readonly pageSize: number;
  readonly meta: BoltMeta;
  /** Both meta pages as they are stored; undefined is not valid. One is enough to open the file. */
  readonly metaPages: MetaPages['pages'];
  /** Without the trailer. */
  readonly fileBytes: number;
  readonly trailerBytes: number;
  /** For what walks pages itself: the consistency check and the writer. */
  readonly pages: BlockCache;
  readonly #root: Bucket;
  readonly #descriptor: number;
  #open = true;

  private constructor(path: string, descriptor: number, fileBytes: number, options: BoltFileOptions) {
    this.path = path;
    this.#descriptor = descriptor;
    this.trailerBytes =
      options.trailerBytes ?? (fileBytes % 512 === SNAPSHOT_TRAILER_BYTES ? SNAPSHOT_TRAILER_BYTES : 0);
    this.fileBytes = fileBytes - this.trailerBytes;
    const { current, pages } = readMetaPages(descriptor, this.fileBytes, path);
    this.meta = current;
    this.metaPages = pages;
    this.pageSize = current.pageSize;
    this.pages = new BlockCache({
      descriptor,
      path,
      pageSize: current.pageSize,
      highWaterMark: current.highWaterMark,
      cacheBytes: options.cacheBytes ?? CACHE_BYTES_DEFAULT,
    });
    const header = { rootPage: current.rootPage, sequence: current.rootSequence, inline: undefined };
    this.#root = new Bucket(this.pages, '', header, current.rootPage);
  }

  /** @throws EtcdOpsError BOLT_DAMAGED when it is no bbolt file or is cut off, DISK_FAILED when it cannot be read. */
  static open(path: string, options: BoltFileOptions = {}): BoltFile {
    const descriptor = openForReading(path);
    try {
      const facts = fstatSync(descriptor);
      if (!facts.isFile()) throw boltDamaged(path, undefined, 'it is not a regular file');
      return new BoltFile(path, descriptor, facts.size, options);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  /** The bucket of buckets: its entries are the top-level buckets. */
  get root(): Bucket {
    return this.#root;
  }

  /** A top-level bucket. */
  bucket(name: string): Bucket | undefined {
    return this.#root.bucket(name);
  }

  bucketNames(): string[] {
    return this.#root.bucketNames();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#descriptor);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function openForReading(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new EtcdOpsError('DISK_FAILED', { message: `Cannot open ${path}`, cause: error });
  }
}
