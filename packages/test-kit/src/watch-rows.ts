import { encodeRevisionKey, type ByteSlice } from '@etcd-ops/core';

/** A sink for EtcdMember.watch that keeps every row, with the sub counted over a whole revision. Reusable for a resumed watch. */
export class WatchRows {
  /** Revision key as hex to value. */
  readonly rows = new Map<string, Buffer>();
  readonly createdAt: { headerRevision: number; clusterId: bigint; memberId: bigint }[] = [];
  readonly leases = new Set<bigint>();
  lastComplete: number;
  /** Main revisions that did not follow the one before them. */
  readonly holes: number[] = [];
  batches = 0;
  incompleteBatches = 0;
  repeatedRows = 0;
  progressRevision = 0;
  onBatch: () => void = () => {};
  #main: number;
  #sub = -1;
  #pending = new Map<string, Buffer>();

  constructor(lastComplete = 0) {
    this.lastComplete = lastComplete;
    this.#main = lastComplete;
  }

  created(headerRevision: number, clusterId: bigint, memberId: bigint): void {
    this.createdAt.push({ headerRevision, clusterId, memberId });
    // A resumed stream begins behind the last complete revision: what came of an unfinished one is dropped.
    this.#pending = new Map();
    this.#main = this.lastComplete;
    this.#sub = -1;
  }

  row(mainRevision: number, tombstone: boolean, value: ByteSlice, lease: bigint): void {
    // etcd before 3.4.24 and 3.5.8 may repeat events.
    if (mainRevision <= this.lastComplete) {
      this.repeatedRows++;
      return;
    }
    if (mainRevision === this.#main) {
      this.#sub++;
    } else {
      // Revision 1 is the empty store: the first row is that of revision 2.
      if (mainRevision !== this.#main + 1 && this.#main > 1) this.holes.push(mainRevision);
      this.#main = mainRevision;
      this.#sub = 0;
    }
    if (lease !== 0n) this.leases.add(lease);
    this.#pending.set(encodeRevisionKey(mainRevision, this.#sub, tombstone).toString('hex'), Buffer.from(value.view()));
  }

  batch(complete: boolean): void {
    this.batches++;
    if (complete) {
      for (const [key, value] of this.#pending) this.rows.set(key, value);
      this.#pending.clear();
      this.lastComplete = this.#main;
    } else {
      this.incompleteBatches++;
    }
    this.onBatch();
  }

  progress(headerRevision: number): void {
    this.progressRevision = headerRevision;
  }
}
