import { readSync } from 'node:fs';
import { EtcdOpsError } from '../base/errors.ts';
import { boltDamaged, PAGE_SIZE_MAX, readUint64 } from './format.ts';
import type { Page } from './page.ts';

/** What trees are read from: a file's pages below its high water mark. */
export interface PageSource {
  readonly path: string;
  readonly pageSize: number;
  /** Pages from here on do not belong to the file. */
  readonly highWaterMark: number;
  /**
   * Loads a branch or leaf page, checked. The page's views are valid until the next load of this source, or with `copy`
   * until the next load into the same `page`.
   * @throws EtcdOpsError BOLT_DAMAGED naming the page and the rule.
   */
  load(id: number, page: Page, copy: boolean): void;
}

interface Block {
  index: number;
  buffer: Buffer;
  view: DataView;
  usedSinceSweep: boolean;
}

/** At least as large as any page, so that no page begins in one block and has its header in the next. */
const BLOCK_BYTES = PAGE_SIZE_MAX;
const BLOCKS_MIN = 4;
/** Twice the largest value that bbolt takes: what a damaged header can make us allocate, if the file has as many bytes. */
const PAGE_RUN_BYTES_MAX = 2 ** 32;

export interface BlockCacheOptions {
  descriptor: number;
  path: string;
  pageSize: number;
  highWaterMark: number;
  cacheBytes: number;
}

/** Bounded memory for reading a file of any size: blocks of 64 KiB, the not recently used ones go (clock sweep). */
export class BlockCache implements PageSource {
  readonly path: string;
  readonly pageSize: number;
  /** A writer moves it. */
  highWaterMark: number;
  readonly #descriptor: number;
  readonly #capacity: number;
  readonly #blocks = new Map<number, Block>();
  readonly #ring: Block[] = [];
  #hand = 0;
  #latest: Block | undefined;

  constructor(options: BlockCacheOptions) {
    this.path = options.path;
    this.pageSize = options.pageSize;
    this.highWaterMark = options.highWaterMark;
    this.#descriptor = options.descriptor;
    this.#capacity = Math.max(BLOCKS_MIN, Math.floor(options.cacheBytes / BLOCK_BYTES));
  }

  load(id: number, page: Page, copy: boolean): void {
    if (!(id >= 2 && id < this.highWaterMark)) {
      throw boltDamaged(this.path, id, `a page is referenced that is outside the file's ${this.highWaterMark} pages`);
    }
    const offset = id * this.pageSize;
    const block = this.#block(Math.floor(offset / BLOCK_BYTES));
    const base = offset % BLOCK_BYTES;
    const storedId = readUint64(block.view, base);
    if (storedId !== id) throw boltDamaged(this.path, id, `its header says that it is page ${storedId}`);
    const overflow = block.view.getUint32(base + 12, true);
    if (id + overflow >= this.highWaterMark) {
      throw boltDamaged(
        this.path,
        id,
        `its ${overflow} overflow pages reach outside the file's ${this.highWaterMark} pages`,
      );
    }
    const byteLength = (overflow + 1) * this.pageSize;
    if (byteLength > PAGE_RUN_BYTES_MAX) {
      throw boltDamaged(this.path, id, `its ${overflow} overflow pages are more than a value can need`);
    }
    const inBlock = base + byteLength <= BLOCK_BYTES;
    if (inBlock && !copy) return page.attach(this.path, id, block, base, byteLength);
    const own = page.own(byteLength);
    if (inBlock) block.buffer.copy(own.buffer, 0, base, base + byteLength);
    else this.read(own.buffer, byteLength, offset);
    page.attach(this.path, id, own, 0, byteLength);
  }

  /** Reads exactly `length` bytes at `offset` into the beginning of `target`, past the cache. */
  read(target: Buffer, length: number, offset: number): void {
    let done = 0;
    while (done < length) {
      const got = readFromDisk(this.path, this.#descriptor, target, done, length - done, offset + done);
      if (got === 0) throw boltDamaged(this.path, undefined, `the file ends at ${offset + done}, inside its pages`);
      done += got;
    }
  }

  /** For a writer: forgets what may have been read from `offset` on before it was written. */
  forgetFrom(offset: number): void {
    const first = Math.floor(offset / BLOCK_BYTES);
    for (const block of this.#ring) {
      if (block.index < first) continue;
      this.#blocks.delete(block.index);
      block.index = -1;
    }
    this.#latest = undefined;
  }

  #block(index: number): Block {
    if (this.#latest?.index === index) return this.#latest;
    const block = this.#blocks.get(index) ?? this.#fill(index);
    block.usedSinceSweep = true;
    this.#latest = block;
    return block;
  }

  #fill(index: number): Block {
    const block = this.#victim();
    if (this.#latest === block) this.#latest = undefined;
    this.#blocks.delete(block.index);
    block.index = -1;
    const offset = index * BLOCK_BYTES;
    this.read(block.buffer, Math.min(BLOCK_BYTES, this.highWaterMark * this.pageSize - offset), offset);
    block.index = index;
    this.#blocks.set(index, block);
    return block;
  }

  #victim(): Block {
    if (this.#ring.length < this.#capacity) {
      const buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      const block = { index: -1, buffer, view: new DataView(buffer.buffer), usedSinceSweep: false };
      this.#ring.push(block);
      return block;
    }
    for (;;) {
      const block = this.#ring[this.#hand]!;
      this.#hand = (this.#hand + 1) % this.#ring.length;
      if (!block.usedSinceSweep) return block;
      block.usedSinceSweep = false;
    }
  }
}

function readFromDisk(
  path: string,
  descriptor: number,
  target: Buffer,
  start: number,
  length: number,
  offset: number,
): number {
  try {
    return readSync(descriptor, target, start, length, offset);
  } catch (error) {
    throw new EtcdOpsError('DISK_FAILED', { message: `Cannot read ${path} at ${offset}`, cause: error });
  }
}
