import { EtcdOpsError } from '../base/errors.ts';

/**
 * The bbolt file format (etcd-io/bbolt: internal/common/{page,meta,bucket}.go). All numbers are little endian.
 *
 * A page is `id u64 | flags u16 | count u16 | overflow u32`, then `count` elements of 16 bytes, then their data. It takes
 * overflow + 1 consecutive pages. A branch element is `pos u32 | key bytes u32 | child page u64`, a leaf element
 * `flags u32 | pos u32 | key bytes u32 | value bytes u32`; `pos` counts from the element itself, the value follows its key.
 */
export const PAGE_HEADER_BYTES = 16;
export const ELEMENT_BYTES = 16;
export const PAGE_SIZE_MIN = 512;
export const PAGE_SIZE_MAX = 65_536;

export const BRANCH_PAGE = 0x01;
export const LEAF_PAGE = 0x02;
export const META_PAGE = 0x04;
export const FREELIST_PAGE = 0x10;

/** Flag of a leaf element whose value is a bucket. */
export const BUCKET_ELEMENT = 0x01;
/** A bucket value: `root page u64 | sequence u64`; root 0 means that a leaf page follows inline. */
export const BUCKET_HEADER_BYTES = 16;

export const KEY_BYTES_MAX = 32_768;
export const VALUE_BYTES_MAX = 2 ** 31 - 2;
export const PAGE_COUNT_MAX = 0xffff;
/** No real tree comes near: with two children a branch, 2^64 leaves. It bounds what a damaged file can make us do. */
export const TREE_DEPTH_MAX = 64;

/** etcd appends the SHA-256 of the file to a snapshot. */
export const SNAPSHOT_TRAILER_BYTES = 32;

const TWO_POW_32 = 0x1_0000_0000;

/** Reads a u64 as a double. What is above 2^53 loses precision, so callers bound it: no page or offset comes near. */
export function readUint64(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * TWO_POW_32;
}

export function writeUint64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / TWO_POW_32), true);
}

/** Bytewise order, shorter first. Keys are short and differ early: a loop beats the call into Buffer.compare. */
export function compareBytes(
  left: Uint8Array,
  leftStart: number,
  leftEnd: number,
  right: Uint8Array,
  rightStart: number,
  rightEnd: number,
): number {
  const leftLength = leftEnd - leftStart;
  const rightLength = rightEnd - rightStart;
  const shared = leftLength < rightLength ? leftLength : rightLength;
  for (let index = 0; index < shared; index++) {
    const difference = left[leftStart + index]! - right[rightStart + index]!;
    if (difference !== 0) return difference;
  }
  return leftLength - rightLength;
}

/** Every broken rule of the format ends here. `page` is left out when the rule is about the file as a whole. */
export function boltDamaged(path: string, page: number | undefined, rule: string): EtcdOpsError {
  const place = page === undefined ? path : `${path}, page ${page}`;
  return new EtcdOpsError('BOLT_DAMAGED', { message: `${place}: ${rule}` });
}
