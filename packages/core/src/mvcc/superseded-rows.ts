import type { Yielder } from '../base/yielding.ts';
import type { Bucket } from '../bolt/bucket.ts';
import { KeyHash, KeyTable } from './key-table.ts';
import { encodeRevisionKey, type Revision } from './revision.ts';
import { isTombstoneRow, rowMain } from './row-key.ts';
import { hashUserKey } from './row-value.ts';

/** The rows at or below a compact revision that do not count in a hash. */
export class SupersededRows {
  rowCount = 0;
  #bits = new Uint8Array(1024);
  #marked = 0;

  /** `ordinal`: the row's place among all rows of the file, from 0. */
  has(ordinal: number): boolean {
    return (this.#bits[ordinal >>> 3]! & (1 << (ordinal & 7))) !== 0;
  }

  mark(ordinal: number): void {
    if (this.has(ordinal)) return;
    this.#bits[ordinal >>> 3]! |= 1 << (ordinal & 7);
    this.#marked++;
  }

  /** Counts a row; returns its ordinal. */
  next(): number {
    if (this.rowCount >>> 3 >= this.#bits.length) {
      const larger = new Uint8Array(this.#bits.length * 2);
      larger.set(this.#bits);
      this.#bits = larger;
    }
    return this.rowCount++;
  }

  get allMarked(): boolean {
    return this.#marked === this.rowCount;
  }
}

export interface RevisionRange {
  compactRevision: Revision;
  revision: Revision;
}

/**
 * Finds the rows at or below the compact revision that HashKV leaves out: those that are not what is alive at `revision`.
 * When nothing at all is alive there, etcd leaves out none of the rows it has, and a finished compaction has left it those
 * alive at the compact revision: then these count, so that an unfinished compaction gives the hash of the finished one.
 */
export async function findSupersededRows(
  bucket: Bucket,
  range: RevisionRange,
  yielder: Yielder,
): Promise<SupersededRows> {
  const { superseded, lastIsPut } = await markSupersededRows(bucket, range, yielder);
  const somethingAlive = !superseded.allMarked || lastIsPut || (await anyAliveAbove(bucket, range, yielder));
  if (somethingAlive) return superseded;
  const atCompaction = { compactRevision: range.compactRevision, revision: range.compactRevision };
  return (await markSupersededRows(bucket, atCompaction, yielder)).superseded;
}

/**
 * One pass over the rows up to `revision`. Of each key that has rows at or below `compactRevision` the table knows the newest
 * of them; every later row of the key, or a tombstone, marks it. Memory: 12 to 40 bytes for each such key, a bit a row.
 */
export async function markSupersededRows(
  bucket: Bucket,
  range: RevisionRange,
  yielder: Pick<Yielder, 'due' | 'turn'>,
): Promise<{ superseded: SupersededRows; lastIsPut: boolean }> {
  const superseded = new SupersededRows();
  const newest = new KeyTable();
  const hash = new KeyHash();
  let lastIsPut = false;
  scan: for (const leaf of bucket.leaves()) {
    for (let entry = 0; entry < leaf.count; entry++) {
      const main = rowMain(leaf, entry);
      if (main > range.revision) break scan;
      lastIsPut = !isTombstoneRow(leaf, entry);
      hashUserKey(leaf, entry, hash);
      const slot = newest.find(hash);
      if (slot !== -1) superseded.mark(newest.value(slot));
      if (main > range.compactRevision) continue;
      const ordinal = superseded.next();
      if (slot === -1) newest.insert(hash, ordinal);
      else newest.set(slot, ordinal);
      if (!lastIsPut) superseded.mark(ordinal);
    }
    if (yielder.due(leaf.byteLength)) await yielder.turn();
  }
  return { superseded, lastIsPut };
}

/** Whether a key that has rows only above the compact revision is alive. Only asked when no other key is. */
async function anyAliveAbove(bucket: Bucket, range: RevisionRange, yielder: Yielder): Promise<boolean> {
  const states = new KeyTable();
  const hash = new KeyHash();
  let alive = 0;
  scan: for (const leaf of bucket.leaves({ fromKey: encodeRevisionKey(range.compactRevision + 1) })) {
    for (let entry = leaf.first; entry < leaf.count; entry++) {
      if (rowMain(leaf, entry) > range.revision) break scan;
      const state = isTombstoneRow(leaf, entry) ? 0 : 1;
      hashUserKey(leaf, entry, hash);
      const slot = states.find(hash);
      alive += state - (slot === -1 ? 0 : states.value(slot));
      if (slot === -1) states.insert(hash, state);
      else states.set(slot, state);
    }
    if (yielder.due(leaf.byteLength)) await yielder.turn();
  }
  return alive > 0;
}
