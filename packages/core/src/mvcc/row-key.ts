import type { LeafView } from '../bolt/page.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { REVISION_KEY_BYTES, readMain, TOMBSTONE_KEY_BYTES, type Revision } from './revision.ts';

const SEPARATOR = 0x5f;
const TOMBSTONE_MARK = 0x74;

/** The main revision of a leaf's entry. Checks the key's shape; a scan of millions of rows cannot afford a view each. */
export function rowMain(leaf: LeafView, entry: number): Revision {
  const offset = leaf.keyOffset(entry);
  const length = leaf.keyLength(entry);
  const wellFormed =
    (length === REVISION_KEY_BYTES ||
      (length === TOMBSTONE_KEY_BYTES && leaf.buffer[offset + REVISION_KEY_BYTES] === TOMBSTONE_MARK)) &&
    leaf.buffer[offset + 8] === SEPARATOR &&
    !leaf.isBucket(entry);
  if (!wellFormed) {
    const key = leaf.key(entry).subarray(0, 32).toString('hex');
    throw new EtcdOpsError('MVCC_DAMAGED', {
      message: `Bucket key, page ${leaf.id}: entry ${entry} is not a row: ${key}`,
    });
  }
  return readMain(leaf.buffer, offset);
}

export function isTombstoneRow(leaf: LeafView, entry: number): boolean {
  return leaf.keyLength(entry) === TOMBSTONE_KEY_BYTES;
}
