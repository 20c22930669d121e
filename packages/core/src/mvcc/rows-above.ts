import { EtcdOpsError } from '../base/errors.ts';
import type { BoltFile } from '../bolt/bolt-file.ts';
import { encodeRevisionKey, type Revision } from './revision.ts';
import { RowBlock, RowBlockBuilder } from './row-block.ts';
import { rowMain } from './row-key.ts';
import { ROW_BUCKET } from './store-info.ts';

const BLOCK_BYTES_DEFAULT = 256 * 1024;

export interface RowsAboveOptions {
  /** The last revision wanted; to the end unless told. */
  upTo?: Revision | undefined;
  /** A block ends with the row that reaches this many bytes; 256 KiB unless told. */
  blockBytes?: number | undefined;
}

/**
 * The rows of a file with `after` < main <= `upTo`, in order. A revision's rows may be spread over two blocks.
 * Complete only when `after` is at or above the file's compact revision: the caller knows.
 * @throws EtcdOpsError MVCC_DAMAGED, BOLT_DAMAGED
 */
export function* rowsAbove(
  file: BoltFile,
  after: Revision,
  options: RowsAboveOptions = {},
): Generator<RowBlock, void, undefined> {
  const upTo = options.upTo ?? Number.MAX_SAFE_INTEGER;
  const blockBytes = options.blockBytes ?? BLOCK_BYTES_DEFAULT;
  const bucket = file.bucket(ROW_BUCKET);
  if (bucket === undefined) return;
  const builder = new RowBlockBuilder();
  for (const leaf of bucket.leaves({ fromKey: encodeRevisionKey(after + 1) })) {
    let ended = false;
    // Blocks are handed out between leaves only: the reader may look at the file, which ends the life of a leaf's views.
    for (let entry = leaf.first; entry < leaf.count && !ended; entry++) {
      ended = rowMain(leaf, entry) > upTo;
      if (!ended) builder.appendEncoded(leaf.key(entry), leaf.value(entry));
    }
    if (builder.byteLength >= blockBytes) yield parse(file, builder);
    if (ended) break;
  }
  if (builder.rowCount > 0) yield parse(file, builder);
}

/** Parsing checks order and shape: what is wrong with the rows is wrong with the file. */
function parse(file: BoltFile, builder: RowBlockBuilder): RowBlock {
  try {
    return RowBlock.parse(builder.take());
  } catch (error) {
    throw new EtcdOpsError('MVCC_DAMAGED', { message: `${file.path}: its rows are not in order`, cause: error });
  }
}
