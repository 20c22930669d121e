import { EtcdOpsError } from '../base/errors.ts';
import type { BoltFile } from '../bolt/bolt-file.ts';
import { compareBytes } from '../bolt/format.ts';
import type { LeafView } from '../bolt/page.ts';
import type { RightEdge } from '../bolt/right-edge.ts';
import { rowMain } from '../mvcc/row-key.ts';
import { ROW_BUCKET } from '../mvcc/store-info.ts';
import type { SupersededRows } from '../mvcc/superseded-rows.ts';
import type { PhaseProgress } from './phase-progress.ts';

/** Copies the rows that are not dropped, whole runs of a leaf at a time. The order inside of leaves is checked. */
export async function copyRows(
  source: BoltFile,
  edge: RightEdge,
  dropped: SupersededRows | undefined,
  progress: PhaseProgress,
): Promise<{ rowsKept: number; rowsDropped: number }> {
  const marked = dropped?.rowCount ?? 0;
  let ordinal = 0;
  let rowsDropped = 0;
  for (const leaf of source.bucket(ROW_BUCKET)!.leaves()) {
    requireRowsInOrder(leaf);
    const judged = Math.min(leaf.count, Math.max(0, marked - ordinal));
    let runStart = 0;
    for (let entry = 0; entry < judged; entry++) {
      if (!dropped!.has(ordinal + entry)) continue;
      if (runStart < entry) edge.appendEntries(leaf, runStart, entry);
      runStart = entry + 1;
      rowsDropped++;
    }
    if (runStart < leaf.count) edge.appendEntries(leaf, runStart, leaf.count);
    ordinal += leaf.count;
    if (progress.due(leaf.byteLength)) await progress.turn();
  }
  return { rowsKept: ordinal - rowsDropped, rowsDropped };
}

/** Between leaves the scan sees to the order. */
function requireRowsInOrder(leaf: LeafView): void {
  const { buffer } = leaf;
  let previous = 0;
  let previousBytes = 0;
  for (let entry = 0; entry < leaf.count; entry++) {
    rowMain(leaf, entry);
    const offset = leaf.keyOffset(entry);
    const bytes = leaf.keyLength(entry);
    if (entry > 0 && compareBytes(buffer, previous, previous + previousBytes, buffer, offset, offset + bytes) >= 0) {
      throw new EtcdOpsError('MVCC_DAMAGED', {
        message: `Bucket key, page ${leaf.id}: row ${entry} does not come after the row before it`,
      });
    }
    previous = offset;
    previousBytes = bytes;
  }
}
