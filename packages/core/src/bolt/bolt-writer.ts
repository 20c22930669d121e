import assert from 'node:assert/strict';
import { closeSync, fstatSync, fsync, fsyncSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { EtcdOpsError } from '../base/errors.ts';
import { Bucket, decodeBucketHeader } from './bucket.ts';
import { encodeBucketHeader, encodeInlineBucket } from './bucket-value.ts';
import { Cursor } from './cursor.ts';
import { boltDamaged, BUCKET_ELEMENT, ELEMENT_BYTES, LEAF_PAGE, PAGE_HEADER_BYTES, writeUint64 } from './format.ts';
import { encodeMetaPage, readMetaPages, type BoltMeta } from './meta.ts';
import { PageWriter } from './page-writer.ts';
import { RightEdge } from './right-edge.ts';
import { TreeBuilder } from './tree-builder.ts';

const fsyncLater = promisify(fsync);
const PAGE_SIZE_DEFAULT = 4096;
/** etcd has about a dozen buckets, inline ones below a quarter of a page: this is far above, and bounds memory. */
const ROOT_BYTES_MAX = 16 * 1024 * 1024;

export interface BoltWriterOptions {
  /**
   * Write beside the event loop. Whoever appends much awaits `settle(1)` now and then, so that memory stays bounded, and
   * ends with `commitAsync`.
   */
  writeBehind?: boolean;
}

/**
 * Edits a private copy of a database file in place: pages are only appended, and nothing of it counts before `commit` has
 * written the meta pages. Pages that are no longer referenced become free by themselves, since no free list is stored.
 */
export class BoltWriter implements Disposable {
  readonly path: string;
  readonly #descriptor: number;
  readonly #pages: PageWriter;
  /** The top-level buckets by name (latin1, so that any byte survives); values as in the root leaf. */
  readonly #root = new Map<string, Buffer>();
  readonly #unfinished = new Set<string>();
  #meta: BoltMeta;
  #open = true;

  private constructor(path: string, descriptor: number, options: BoltWriterOptions) {
    this.path = path;
    this.#descriptor = descriptor;
    this.#meta = readMetaPages(descriptor, fstatSync(descriptor).size, path).current;
    this.#pages = new PageWriter(path, descriptor, this.#meta, options);
    this.#readRoot();
    // Bytes above the mark are no part of the database (a snapshot's SHA-256 among them).
    ftruncateSync(descriptor, this.#meta.highWaterMark * this.#meta.pageSize);
  }

  /**
   * Opens a private copy for editing and cuts what follows its pages.
   * @throws EtcdOpsError BOLT_DAMAGED, DISK_FAILED
   */
  static open(path: string, options: BoltWriterOptions = {}): BoltWriter {
    const descriptor = onDisk(`Cannot open ${path} for writing`, () => openSync(path, 'r+'));
    try {
      return new BoltWriter(path, descriptor, options);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  /** Makes a new file without buckets and opens it. */
  static create(path: string, options: BoltWriterOptions & { pageSize?: number } = {}): BoltWriter {
    const pageSize = options.pageSize ?? PAGE_SIZE_DEFAULT;
    const root = Buffer.alloc(pageSize);
    writeUint64(new DataView(root.buffer, root.byteOffset, root.length), 0, 2);
    root.writeUInt16LE(LEAF_PAGE, 8);
    const meta: BoltMeta = {
      pageSize,
      rootPage: 2,
      rootSequence: 0n,
      freelistPage: undefined,
      highWaterMark: 3,
      txid: 0,
    };
    const bytes = Buffer.concat([encodeMetaPage(0, meta), encodeMetaPage(1, { ...meta, txid: 1 }), root]);
    onDisk(`Cannot create ${path}`, () => writeFileSync(path, bytes, { flag: 'wx', mode: 0o600 }));
    return BoltWriter.open(path, options);
  }

  get pageSize(): number {
    return this.#meta.pageSize;
  }

  /** Bytes of the file if it were committed now, without the pages still in progress. */
  get fileBytes(): number {
    return this.#pages.highWaterMark * this.pageSize;
  }

  bucketNames(): string[] {
    return [...this.#root.keys()].map((name) => Buffer.from(name, 'latin1').toString());
  }

  /** A top-level bucket as it stands, changes before `commit` included. */
  bucket(name: string): Bucket | undefined {
    const value = this.#root.get(rootKey(name));
    if (value === undefined) return undefined;
    return new Bucket(
      this.#pages,
      name,
      decodeBucketHeader(this.#pages, this.#meta.rootPage, value),
      this.#meta.rootPage,
    );
  }

  /**
   * Prepares appending behind the last key of a bucket; a missing bucket begins empty. With `dropFrom`, every key >= it is
   * cut first. Takes effect with `finish` and then `commit`.
   */
  rightEdge(name: string, options: { dropFrom?: Uint8Array | undefined } = {}): RightEdge {
    assert(!this.#unfinished.has(name), `bucket ${name} has an unfinished right edge`);
    const bucket = this.bucket(name);
    const edge = new RightEdge({
      pages: this.#pages,
      bucket,
      dropFrom: options.dropFrom,
      onFinish: (rootPage) => {
        this.#root.set(rootKey(name), encodeBucketHeader(rootPage, bucket?.sequence ?? 0n));
        this.#unfinished.delete(name);
      },
    });
    this.#unfinished.add(name);
    return edge;
  }

  /** Gives a bucket exactly these entries, which must be in key order. For small buckets; inline when bbolt would do so. */
  replaceBucket(name: string, entries: readonly { key: Uint8Array; value: Uint8Array }[]): void {
    entries.forEach(({ key }, index) => {
      assert(key.length > 0, 'an entry has an empty key');
      assert(index === 0 || Buffer.compare(entries[index - 1]!.key, key) < 0, `entry ${index} is not in key order`);
    });
    const sequence = this.bucket(name)?.sequence ?? 0n;
    const bytes = entries.reduce(
      (sum, { key, value }) => sum + ELEMENT_BYTES + key.length + value.length,
      PAGE_HEADER_BYTES,
    );
    if (bytes <= this.pageSize / 4) {
      this.#root.set(rootKey(name), encodeInlineBucket(entries, bytes, sequence));
      return;
    }
    const builder = new TreeBuilder(this.#pages);
    for (const { key, value } of entries) builder.append(key, value);
    this.#root.set(rootKey(name), encodeBucketHeader(builder.finish(), sequence));
  }

  deleteBucket(name: string): void {
    this.#root.delete(rootKey(name));
  }

  /**
   * Makes everything the file's content: root leaf, length, both meta pages. Both, because a snapshot's metas do not follow
   * bbolt's parity and an old one left behind could win. With `sync` (the default) it is on disk afterwards, data first.
   */
  commit(options: { sync?: boolean } = {}): void {
    const sync = options.sync ?? true;
    const metas = this.#finishPages();
    this.#pages.land();
    onDisk(`Cannot commit ${this.path}`, () => {
      if (sync) fsyncSync(this.#descriptor);
      this.#writeMetas(metas);
      if (sync) fsyncSync(this.#descriptor);
    });
  }

  /** `commit` that waits for the disk without holding up the event loop. Nothing else may be called until it has settled. */
  async commitAsync(options: { sync?: boolean } = {}): Promise<void> {
    const sync = options.sync ?? true;
    const metas = this.#finishPages();
    await this.#pages.settle();
    try {
      if (sync) await fsyncLater(this.#descriptor);
      this.#writeMetas(metas);
      if (sync) await fsyncLater(this.#descriptor);
    } catch (error) {
      throw new EtcdOpsError('DISK_FAILED', { message: `Cannot commit ${this.path}`, cause: error });
    }
  }

  /** With `writeBehind`: waits until at most `flightsMax` windows of 1 MiB are being written. @throws EtcdOpsError DISK_FAILED */
  async settle(flightsMax = 0): Promise<void> {
    await this.#pages.settle(flightsMax);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    // A thread that still writes must not meet another file under this number.
    const inUse = this.#pages.inUse();
    if (inUse === undefined) closeSync(this.#descriptor);
    else void inUse.then(() => closeSync(this.#descriptor));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Writes all pages but the metas, and the length of the file. Returns the metas to write: the older one first. */
  #finishPages(): [BoltMeta, BoltMeta] {
    assert(this.#unfinished.size === 0, `unfinished right edges: ${[...this.#unfinished].join(', ')}`);
    const builder = new TreeBuilder(this.#pages);
    for (const name of [...this.#root.keys()].sort(compareLatin1)) {
      builder.append(Buffer.from(name, 'latin1'), this.#root.get(name)!, BUCKET_ELEMENT);
    }
    const rootPage = builder.finish();
    this.#pages.flush();
    const highWaterMark = this.#pages.highWaterMark;
    onDisk(`Cannot set the length of ${this.path}`, () =>
      ftruncateSync(this.#descriptor, highWaterMark * this.pageSize),
    );
    const older: BoltMeta = { ...this.#meta, rootPage, highWaterMark, freelistPage: undefined };
    return [older, { ...older, txid: older.txid + 1 }];
  }

  #writeMetas([older, newer]: [BoltMeta, BoltMeta]): void {
    this.#writeMeta(older);
    this.#writeMeta(newer);
    this.#meta = newer;
  }

  /** bbolt writes transaction T into page T mod 2. */
  #writeMeta(meta: BoltMeta): void {
    const page = meta.txid % 2 === 0 ? 0 : 1;
    const bytes = encodeMetaPage(page, meta);
    const written = writeSync(this.#descriptor, bytes, 0, bytes.length, page * this.pageSize);
    assert.equal(written, bytes.length);
  }

  #readRoot(): void {
    let bytes = 0;
    const cursor = new Cursor(this.#pages, this.#meta.rootPage);
    for (let found = cursor.first(); found; found = cursor.next()) {
      if (!cursor.isBucket) {
        throw boltDamaged(this.path, this.#meta.rootPage, 'the root holds an entry that is no bucket');
      }
      bytes += cursor.key.length + cursor.value.length;
      if (bytes > ROOT_BYTES_MAX) {
        throw boltDamaged(
          this.path,
          this.#meta.rootPage,
          `the root holds more than ${ROOT_BYTES_MAX} bytes of buckets`,
        );
      }
      this.#root.set(cursor.key.toString('latin1'), Buffer.from(cursor.value));
    }
  }
}

function rootKey(name: string): string {
  return Buffer.from(name).toString('latin1');
}

function compareLatin1(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left, 'latin1'), Buffer.from(right, 'latin1'));
}

function onDisk<T>(message: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new EtcdOpsError('DISK_FAILED', { message, cause: error });
  }
}
