import { BUCKET_HEADER_BYTES, ELEMENT_BYTES, LEAF_PAGE, PAGE_HEADER_BYTES, writeUint64 } from './format.ts';
import { LeafInProgress } from './leaf-in-progress.ts';

/** The value of a bucket that has a tree of its own. */
export function encodeBucketHeader(rootPage: number, sequence: bigint): Buffer {
  const value = Buffer.alloc(BUCKET_HEADER_BYTES);
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  writeUint64(view, 0, rootPage);
  view.setBigUint64(8, sequence, true);
  return value;
}

/** The value of a bucket that is stored in it. `pageBytes`: of the embedded page, header and elements included. */
export function encodeInlineBucket(
  entries: readonly { key: Uint8Array; value: Uint8Array }[],
  pageBytes: number,
  sequence: bigint,
): Buffer {
  const leaf = new LeafInProgress(pageBytes);
  for (const { key, value } of entries) {
    leaf.pushSizes(0, key.length, value.length);
    leaf.copyData(key, 0, key.length);
    leaf.copyData(value, 0, value.length);
  }
  const bytes = Buffer.concat([encodeBucketHeader(0, sequence), Buffer.alloc(pageBytes)]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const page = BUCKET_HEADER_BYTES;
  view.setUint16(page + 8, LEAF_PAGE, true);
  view.setUint16(page + 10, entries.length, true);
  leaf.writeElements(view, page + PAGE_HEADER_BYTES);
  leaf.data.copy(bytes, page + PAGE_HEADER_BYTES + entries.length * ELEMENT_BYTES, 0, leaf.used);
  return bytes;
}
