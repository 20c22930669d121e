import assert from 'node:assert/strict';
import type { RowBlock } from '../mvcc/row-block.ts';
import type { Bucket } from './bucket.ts';
import { boltDamaged, compareBytes, TREE_DEPTH_MAX } from './format.ts';
import { Page, type LeafView } from './page.ts';
import type { PageWriter } from './page-writer.ts';
import { TreeBuilder } from './tree-builder.ts';

export interface RightEdgeOptions {
  pages: PageWriter;
  /** The bucket as it is; undefined begins an empty one. */
  bucket: Bucket | undefined;
  /** Every key >= this is cut away. */
  dropFrom?: Uint8Array | undefined;
  /** Told the new root page at the end. */
  onFinish: (rootPage: number) => void;
}

/** Appends entries behind a bucket's last key, after cutting some away if asked. */
export class RightEdge {
  readonly #builder: TreeBuilder;
  readonly #onFinish: (rootPage: number) => void;
  readonly #path: string;
  #lastKey: Buffer | undefined;
  #finished = false;

  constructor(options: RightEdgeOptions) {
    this.#path = options.pages.path;
    this.#builder = new TreeBuilder(options.pages);
    this.#onFinish = options.onFinish;
    if (options.bucket === undefined) return;
    this.#lastKey = lastKeyBefore(options.bucket, options.dropFrom);
    if (options.bucket.rootPage === 0) takeInlineEntries(options.bucket, this.#builder, options.dropFrom);
    else takeSpineApart(options.pages, options.bucket.rootPage, this.#builder, options.dropFrom);
  }

  /** The last key there is now, valid until the next append; undefined when the bucket is empty. */
  get lastKey(): Buffer | undefined {
    return this.#lastKey;
  }

  /**
   * Appends one entry; `key` and `value` are copied.
   * @throws EtcdOpsError BOLT_DAMAGED when `key` is not above `lastKey`.
   */
  append(key: Uint8Array, value: Uint8Array): void {
    this.#requireAbove(key);
    this.#keepLastKey(key);
    this.#builder.append(key, value);
  }

  /**
   * Appends the rows [fromRow, toRow) of a block: the fast path of a restore.
   * @throws EtcdOpsError BOLT_DAMAGED when the first key is not above `lastKey` (inside a block they ascend).
   */
  appendRows(block: RowBlock, fromRow: number, toRow: number): void {
    assert(fromRow >= 0 && toRow <= block.rowCount, `rows ${fromRow} to ${toRow} of ${block.rowCount}`);
    if (fromRow >= toRow) return;
    this.#requireAbove(block.key(fromRow));
    this.#keepLastKey(block.key(toRow - 1));
    this.#builder.appendRows(block, fromRow, toRow);
  }

  /**
   * Appends the entries [from, to) of another file's leaf, none of them a bucket: the fast path of a rewrite.
   * @throws EtcdOpsError BOLT_DAMAGED when the first key is not above `lastKey` (inside the leaf the caller knows the order).
   */
  appendEntries(leaf: LeafView, from: number, to: number): void {
    if (from >= to) return;
    // By offsets: two views for each of millions of leaves would be most of the garbage of a rewrite.
    const { buffer } = leaf;
    const first = leaf.keyOffset(from);
    this.#requireAbove(buffer, first, first + leaf.keyLength(from));
    const last = leaf.keyOffset(to - 1);
    this.#keepLastKey(buffer, last, last + leaf.keyLength(to - 1));
    this.#builder.appendEntries(leaf, from, to);
  }

  /** Writes the rest of the tree. Nothing can be appended afterwards; BoltWriter.commit makes it the file's content. */
  finish(): void {
    assert(!this.#finished, 'the right edge is finished already');
    this.#finished = true;
    this.#onFinish(this.#builder.finish());
  }

  /** Copied in place where it can be: a rewrite of millions of rows makes no garbage. */
  #keepLastKey(bytes: Uint8Array, start = 0, end = bytes.length): void {
    if (this.#lastKey?.length !== end - start) this.#lastKey = Buffer.allocUnsafe(end - start);
    for (let index = start; index < end; index++) this.#lastKey[index - start] = bytes[index]!;
  }

  #requireAbove(bytes: Uint8Array, start = 0, end = bytes.length): void {
    assert(!this.#finished, 'the right edge is finished already');
    const last = this.#lastKey;
    if (last === undefined) return;
    if (compareBytes(last, 0, last.length, bytes, start, end) < 0) return;
    const key = Buffer.from(bytes.subarray(start, Math.min(end, start + 64)));
    const keys = `${key.toString('hex')} does not come after ${last.subarray(0, 64).toString('hex')}`;
    throw boltDamaged(this.#path, undefined, `the key to append, ${keys}`);
  }
}

function lastKeyBefore(bucket: Bucket, dropFrom: Uint8Array | undefined): Buffer | undefined {
  const cursor = bucket.cursor();
  const found = dropFrom !== undefined && cursor.seek(dropFrom) ? cursor.previous() : cursor.last();
  return found ? Buffer.from(cursor.key) : undefined;
}

function takeInlineEntries(bucket: Bucket, builder: TreeBuilder, dropFrom: Uint8Array | undefined): void {
  for (const leaf of bucket.leaves()) takeEntries(leaf as Page, builder, dropFrom);
}

/**
 * Walks from the root to the leaf where appending goes on, and hands the builder everything left of that path: whole
 * subtrees by reference, the leaf by its entries.
 */
function takeSpineApart(
  pages: PageWriter,
  rootPage: number,
  builder: TreeBuilder,
  dropFrom: Uint8Array | undefined,
): void {
  const spine: { keys: Buffer[]; children: number[] }[] = [];
  const page = new Page();
  let next = rootPage;
  for (;;) {
    pages.load(next, page, true);
    if (page.isLeaf) break;
    if (spine.length >= TREE_DEPTH_MAX) {
      throw boltDamaged(pages.path, next, `the tree is deeper than ${TREE_DEPTH_MAX} levels`);
    }
    // Subtrees right of the child that can hold dropFrom are cut by not being handed on.
    const onPath = dropFrom === undefined ? page.count - 1 : Math.max(0, page.lowerBound(dropFrom) - 1);
    const kept = Array.from({ length: onPath }, (_, child) => child);
    spine.push({
      keys: kept.map((child) => Buffer.from(page.key(child))),
      children: kept.map((child) => page.child(child)),
    });
    next = page.child(onPath);
  }
  // From the top down: children of a lower level come after all of the levels above.
  spine.forEach(({ keys, children }, index) => {
    const level = spine.length - 1 - index;
    keys.forEach((key, child) => builder.addChild(level, key, children[child]!));
  });
  const whole = page.count > 0 && (dropFrom === undefined || page.compareKey(page.count - 1, dropFrom) < 0);
  // A leaf with overflow holds large values: it stays where it is instead of being copied.
  if (whole && page.byteLength > pages.pageSize) builder.addChild(0, Buffer.from(page.key(0)), page.id);
  else takeEntries(page, builder, dropFrom);
}

function takeEntries(leaf: Page, builder: TreeBuilder, dropFrom: Uint8Array | undefined): void {
  const end = dropFrom === undefined ? leaf.count : leaf.lowerBound(dropFrom);
  for (let entry = 0; entry < end; entry++) {
    builder.append(leaf.key(entry), leaf.value(entry), leaf.isBucket(entry) ? 1 : 0);
  }
}
