import { readSync } from 'node:fs';
import {
  boltDamaged,
  META_PAGE,
  PAGE_HEADER_BYTES,
  PAGE_SIZE_MAX,
  PAGE_SIZE_MIN,
  readUint64,
  writeUint64,
} from './format.ts';

const MAGIC = 0xed0cdaed;
const VERSION = 2;
const META_BODY_BYTES = 64;
const CHECKSUM_OFFSET = 56;
const NO_FREELIST = 0xffff_ffff_ffff_ffffn;

/** One meta page: where everything else begins. Source: bbolt internal/common/meta.go. */
export interface BoltMeta {
  pageSize: number;
  /** Root page of the bucket of buckets. */
  rootPage: number;
  rootSequence: bigint;
  /** Undefined when the free list is not stored (etcd on Linux); bbolt then finds the free pages by itself. */
  freelistPage: number | undefined;
  /** Pages from here on do not belong to the file, even when there are bytes. */
  highWaterMark: number;
  txid: number;
}

export interface MetaPages {
  /** The valid one with the higher txid: what bbolt opens. */
  current: BoltMeta;
  /** Both, by page; undefined is not valid. */
  pages: [BoltMeta | undefined, BoltMeta | undefined];
}

/**
 * Reads both meta pages. A snapshot holds txid T in page 0 and T - 1 in page 1 whatever T's parity is.
 * @throws EtcdOpsError BOLT_DAMAGED when neither is valid or the file is shorter than the meta says.
 */
export function readMetaPages(descriptor: number, fileBytes: number, path: string): MetaPages {
  const first = readMetaAt(descriptor, 0);
  let second: BoltMeta | undefined;
  // Without the first, the page size is not known: the second must be at one of the possible places.
  for (let size = first?.pageSize ?? PAGE_SIZE_MIN; size <= PAGE_SIZE_MAX && second === undefined; size *= 2) {
    const candidate = readMetaAt(descriptor, size);
    if (candidate?.pageSize === size) second = candidate;
    if (first !== undefined) break;
  }
  const current = newer(first, second);
  if (current === undefined) throw boltDamaged(path, 0, 'neither meta page is valid (magic, version or checksum)');
  requirePossible(current, fileBytes, path, current === first ? 0 : 1);
  return { current, pages: [first, second] };
}

/** A whole meta page of `meta.pageSize` bytes. */
export function encodeMetaPage(page: 0 | 1, meta: BoltMeta): Buffer {
  const bytes = Buffer.alloc(meta.pageSize);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  writeUint64(view, 0, page);
  view.setUint16(8, META_PAGE, true);
  const body = PAGE_HEADER_BYTES;
  view.setUint32(body, MAGIC, true);
  view.setUint32(body + 4, VERSION, true);
  view.setUint32(body + 8, meta.pageSize, true);
  writeUint64(view, body + 16, meta.rootPage);
  view.setBigUint64(body + 24, meta.rootSequence, true);
  view.setBigUint64(body + 32, meta.freelistPage === undefined ? NO_FREELIST : BigInt(meta.freelistPage), true);
  writeUint64(view, body + 40, meta.highWaterMark);
  writeUint64(view, body + 48, meta.txid);
  view.setBigUint64(body + CHECKSUM_OFFSET, fnv1a64(bytes.subarray(body, body + CHECKSUM_OFFSET)), true);
  return bytes;
}

function readMetaAt(descriptor: number, offset: number): BoltMeta | undefined {
  const bytes = Buffer.alloc(PAGE_HEADER_BYTES + META_BODY_BYTES);
  if (readSync(descriptor, bytes, 0, bytes.length, offset) !== bytes.length) return undefined;
  const body = bytes.subarray(PAGE_HEADER_BYTES);
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const pageSize = view.getUint32(8, true);
  const possible =
    view.getUint32(0, true) === MAGIC &&
    view.getUint32(4, true) === VERSION &&
    view.getBigUint64(CHECKSUM_OFFSET, true) === fnv1a64(body.subarray(0, CHECKSUM_OFFSET)) &&
    pageSize >= PAGE_SIZE_MIN &&
    pageSize <= PAGE_SIZE_MAX &&
    (pageSize & (pageSize - 1)) === 0;
  if (!possible) return undefined;
  const freelist = view.getBigUint64(32, true);
  return {
    pageSize,
    rootPage: readUint64(view, 16),
    rootSequence: view.getBigUint64(24, true),
    freelistPage: freelist === NO_FREELIST ? undefined : readUint64(view, 32),
    highWaterMark: readUint64(view, 40),
    txid: readUint64(view, 48),
  };
}

function newer(first: BoltMeta | undefined, second: BoltMeta | undefined): BoltMeta | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return second.txid > first.txid ? second : first;
}

function requirePossible(meta: BoltMeta, fileBytes: number, path: string, page: number): void {
  const pages = Math.floor(fileBytes / meta.pageSize);
  if (meta.highWaterMark > pages) {
    const needed = meta.highWaterMark * meta.pageSize;
    throw boltDamaged(
      path,
      page,
      `the file needs ${needed} bytes (${meta.highWaterMark} pages) and has ${fileBytes}: it is cut off`,
    );
  }
  if (meta.rootPage < 2 || meta.rootPage >= meta.highWaterMark) {
    throw boltDamaged(path, page, `the root page ${meta.rootPage} is outside the file's ${meta.highWaterMark} pages`);
  }
  if (meta.txid >= Number.MAX_SAFE_INTEGER) {
    throw boltDamaged(path, page, `the transaction id ${meta.txid} cannot be real`);
  }
  const freelist = meta.freelistPage;
  if (freelist !== undefined && (freelist < 2 || freelist >= meta.highWaterMark)) {
    throw boltDamaged(path, page, `the free list page ${freelist} is outside the file's ${meta.highWaterMark} pages`);
  }
}

function fnv1a64(bytes: Uint8Array): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100_0000_01b3n);
  return hash;
}
