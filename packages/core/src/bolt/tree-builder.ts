import type { RowBlock } from '../mvcc/row-block.ts';
import { REVISION_KEY_BYTES, TOMBSTONE_KEY_BYTES } from '../mvcc/revision.ts';
import {
  boltDamaged,
  BRANCH_PAGE,
  ELEMENT_BYTES,
  LEAF_PAGE,
  PAGE_HEADER_BYTES,
  TREE_DEPTH_MAX,
  writeUint64,
} from './format.ts';
import { LeafInProgress } from './leaf-in-progress.ts';
import { Page, type LeafView } from './page.ts';
import type { PageWriter } from './page-writer.ts';

/** bbolt's rebalancing panics on a branch with one child, long after the file was opened. */
const BRANCH_CHILDREN_MIN = 2;

/** Pages of one height that have no parent yet. */
interface Level {
  keys: Buffer[];
  pages: number[];
  /** Size of the branch that they would make together. */
  bytes: number;
}

/**
 * The tree building of the restore: grows a B+tree from the bottom at its right edge, in one pass and with memory for one
 * leaf and one branch a level.
 *
 * Entries come in key order and fill a leaf. A full leaf is written and becomes a child that waits on level 0; when the
 * children waiting on a level no longer fit into one branch, a branch is written over them and waits one level higher:
 *
 *     level 1   [branch] [branch]                        waiting for a parent
 *     level 0              .. under the branches ..      [leaf] [leaf] [leaf]
 *     leaf in progress                                                         entry entry
 *
 * To continue an existing tree, its right spine is taken apart first (`right-edge.ts`): the last leaf's entries go into the
 * leaf in progress, and on each level wait the children of the spine's branch that lie to the left of the spine. All other
 * pages of the old tree stay where they are.
 *
 * Two rules keep bbolt content: no empty leaf (but the root), and no branch with a single child. So a full level keeps its
 * last two children back, and a level that ends with one child takes the children of its left neighbour back (`#takeBack`).
 */
export class TreeBuilder {
  readonly #pages: PageWriter;
  readonly #leaf: LeafInProgress;
  readonly #levels: Level[] = [];

  constructor(pages: PageWriter) {
    this.#pages = pages;
    this.#leaf = new LeafInProgress(pages.pageSize);
  }

  /** Adds one entry behind all others; the caller keeps the order. */
  append(key: Uint8Array, value: Uint8Array, flags = 0): void {
    if (!this.#leaf.hasRoomFor(key.length + value.length)) this.#writeLeaf();
    this.#leaf.pushSizes(flags, key.length, value.length);
    this.#leaf.copyData(key, 0, key.length);
    this.#leaf.copyData(value, 0, value.length);
  }

  /** Adds the rows [from, to): as many as fit into the leaf are copied in one piece. */
  appendRows(block: RowBlock, from: number, to: number): void {
    const { data, offsets } = block;
    const leaf = this.#leaf;
    for (let row = from; row < to;) {
      const runStart = offsets[row]!;
      let runEnd = runStart;
      let room = this.#pages.pageSize - leaf.byteLength;
      while (row < to) {
        const rowBytes = offsets[row + 1]! - runEnd;
        if (room < ELEMENT_BYTES + rowBytes && leaf.count > 0) break;
        const keyBytes = block.isTombstone(row) ? TOMBSTONE_KEY_BYTES : REVISION_KEY_BYTES;
        leaf.pushSizes(0, keyBytes, rowBytes - keyBytes);
        room -= ELEMENT_BYTES + rowBytes;
        runEnd += rowBytes;
        row++;
      }
      this.#takeRun(data, runStart, runEnd);
      if (row < to) this.#writeLeaf();
    }
  }

  /** Adds the entries [from, to) of another file's leaf: as many as fit are copied in one piece. Buckets are not taken. */
  appendEntries(source: LeafView, from: number, to: number): void {
    const leaf = this.#leaf;
    if (!source.contiguous) {
      for (let entry = from; entry < to; entry++) this.append(source.key(entry), source.value(entry));
      return;
    }
    for (let entry = from; entry < to;) {
      const runStart = source.keyOffset(entry);
      let runEnd = runStart;
      let room = this.#pages.pageSize - leaf.byteLength;
      while (entry < to) {
        const keyBytes = source.keyLength(entry);
        const valueBytes = source.valueLength(entry);
        if (room < ELEMENT_BYTES + keyBytes + valueBytes && leaf.count > 0) break;
        leaf.pushSizes(0, keyBytes, valueBytes);
        room -= ELEMENT_BYTES + keyBytes + valueBytes;
        runEnd += keyBytes + valueBytes;
        entry++;
      }
      this.#takeRun(source.buffer, runStart, runEnd);
      if (entry < to) this.#writeLeaf();
    }
  }

  /** Adds a finished subtree behind all others: a leaf on level 0, a branch over leaves on level 1, and so on. */
  addChild(level: number, key: Buffer, page: number): void {
    const waiting = this.#level(level);
    waiting.keys.push(key);
    waiting.pages.push(page);
    waiting.bytes += ELEMENT_BYTES + key.length;
    this.#writeFullBranch(level);
  }

  /** Writes what is in progress and returns the root page. */
  finish(): number {
    if (this.#leaf.count > 0) this.#writeLeaf();
    for (let level = 0; level <= TREE_DEPTH_MAX; level++) {
      const waiting = this.#level(level);
      const above = this.#levels.slice(level + 1).some((higher) => higher.pages.length > 0);
      if (waiting.pages.length === 0 && above) continue;
      if (waiting.pages.length === 0) return this.#writeEmptyLeaf();
      if (waiting.pages.length === 1 && !above) return waiting.pages[0]!;
      if (waiting.pages.length === 1) this.#takeBack(level);
      this.#writeFullBranch(level);
      this.#writeBranch(level, waiting.pages.length);
    }
    throw boltDamaged(this.#pages.path, undefined, `the tree is deeper than ${TREE_DEPTH_MAX} levels`);
  }

  /** A single huge row is not copied: it is written straight from the block. */
  #takeRun(data: Buffer, start: number, end: number): void {
    const leaf = this.#leaf;
    if (leaf.used > 0 || this.#pages.fitsWindow(leaf.byteLength + end - start)) {
      leaf.copyData(data, start, end);
      return;
    }
    const run = data.subarray(start, end);
    const firstKey = Buffer.from(run.subarray(0, leaf.firstKeyLength));
    this.addChild(0, firstKey, this.#pages.writeLarge(LEAF_PAGE, leaf.count, this.#elements(), run));
    leaf.clear();
  }

  #writeLeaf(): void {
    const leaf = this.#leaf;
    if (leaf.count === 0) return;
    const { byteLength, firstKey } = leaf;
    if (!this.#pages.fitsWindow(byteLength)) {
      const data = leaf.data.subarray(0, leaf.used);
      this.addChild(0, firstKey, this.#pages.writeLarge(LEAF_PAGE, leaf.count, this.#elements(), data));
      leaf.clear();
      return;
    }
    const page = this.#pages.allocate(LEAF_PAGE, leaf.count, byteLength);
    leaf.writeElements(page.view, page.base + PAGE_HEADER_BYTES);
    leaf.data.copy(page.buffer, page.base + PAGE_HEADER_BYTES + leaf.count * ELEMENT_BYTES, 0, leaf.used);
    page.buffer.fill(0, page.base + byteLength, page.base + page.byteLength);
    leaf.clear();
    this.addChild(0, firstKey, page.id);
  }

  #elements(): Buffer {
    const elements = Buffer.alloc(this.#leaf.count * ELEMENT_BYTES);
    this.#leaf.writeElements(new DataView(elements.buffer, elements.byteOffset, elements.length), 0);
    return elements;
  }

  #writeEmptyLeaf(): number {
    const page = this.#pages.allocate(LEAF_PAGE, 0, PAGE_HEADER_BYTES);
    page.buffer.fill(0, page.base + PAGE_HEADER_BYTES, page.base + page.byteLength);
    return page.id;
  }

  /** When a level has outgrown one branch: writes the branch over all but the two last children. */
  #writeFullBranch(level: number): void {
    const waiting = this.#level(level);
    if (PAGE_HEADER_BYTES + waiting.bytes <= this.#pages.pageSize) return;
    if (waiting.pages.length < 2 * BRANCH_CHILDREN_MIN) return;
    this.#writeBranch(level, waiting.pages.length - BRANCH_CHILDREN_MIN);
  }

  /** Writes a branch over the first `count` children that wait on `level`; it then waits one level higher. */
  #writeBranch(level: number, count: number): void {
    const waiting = this.#level(level);
    const keys = waiting.keys.splice(0, count);
    const children = waiting.pages.splice(0, count);
    const bytes = keys.reduce((sum, key) => sum + ELEMENT_BYTES + key.length, 0);
    waiting.bytes -= bytes;
    const page = this.#pages.allocate(BRANCH_PAGE, count, PAGE_HEADER_BYTES + bytes);
    let element = page.base + PAGE_HEADER_BYTES;
    let data = element + count * ELEMENT_BYTES;
    keys.forEach((key, index) => {
      page.view.setUint32(element, data - element, true);
      page.view.setUint32(element + 4, key.length, true);
      writeUint64(page.view, element + 8, children[index]!);
      key.copy(page.buffer, data);
      element += ELEMENT_BYTES;
      data += key.length;
    });
    page.buffer.fill(0, data, page.base + page.byteLength);
    this.addChild(level + 1, keys[0]!, page.id);
  }

  /**
   * Puts the children of the last branch that waits above back onto `level`, in front of what waits there. Needed after a
   * cut: it can leave one child on a level whose branch to the left is already complete.
   */
  #takeBack(level: number): void {
    const above = this.#level(level + 1);
    if (above.pages.length === 0) this.#takeBack(level + 1);
    const id = above.pages.pop()!;
    above.bytes -= ELEMENT_BYTES + above.keys.pop()!.length;
    const branch = new Page();
    this.#pages.load(id, branch, true);
    if (branch.isLeaf) throw boltDamaged(this.#pages.path, id, 'a leaf stands where its neighbours are branches');
    const waiting = this.#level(level);
    const keys = Array.from({ length: branch.count }, (_, child) => Buffer.from(branch.key(child)));
    waiting.pages.unshift(...keys.map((_, child) => branch.child(child)));
    waiting.bytes += keys.reduce((sum, key) => sum + ELEMENT_BYTES + key.length, 0);
    waiting.keys.unshift(...keys);
  }

  #level(level: number): Level {
    while (this.#levels.length <= level) this.#levels.push({ keys: [], pages: [], bytes: 0 });
    return this.#levels[level]!;
  }
}
