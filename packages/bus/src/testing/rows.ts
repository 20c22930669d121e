import { RevisionDigest, RowBlock, RowBlockBuilder, type LeaseRecord } from '@etcd-ops/core';
import { createHash } from 'node:crypto';
import type { EventRead } from '../events/event-assembler.ts';
import type { RowsEvent, StartEvent } from '../events/event-message.ts';

export const CLUSTER_ID = 0xcdf8_1818_e32a_66f1n;

/** What the test's etcd stored at a revision: the same for every writer, so that rows of any of them can be compared. */
export function rowValue(revision: number, bytes: number): Buffer {
  const seed = createHash('sha256').update(`row ${revision}`).digest();
  return Buffer.alloc(bytes, seed);
}

export function rowBlock(first: number, last: number, bytes = 64): Buffer {
  const builder = new RowBlockBuilder();
  for (let revision = first; revision <= last; revision++) {
    builder.append(revision, 0, false, rowValue(revision, bytes));
    // Every seventh revision is a transaction of two rows, the second a deletion.
    if (revision % 7 === 0) builder.append(revision, 1, true, rowValue(revision + 1, 8));
  }
  return builder.take();
}

export function rowsEvent(
  first: number,
  last: number,
  options: { bytes?: number; timeline?: number; leases?: LeaseRecord[] } = {},
): RowsEvent {
  const block = rowBlock(first, last, options.bytes);
  const { digest, digestRows } = digestOf(block, last);
  return {
    kind: 'rows',
    timeline: options.timeline ?? 1,
    clusterId: CLUSTER_ID,
    first,
    last,
    rowBlock: block,
    leases: options.leases ?? [],
    observedMs: 1_700_000_000_000 + last,
    digest,
    digestRows,
  };
}

export function startEvent(revision: number, options: Partial<StartEvent> = {}): StartEvent {
  return {
    kind: 'start',
    timeline: 1,
    clusterId: CLUSTER_ID,
    revision,
    digest: null,
    cause: 'first',
    observedMs: 1_700_000_000_000,
    ...options,
  };
}

/** Throws unless the rows of the events are those of every revision from the first start on, each once, in order. */
export function checkContiguous(events: readonly EventRead[]): { first: number; last: number } {
  const start = events[0];
  if (start?.kind !== 'start') throw new Error('the history does not begin with a start');
  let last = start.revision;
  for (const event of events) {
    if (event.kind === 'start') {
      if (event.revision !== last) throw new Error(`a start at ${event.revision} after ${last}`);
      continue;
    }
    if (event.first !== last + 1) throw new Error(`rows from ${event.first} on after ${last}`);
    const bytes = event.rows!.rowCount === 0 ? 0 : event.rows!.value(0).length;
    if (event.last >= event.first && !event.rowBlock.equals(rowBlock(event.first, event.last, bytes))) {
      throw new Error(`other rows for ${event.first} to ${event.last}`);
    }
    last = event.last;
  }
  return { first: start.revision + 1, last };
}

function digestOf(block: Buffer, revision: number): { digest: string | null; digestRows: number } {
  const rows = RowBlock.parse(block);
  const from = rows.firstRowAbove(revision - 1);
  if (from === rows.rowCount) return { digest: null, digestRows: 0 };
  const digest = new RevisionDigest();
  for (let row = from; row < rows.rowCount; row++) digest.update(rows.key(row), rows.value(row));
  return { digestRows: digest.rowCount, digest: digest.hex() };
}
