import { writeSync } from 'node:fs';
import { EtcdOpsError } from '../base/errors.ts';
import { BlockCache, type PageSource } from './block-cache.ts';
import type { BoltMeta } from './meta.ts';
import { PAGE_HEADER_BYTES, writeUint64 } from './format.ts';
import { WindowFlights, type Window } from './window-flights.ts';
import type { Page } from './page.ts';

/** Pages are gathered to this many bytes. Larger writes are slower: the kernel looks for larger pieces of memory. */
const WINDOW_BYTES = 1024 * 1024;
const READ_CACHE_BYTES = 1024 * 1024;

/** Room for one new page: fill everything from `base + 16` to `base + byteLength`. */
export interface NewPage {
  id: number;
  buffer: Buffer;
  view: DataView;
  base: number;
  byteLength: number;
}

/**
 * Appends pages at the high water mark, and reads old and new pages alike. Existing pages are never changed.
 *
 * With `writeBehind`, full windows are written beside the event loop: whoever appends much awaits `settle` now and then, and
 * once before what was written counts.
 */
export class PageWriter implements PageSource {
  readonly path: string;
  readonly pageSize: number;
  readonly #descriptor: number;
  readonly #cache: BlockCache;
  readonly #flights: WindowFlights | undefined;
  #window: Window = newWindow();
  #windowPage: number;
  #used = 0;

  constructor(path: string, descriptor: number, meta: BoltMeta, options: { writeBehind?: boolean } = {}) {
    this.path = path;
    this.pageSize = meta.pageSize;
    this.#descriptor = descriptor;
    this.#windowPage = meta.highWaterMark;
    if (options.writeBehind === true) this.#flights = new WindowFlights(path, descriptor);
    const { pageSize, highWaterMark } = meta;
    this.#cache = new BlockCache({ descriptor, path, pageSize, highWaterMark, cacheBytes: READ_CACHE_BYTES });
  }

  get highWaterMark(): number {
    return this.#windowPage + this.#used / this.pageSize;
  }

  load(id: number, page: Page, copy: boolean): void {
    if (id >= this.#windowPage) this.flush();
    // A block may hold old pages and pages in flight.
    this.#flights?.landNow();
    this.#cache.load(id, page, copy);
  }

  /** Takes the next pages for `bytes` bytes and writes their header. The room is valid until the next call. */
  allocate(flags: number, count: number, bytes: number): NewPage {
    const pageCount = Math.ceil(bytes / this.pageSize);
    const byteLength = pageCount * this.pageSize;
    if (this.#used + byteLength > WINDOW_BYTES) this.flush();
    if (byteLength > WINDOW_BYTES) throw new Error(`A page of ${byteLength} bytes must be written with writeLarge`);
    const page: NewPage = {
      id: this.highWaterMark,
      buffer: this.#window.buffer,
      view: this.#window.view,
      base: this.#used,
      byteLength,
    };
    this.#used += byteLength;
    writeHeader(page.view, page.base, { id: page.id, flags, count, overflow: pageCount - 1 });
    return page;
  }

  /** True when a page of this many bytes fits into `allocate`; larger ones go through `writeLarge`. */
  fitsWindow(bytes: number): boolean {
    return bytes <= WINDOW_BYTES - this.pageSize;
  }

  /** Writes one page with overflow straight from `data`, which may be as large as a value may be. */
  writeLarge(flags: number, count: number, elements: Buffer, data: Buffer): number {
    this.flush();
    const id = this.#windowPage;
    const bytes = PAGE_HEADER_BYTES + elements.length + data.length;
    const pageCount = Math.ceil(bytes / this.pageSize);
    const header = Buffer.alloc(PAGE_HEADER_BYTES);
    writeHeader(new DataView(header.buffer, header.byteOffset, header.length), 0, {
      id,
      flags,
      count,
      overflow: pageCount - 1,
    });
    let offset = id * this.pageSize;
    for (const part of [header, elements, data, Buffer.alloc(pageCount * this.pageSize - bytes)]) {
      this.#write(part, offset);
      offset += part.length;
    }
    this.#advance(id + pageCount);
    return id;
  }

  /** Hands everything to the operating system, or with `writeBehind` to the threads that do. */
  flush(): void {
    if (this.#used === 0) return;
    const offset = this.#windowPage * this.pageSize;
    if (this.#flights === undefined) {
      this.#write(this.#window.buffer.subarray(0, this.#used), offset);
    } else {
      this.#flights.send({ window: this.#window, bytes: this.#used, offset });
      this.#window = this.#flights.takeSpare() ?? newWindow();
    }
    this.#advance(this.highWaterMark);
  }

  /** Waits until at most `flightsMax` windows are being written. @throws EtcdOpsError DISK_FAILED when a write has failed. */
  async settle(flightsMax = 0): Promise<void> {
    await this.#flights?.settle(flightsMax);
  }

  /** Writes what is still in flight, now. @throws EtcdOpsError DISK_FAILED */
  land(): void {
    this.#flights?.landNow();
  }

  /** Undefined when no thread uses the file; else what resolves when none does any more. */
  inUse(): Promise<void> | undefined {
    return this.#flights === undefined || this.#flights.isEmpty ? undefined : this.#flights.ended();
  }

  #advance(highWaterMark: number): void {
    // The block at the old end may have been read before it was written.
    this.#cache.forgetFrom(this.#windowPage * this.pageSize);
    this.#cache.highWaterMark = highWaterMark;
    this.#windowPage = highWaterMark;
    this.#used = 0;
  }

  #write(bytes: Buffer, offset: number): void {
    try {
      for (let done = 0; done < bytes.length;) {
        done += writeSync(this.#descriptor, bytes, done, bytes.length - done, offset + done);
      }
    } catch (error) {
      throw new EtcdOpsError('DISK_FAILED', { message: `Cannot write ${this.path} at ${offset}`, cause: error });
    }
  }
}

function newWindow(): Window {
  const buffer = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  return { buffer, view: new DataView(buffer.buffer) };
}

function writeHeader(
  view: DataView,
  base: number,
  header: { id: number; flags: number; count: number; overflow: number },
): void {
  writeUint64(view, base, header.id);
  view.setUint16(base + 8, header.flags, true);
  view.setUint16(base + 10, header.count, true);
  view.setUint32(base + 12, header.overflow, true);
}
