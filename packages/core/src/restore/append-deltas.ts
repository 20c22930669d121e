import { Yielder } from '../base/yielding.ts';
import type { RightEdge } from '../bolt/right-edge.ts';
import type { LeaseRecord } from '../mvcc/lease-record.ts';
import { REVISION_KEY_BYTES, type Revision } from '../mvcc/revision.ts';
import type { RowBlock } from '../mvcc/row-block.ts';
import { asDamageOf, DamagedObjectError } from './damaged-object.ts';
import type { FetchedDelta } from './fetch-deltas.ts';
import { leaseOfRow } from './row-lease.ts';

export interface AppendDeltasOptions {
  deltas: AsyncIterable<FetchedDelta>;
  edge: RightEdge;
  /** Awaited after each block: bounds what is still to be written. */
  settle?: () => Promise<void>;
  /** The revision that the file has: rows up to it are left out. */
  after: Revision;
  /** The last revision to append. */
  upTo: Revision;
  clusterId: bigint;
  timeline: number;
  signal?: AbortSignal | undefined;
}

export interface AppendedDeltas {
  /** Where the file ends now. */
  lastRevision: Revision;
  rows: number;
  rowBytes: number;
  /** Lease records of all deltas, in order. */
  leaseRecords: LeaseRecord[];
  /** Leases that appended rows name, each with the last revision that does. */
  referencedLeases: Map<bigint, Revision>;
}

/**
 * Appends the rows of deltas behind the last row of a file. Revisions must go on one by one: what the file already has is
 * clipped, a hole is refused.
 *
 * @throws DamagedObjectError naming the delta.
 */
export async function appendDeltas(options: AppendDeltasOptions): Promise<AppendedDeltas> {
  const { edge, upTo, signal } = options;
  const yielder = new Yielder({ signal });
  const appended: AppendedDeltas = {
    lastRevision: options.after,
    rows: 0,
    rowBytes: 0,
    leaseRecords: [],
    referencedLeases: new Map(),
  };
  for await (const { entry, reader } of options.deltas) {
    if (reader.facts.clusterId !== options.clusterId || reader.facts.timeline !== options.timeline) {
      throw new DamagedObjectError('DELTA_DAMAGED', entry.key, { rule: 'it belongs to another cluster or timeline' });
    }
    // A revision may go on in the next block of its delta, never in the next delta.
    const clipAt = appended.lastRevision;
    try {
      appended.leaseRecords.push(...(await reader.leases()));
      for await (const block of reader.rowBlocks({ fromRevision: clipAt + 1, toRevision: upTo, signal })) {
        const from = block.firstRowAbove(clipAt);
        const to = block.firstRowAbove(upTo);
        appended.lastRevision = scanRows(block, from, to, appended, entry.key);
        edge.appendRows(block, from, to);
        await options.settle?.();
        await yielder.tick(block.bytes.length);
      }
    } catch (error) {
      throw asDamageOf(entry.key, error);
    }
  }
  return appended;
}

/** One pass over the rows before they are appended: are they contiguous, and which leases do they name. */
function scanRows(block: RowBlock, from: number, to: number, appended: AppendedDeltas, objectKey: string): Revision {
  const { data, offsets } = block;
  let revision = appended.lastRevision;
  for (let row = from; row < to; row++) {
    const main = block.main(row);
    if (main !== revision) {
      if (main !== revision + 1) {
        throw new DamagedObjectError('DELTA_DAMAGED', objectKey, {
          rule: `revision ${main} follows ${revision}: there is a hole`,
        });
      }
      revision = main;
    }
    // A tombstone has an 18th byte in its key and never a lease in its value.
    if (block.isTombstone(row)) continue;
    const lease = leaseOfRow(data, offsets[row]! + REVISION_KEY_BYTES, offsets[row + 1]!);
    if (lease !== 0n) appended.referencedLeases.set(lease, main);
  }
  if (to > from) {
    appended.rows += to - from;
    appended.rowBytes += offsets[to]! - offsets[from]!;
  }
  return revision;
}
