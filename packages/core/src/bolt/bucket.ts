import type { PageSource } from './block-cache.ts';
import { Cursor } from './cursor.ts';
import { boltDamaged, BUCKET_HEADER_BYTES, PAGE_HEADER_BYTES, readUint64 } from './format.ts';
import { scanLeaves } from './leaf-scan.ts';
import { Page, type LeafView } from './page.ts';

/** The value of a bucket entry, decoded. */
export interface BucketHeader {
  /** 0: inline. */
  rootPage: number;
  sequence: bigint;
  /** The embedded leaf page when inline. */
  inline: Buffer | undefined;
}

/** @throws EtcdOpsError BOLT_DAMAGED */
export function decodeBucketHeader(source: PageSource, page: number, value: Buffer): BucketHeader {
  if (value.length < BUCKET_HEADER_BYTES) {
    throw boltDamaged(source.path, page, `a bucket's value of ${value.length} bytes is too short`);
  }
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const rootPage = readUint64(view, 0);
  const sequence = view.getBigUint64(8, true);
  if (rootPage !== 0) {
    if (rootPage < 2 || rootPage >= source.highWaterMark) {
      throw boltDamaged(source.path, page, `a bucket's root page ${rootPage} is outside the file`);
    }
    return { rootPage, sequence, inline: undefined };
  }
  if (value.length < BUCKET_HEADER_BYTES + PAGE_HEADER_BYTES) {
    throw boltDamaged(source.path, page, 'an inline bucket has no page');
  }
  return { rootPage, sequence, inline: Buffer.from(value.subarray(BUCKET_HEADER_BYTES)) };
}

/** One bucket, read only. Valid while its file is open. */
export class Bucket {
  readonly name: string;
  /** 0 when the bucket is stored inline. */
  readonly rootPage: number;
  readonly sequence: bigint;
  readonly #source: PageSource;
  readonly #inline: Page | undefined;

  /** `page` is the page that holds the bucket's entry: errors name it. */
  constructor(source: PageSource, name: string, header: BucketHeader, page: number) {
    this.name = name;
    this.rootPage = header.rootPage;
    this.sequence = header.sequence;
    this.#source = source;
    if (header.inline === undefined) return;
    const buffer = header.inline;
    this.#inline = new Page();
    this.#inline.attach(
      source.path,
      page,
      { buffer, view: new DataView(buffer.buffer, buffer.byteOffset, buffer.length) },
      0,
      buffer.length,
    );
    if (!this.#inline.isLeaf) throw boltDamaged(source.path, page, 'an inline bucket is not a leaf');
  }

  cursor(): Cursor {
    return new Cursor(this.#source, this.rootPage, this.#inline);
  }

  /** All leaves with keys >= `fromKey`, in key order. A view is valid until the next step or any other read of this file. */
  *leaves(options: { fromKey?: Uint8Array } = {}): Generator<LeafView, void, undefined> {
    if (this.#inline === undefined) {
      yield* scanLeaves(this.#source, this.rootPage, options.fromKey);
      return;
    }
    this.#inline.first = options.fromKey === undefined ? 0 : this.#inline.lowerBound(options.fromKey);
    if (this.#inline.first < this.#inline.count) yield this.#inline;
  }

  /** A copy of the value of `key`, or undefined. */
  get(key: Uint8Array | string): Buffer | undefined {
    const wanted = typeof key === 'string' ? Buffer.from(key) : key;
    const cursor = this.cursor();
    if (!cursor.seek(wanted) || cursor.isBucket || cursor.key.compare(wanted) !== 0) return undefined;
    return Buffer.from(cursor.value);
  }

  /** A bucket inside this one. etcd has none below its top level ones. */
  bucket(name: string): Bucket | undefined {
    const wanted = Buffer.from(name);
    const cursor = this.cursor();
    if (!cursor.seek(wanted) || !cursor.isBucket || cursor.key.compare(wanted) !== 0) return undefined;
    return new Bucket(this.#source, name, decodeBucketHeader(this.#source, this.rootPage, cursor.value), this.rootPage);
  }

  bucketNames(): string[] {
    const names: string[] = [];
    const cursor = this.cursor();
    for (let found = cursor.first(); found; found = cursor.next()) {
      if (cursor.isBucket) names.push(cursor.key.toString());
    }
    return names;
  }
}
