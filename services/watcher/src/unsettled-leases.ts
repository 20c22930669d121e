import type { Revision } from '@etcd-ops/core';

/**
 * Up to which revision it is sure that all leases which rows name were asked about and the answers handed on. Whoever captures next
 * reads it beside the rows, and asks again for what lies above: an answer that died with its watcher would be missing for ever.
 */
export class UnsettledLeases {
  /** By first sight, so the first has the least revision. */
  readonly #sighted = new Map<bigint, Revision>();
  /** Named by rows below those: of a watcher before this one, or of a sight that was passed over. */
  readonly #older = new Set<bigint>();
  #floor: Revision | undefined;
  #isSearching = false;

  sighted(id: bigint, revision: Revision): void {
    if (!this.#sighted.has(id)) this.#sighted.set(id, revision);
  }

  settled(id: bigint): void {
    this.#sighted.delete(id);
    this.#older.delete(id);
    this.#release();
  }

  /** Rows above `floor` may name leases that nobody asked about: they have to be found. */
  doubt(floor: Revision): void {
    this.#floor = Math.min(this.#floor ?? Infinity, floor);
    this.#isSearching = true;
  }

  /** These are all that were missed. */
  found(ids: Iterable<bigint>): void {
    for (const id of ids) this.#older.add(id);
    this.#isSearching = false;
    this.#release();
  }

  upTo(last: Revision): Revision {
    const [first] = this.#sighted.values();
    return Math.max(0, Math.min(last, this.#floor ?? Infinity, first === undefined ? Infinity : first - 1));
  }

  #release(): void {
    if (!this.#isSearching && this.#older.size === 0) this.#floor = undefined;
  }
}
