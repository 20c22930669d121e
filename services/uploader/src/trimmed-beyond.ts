import { readInventory, readDeltaEnd, type DeltaEntry, type ObjectStore, type TimelineInventory } from '@etcd-ops/core';
import type { CutPosition } from './delta-cutter.ts';

/**
 * Whether the stream was trimmed beyond what the recorded position covers. An uploader trims only what it has recorded, so either
 * another one has just moved the position, or the bus lost the newest position: a server without power forgets what it had not synced.
 */
export function isTrimmedBeyond(position: CutPosition, firstSequence: number): boolean {
  // The last message stays when all are trimmed, else the first one behind the position follows.
  return firstSequence > position.sequence + 1;
}

/**
 * What the position must have been, as the repository tells: what was trimmed had been stored before. Of the timeline of the position
 * or one that began behind it, the end of the deltas that go on without a hole; the position itself when there are none.
 */
export async function positionOfDeltas(
  store: ObjectStore,
  cluster: string,
  position: CutPosition,
  signal?: AbortSignal,
): Promise<CutPosition> {
  const inventory = await readInventory(store, cluster, { signal });
  const newest = inventory.timelines.findLast(({ record, deltas }) => record !== undefined || deltas.length > 0);
  if (newest === undefined || newest.timeline < position.timeline) return position;
  const from = newest.timeline === position.timeline ? position.revision : beginningOf(newest);
  const last = lastDelta(newest.deltas, from);
  if (last === undefined) {
    return newest.timeline === position.timeline
      ? position
      : { ...position, timeline: newest.timeline, revision: from, digest: null };
  }
  const { lastRevisionDigest } = await readDeltaEnd(store, last, signal);
  return { ...position, timeline: newest.timeline, revision: last.last, digest: lastRevisionDigest };
}

function beginningOf({ record, deltas }: TimelineInventory): number {
  return record?.startedAtRevision ?? (deltas[0]?.first ?? 1) - 1;
}

/** The delta that reaches farthest from a revision without a hole; `deltas` come by their first revision. */
function lastDelta(deltas: readonly DeltaEntry[], from: number): DeltaEntry | undefined {
  let last: DeltaEntry | undefined;
  for (const delta of deltas) {
    const reached = last?.last ?? from;
    if (delta.first > reached + 1) break;
    if (delta.last > reached) last = delta;
  }
  return last;
}
