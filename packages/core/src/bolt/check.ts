import { Yielder } from '../base/yielding.ts';
import type { BoltFile } from './bolt-file.ts';
import { decodeBucketHeader } from './bucket.ts';
import { boltDamaged, compareBytes, TREE_DEPTH_MAX } from './format.ts';
import { readFreelist } from './freelist.ts';
import { Page } from './page.ts';
import { PageBitmap } from './page-bitmap.ts';

/** What a sound file consists of. */
export interface BoltCheckReport {
  /** Pages below the high water mark. */
  pages: number;
  reachablePages: number;
  freePages: number;
  branches: number;
  leaves: number;
  entries: number;
  /** Nested and inline ones included. */
  buckets: number;
  /** 2 unless a commit was torn. One is enough: bbolt opens such a file as well. */
  validMetaPages: number;
}

/** A page still to be visited, with the range that its parent promises for its keys. */
interface Visit {
  id: number;
  depth: number;
  /** Keys must be >= this; undefined at a bucket's root. */
  from: Buffer | undefined;
  /** Keys must be < this. */
  below: Buffer | undefined;
}

/**
 * Walks every page that can be reached and checks what bbolt's own `Check` does and what its writer relies on:
 * each page is referenced once, is what its header says and lies inside the file; keys ascend, also across pages, and lie in
 * the range of their branch; no leaf but a bucket's root is empty; a branch has at least two children; a stored free list
 * names exactly the unreachable pages. It never follows a page twice, so it ends on any bytes.
 * @throws EtcdOpsError BOLT_DAMAGED naming the page and the rule; CANCELLED.
 */
export async function checkBoltFile(
  file: BoltFile,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<BoltCheckReport> {
  const check = new Check(file, new Yielder({ signal: options.signal }));
  return check.run();
}

class Check {
  readonly #file: BoltFile;
  readonly #yielder: Yielder;
  readonly #seen: PageBitmap;
  readonly #free: PageBitmap;
  readonly #report: BoltCheckReport;
  /** Root pages of buckets still to be walked. */
  readonly #roots: number[] = [];

  constructor(file: BoltFile, yielder: Yielder) {
    this.#file = file;
    this.#yielder = yielder;
    const pages = file.meta.highWaterMark;
    this.#seen = new PageBitmap(pages);
    this.#free = new PageBitmap(pages);
    const validMetaPages = file.metaPages.filter((meta) => meta !== undefined).length;
    this.#report = {
      pages,
      reachablePages: 2,
      freePages: 0,
      branches: 0,
      leaves: 0,
      entries: 0,
      buckets: 0,
      validMetaPages,
    };
  }

  async run(): Promise<BoltCheckReport> {
    this.#yielder.throwIfCancelled();
    this.#seen.add(0);
    this.#seen.add(1);
    this.#readFreelist();
    this.#roots.push(this.#file.meta.rootPage);
    for (let root = this.#roots.pop(); root !== undefined; root = this.#roots.pop()) await this.#walk(root);
    this.#requireAllPagesKnown();
    return this.#report;
  }

  #readFreelist(): void {
    const { meta, pages } = this.#file;
    if (meta.freelistPage === undefined) return;
    const list = readFreelist(pages, meta.freelistPage, (page) => {
      if (!(page >= 2 && page < meta.highWaterMark)) {
        throw this.#damaged(meta.freelistPage, `the free page ${page} is outside the file`);
      }
      if (!this.#free.add(page)) throw this.#damaged(page, 'it is free twice');
    });
    for (let page = list.page; page < list.page + list.pageCount; page++) this.#see(page);
  }

  /** One tree, depth first. Memory: the pending siblings of the path, at most a branch a level. */
  async #walk(root: number): Promise<void> {
    const page = new Page();
    const pending: Visit[] = [{ id: root, depth: 0, from: undefined, below: undefined }];
    for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
      this.#file.pages.load(visit.id, page, false);
      const pageCount = page.byteLength / this.#file.pageSize;
      for (let id = visit.id; id < visit.id + pageCount; id++) this.#see(id);
      this.#checkKeys(page, visit);
      if (page.isLeaf) this.#checkLeaf(page, visit);
      else this.#checkBranch(page, visit, pending);
      if (this.#yielder.due(page.byteLength)) await this.#yielder.turn();
    }
  }

  #see(id: number): void {
    if (!this.#seen.add(id)) throw this.#damaged(id, 'it is referenced more than once');
    if (this.#free.has(id)) throw this.#damaged(id, 'it is referenced and in the free list');
    if (id >= 2) this.#report.reachablePages++;
  }

  #checkKeys(page: Page, visit: Visit): void {
    const { buffer, count } = page;
    let previousStart = 0;
    let previousEnd = 0;
    for (let entry = 0; entry < count; entry++) {
      const start = page.keyOffset(entry);
      const end = start + page.keyLength(entry);
      if (entry > 0 && compareBytes(buffer, previousStart, previousEnd, buffer, start, end) >= 0) {
        throw this.#damaged(page.id, `key ${entry} does not come after the key before it`);
      }
      previousStart = start;
      previousEnd = end;
    }
    if (count === 0) return;
    if (visit.from !== undefined && page.compareKey(0, visit.from) < 0) {
      throw this.#damaged(page.id, 'its first key is below the key that its branch has for it');
    }
    if (visit.below !== undefined && page.compareKey(count - 1, visit.below) >= 0) {
      throw this.#damaged(page.id, 'its last key is not below the next key of its branch');
    }
  }

  #checkBranch(page: Page, visit: Visit, pending: Visit[]): void {
    if (page.count < 2) {
      throw this.#damaged(page.id, 'a branch has only one child: bbolt would panic at a later delete');
    }
    if (visit.depth >= TREE_DEPTH_MAX) throw this.#damaged(page.id, `the tree is deeper than ${TREE_DEPTH_MAX} levels`);
    this.#report.branches++;
    let below = visit.below;
    // Pushed from the right, so that pages are visited in key order, which is mostly file order.
    for (let child = page.count - 1; child >= 0; child--) {
      const from = Buffer.from(page.key(child));
      pending.push({ id: page.child(child), depth: visit.depth + 1, from, below });
      below = from;
    }
  }

  #checkLeaf(page: Page, visit: Visit): void {
    if (page.count === 0 && visit.depth > 0) throw this.#damaged(page.id, 'a leaf below a branch is empty');
    this.#report.leaves++;
    this.#report.entries += page.count;
    const isRootOfRoots = visit.depth === 0 && page.id === this.#file.meta.rootPage;
    for (let entry = 0; entry < page.count; entry++) {
      if (page.isBucket(entry)) this.#checkBucketEntry(page.id, page.value(entry));
      else if (isRootOfRoots) throw this.#damaged(page.id, `entry ${entry} of the root is no bucket`);
    }
  }

  #checkBucketEntry(pageId: number, value: Buffer): void {
    this.#report.buckets++;
    const { rootPage, inline } = decodeBucketHeader(this.#file.pages, pageId, value);
    if (inline === undefined) {
      this.#roots.push(rootPage);
      return;
    }
    const view = new DataView(inline.buffer, inline.byteOffset, inline.length);
    if (view.getUint32(12, true) !== 0) throw this.#damaged(pageId, 'an inline bucket has overflow pages');
    const page = new Page();
    page.attach(this.#file.path, pageId, { buffer: inline, view }, 0, inline.length);
    if (!page.isLeaf) throw this.#damaged(pageId, 'an inline bucket is not a leaf');
    this.#checkKeys(page, { id: pageId, depth: 0, from: undefined, below: undefined });
    for (let entry = 0; entry < page.count; entry++) {
      if (page.isBucket(entry)) throw this.#damaged(pageId, 'an inline bucket holds a bucket');
    }
    this.#report.entries += page.count;
  }

  #requireAllPagesKnown(): void {
    const { meta } = this.#file;
    for (let page = 2; page < meta.highWaterMark; page++) {
      if (this.#seen.has(page)) continue;
      // Without a stored list, bbolt takes every page that cannot be reached as free.
      if (meta.freelistPage !== undefined && !this.#free.has(page)) {
        throw this.#damaged(page, 'it is neither referenced nor free');
      }
      this.#report.freePages++;
    }
  }

  #damaged(page: number | undefined, rule: string): Error {
    return boltDamaged(this.#file.path, page, rule);
  }
}
