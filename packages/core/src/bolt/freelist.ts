import type { BlockCache } from './block-cache.ts';
import { boltDamaged, FREELIST_PAGE, PAGE_HEADER_BYTES, readUint64 } from './format.ts';

/** When the u16 count of the header cannot hold it, the first u64 does. Source: bbolt internal/freelist. */
const COUNT_IN_FIRST_ENTRY = 0xffff;
const ENTRY_BYTES = 8;
const ENTRIES_PER_READ = 8192;

export interface StoredFreelist {
  page: number;
  /** Pages that the list itself takes. */
  pageCount: number;
  entryCount: number;
}

/**
 * Reads a stored free list entry by entry, so that memory stays bounded whatever its header says.
 * @throws EtcdOpsError BOLT_DAMAGED
 */
export function readFreelist(pages: BlockCache, id: number, onFreePage: (page: number) => void): StoredFreelist {
  const start = id * pages.pageSize;
  const header = Buffer.alloc(PAGE_HEADER_BYTES + ENTRY_BYTES);
  pages.read(header, header.length, start);
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  if (readUint64(view, 0) !== id) {
    throw boltDamaged(pages.path, id, `its header says that it is page ${readUint64(view, 0)}`);
  }
  if (view.getUint16(8, true) !== FREELIST_PAGE) {
    throw boltDamaged(pages.path, id, 'the meta page names it as free list and it is none');
  }
  const pageCount = view.getUint32(12, true) + 1;
  if (id + pageCount > pages.highWaterMark) throw boltDamaged(pages.path, id, 'the free list reaches outside the file');
  const small = view.getUint16(10, true);
  const large = small === COUNT_IN_FIRST_ENTRY;
  const entryCount = large ? readUint64(view, PAGE_HEADER_BYTES) : small;
  const first = PAGE_HEADER_BYTES + (large ? ENTRY_BYTES : 0);
  if (first + entryCount * ENTRY_BYTES > pageCount * pages.pageSize) {
    throw boltDamaged(pages.path, id, `${entryCount} free pages do not fit into the list`);
  }
  const chunk = Buffer.alloc(ENTRIES_PER_READ * ENTRY_BYTES);
  const chunkView = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
  for (let entry = 0; entry < entryCount; entry += ENTRIES_PER_READ) {
    const count = Math.min(ENTRIES_PER_READ, entryCount - entry);
    pages.read(chunk, count * ENTRY_BYTES, start + first + entry * ENTRY_BYTES);
    for (let index = 0; index < count; index++) onFreePage(readUint64(chunkView, index * ENTRY_BYTES));
  }
  return { page: id, pageCount, entryCount };
}
