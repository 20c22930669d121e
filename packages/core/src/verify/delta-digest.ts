import { createHash } from 'node:crypto';
import type { DeltaReader } from '../delta/delta-reader.ts';
import { RevisionDigest } from '../mvcc/row-block.ts';
import type { Revision } from '../mvcc/revision.ts';
import type { RevisionSpan } from './edge-span.ts';

/** RevisionDigest of the rows of one revision of a delta, as footers and manifests record it. */
export async function digestOfRevisionIn(
  reader: DeltaReader,
  revision: Revision,
  signal: AbortSignal | undefined,
): Promise<RevisionDigest> {
  const digest = new RevisionDigest();
  for await (const block of reader.rowBlocks({ fromRevision: revision, toRevision: revision, signal })) {
    for (let row = block.firstRowAbove(revision - 1); row < block.firstRowAbove(revision); row++) {
      digest.update(block.key(row), block.value(row));
    }
  }
  return digest;
}

/**
 * A digest of all rows of a delta in a span: equal for two deltas only when all of these rows are, whatever the blocks. It is made of
 * whole runs of rows, where a RevisionDigest takes four steps for each row, and is stored nowhere.
 */
export async function digestOfSpan(
  reader: DeltaReader,
  { from, to }: RevisionSpan,
  signal: AbortSignal | undefined,
): Promise<string> {
  const bytes = createHash('sha256');
  const borders = createHash('sha256');
  for await (const block of reader.rowBlocks({ fromRevision: from, toRevision: to, signal })) {
    const { data, offsets } = block;
    const [first, end] = [block.firstRowAbove(from - 1), block.firstRowAbove(to)];
    const lengths = new Uint32Array(end - first);
    for (let row = first; row < end; row++) {
      // A deletion differs from a put by what counts as its key, not by its bytes.
      lengths[row - first] = (offsets[row + 1]! - offsets[row]!) * 2 + (block.isTombstone(row) ? 1 : 0);
    }
    bytes.update(data.subarray(offsets[first], offsets[end]));
    borders.update(lengths);
  }
  return bytes.digest('hex') + borders.digest('hex');
}
