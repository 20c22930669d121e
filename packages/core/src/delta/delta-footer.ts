import { crc32c } from '../base/crc32c.ts';
import { codecId, codecOfId, type Codec } from '../codec/codec.ts';
import { REVISION_KEY_BYTES } from '../mvcc/revision.ts';
import { ROW_BLOCK_COUNT_BYTES, ROW_ENTRY_BYTES } from '../mvcc/row-block.ts';
import { unknownVersion } from './delta-header.ts';
import {
  assertZero,
  BLOCK_ALIGNMENT_BYTES,
  BLOCK_HEADER_BYTES,
  damagedDelta,
  DELTA_BYTES_MAX,
  DELTA_BYTES_MIN,
  DELTA_FOOTER_BYTES,
  DELTA_HEADER_BYTES,
  DELTA_TAIL_BYTES,
  DELTA_VERSION,
  FOOTER_MAGIC,
  INDEX_ENTRY_BYTES,
  paddingAt,
  readSafeUint64,
  writeSafeUint64,
  type BlockSpan,
  type DeltaFacts,
} from './delta-format.ts';

/** All that can be known of a delta from its last 224 bytes. */
export interface DeltaFooter extends DeltaFacts {
  rowsBlocks: number;
  leaseCount: number;
  timeCount: number;
  leases: BlockSpan | undefined;
  times: BlockSpan | undefined;
  index: BlockSpan;
  /** The CRC that the header must have: it ties the two ends of the object together. */
  headerCrc: number;
}

const CRC_OFFSET = DELTA_FOOTER_BYTES - 4;
/** Positions of (offset u64, length u32) of each block that the footer points to. */
const SPANS = { leases: [16, 40], times: [24, 44], index: [32, 48] } as const;

export function encodeDeltaFooter(footer: Omit<DeltaFooter, 'sha256'>): Buffer {
  const bytes = Buffer.alloc(DELTA_FOOTER_BYTES);
  FOOTER_MAGIC.copy(bytes, 0);
  bytes.writeUInt16LE(DELTA_VERSION, 8);
  bytes.writeUInt16LE(DELTA_FOOTER_BYTES, 10);
  bytes.writeUInt32LE(footer.rowsBlocks, 12);
  for (const name of ['leases', 'times', 'index'] as const) {
    writeSafeUint64(bytes, footer[name]?.offset ?? 0, SPANS[name][0]);
    bytes.writeUInt32LE(footer[name]?.length ?? 0, SPANS[name][1]);
  }
  bytes.writeUInt32LE(footer.lastRevisionRows, 52);
  writeSafeUint64(bytes, footer.firstRevision, 56);
  writeSafeUint64(bytes, footer.lastRevision, 64);
  writeSafeUint64(bytes, footer.rowCount, 72);
  writeSafeUint64(bytes, footer.rowBytes, 80);
  writeSafeUint64(bytes, footer.firstObservedMs, 88);
  writeSafeUint64(bytes, footer.lastObservedMs, 96);
  bytes.write(footer.lastRevisionDigest, 104, 'hex');
  bytes.writeBigUInt64LE(footer.clusterId, 136);
  bytes.writeUInt32LE(footer.timeline, 144);
  bytes.writeUInt32LE(footer.leaseCount, 148);
  bytes.write(footer.epoch, 152, 'hex');
  bytes[168] = codecId(footer.codec);
  bytes.writeUInt32LE(footer.timeCount, 172);
  writeSafeUint64(bytes, footer.bytes, 176);
  bytes.writeUInt32LE(footer.headerCrc, 184);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, CRC_OFFSET)), CRC_OFFSET);
  return bytes;
}

/**
 * Decodes the last 224 bytes of an object of `totalBytes` bytes: one ranged read tells a watcher where to resume and with
 * which digest. Its own CRC is checked; the SHA-256 is reported, not checked (DeltaReader.verify and decodeDelta do).
 * @throws EtcdOpsError DELTA_DAMAGED naming the byte and the rule.
 */
export function readDeltaFooter(tail: Buffer, totalBytes: number): DeltaFooter {
  const base = totalBytes - DELTA_TAIL_BYTES;
  if (totalBytes < DELTA_BYTES_MIN) throw damagedDelta(0, `${totalBytes} bytes are too few for a delta`);
  if (totalBytes > DELTA_BYTES_MAX) throw damagedDelta(0, `${totalBytes} bytes are more than a delta may have`);
  if (tail.length !== DELTA_TAIL_BYTES) {
    throw damagedDelta(base, `a tail has ${DELTA_TAIL_BYTES} bytes and not ${tail.length}`);
  }
  if (!tail.subarray(0, 8).equals(FOOTER_MAGIC)) {
    throw damagedDelta(base, 'there is no footer; the object may be cut short');
  }
  if (tail.readUInt16LE(8) !== DELTA_VERSION) throw unknownVersion(tail.readUInt16LE(8));
  if (tail.readUInt16LE(10) !== DELTA_FOOTER_BYTES) {
    throw damagedDelta(base + 10, 'the footer length of version 1 is 192');
  }
  if (tail.readUInt32LE(CRC_OFFSET) !== crc32c(tail.subarray(0, CRC_OFFSET))) {
    throw damagedDelta(base, 'the footer fails its CRC');
  }
  const codec = codecOfId(tail[168]!);
  if (codec === undefined) throw damagedDelta(base + 168, `codec ${tail[168]} is unknown`);
  assertZero(tail, 169, 172, base);
  const footer = parseFields(tail, base, codec);
  assertConsistent(footer, totalBytes, base);
  return footer;
}

function parseFields(tail: Buffer, base: number, codec: Codec): DeltaFooter {
  const span = (name: keyof typeof SPANS): BlockSpan => ({
    offset: readSafeUint64(tail, SPANS[name][0], base),
    length: tail.readUInt32LE(SPANS[name][1]),
  });
  const optional = (found: BlockSpan): BlockSpan | undefined =>
    found.offset === 0 && found.length === 0 ? undefined : found;
  return {
    codec,
    rowsBlocks: tail.readUInt32LE(12),
    leases: optional(span('leases')),
    times: optional(span('times')),
    index: span('index'),
    lastRevisionRows: tail.readUInt32LE(52),
    firstRevision: readSafeUint64(tail, 56, base),
    lastRevision: readSafeUint64(tail, 64, base),
    rowCount: readSafeUint64(tail, 72, base),
    rowBytes: readSafeUint64(tail, 80, base),
    firstObservedMs: readSafeUint64(tail, 88, base),
    lastObservedMs: readSafeUint64(tail, 96, base),
    lastRevisionDigest: tail.toString('hex', 104, 136),
    clusterId: tail.readBigUInt64LE(136),
    timeline: tail.readUInt32LE(144),
    leaseCount: tail.readUInt32LE(148),
    epoch: tail.toString('hex', 152, 168),
    timeCount: tail.readUInt32LE(172),
    bytes: readSafeUint64(tail, 176, base),
    headerCrc: tail.readUInt32LE(184),
    sha256: tail.toString('hex', DELTA_FOOTER_BYTES, DELTA_TAIL_BYTES),
  };
}

/** What a footer says must be possible before anybody allocates by it. */
function assertConsistent(footer: DeltaFooter, totalBytes: number, base: number): void {
  const { firstRevision, lastRevision, rowCount, lastRevisionRows, rowsBlocks } = footer;
  if (footer.bytes !== totalBytes) {
    throw damagedDelta(base + 176, `it was written with ${footer.bytes} bytes and now has ${totalBytes}`);
  }
  if (footer.timeline === 0) throw damagedDelta(base + 144, 'timelines are counted from 1');
  if (firstRevision === 0 || firstRevision > lastRevision) {
    throw damagedDelta(base + 56, `revisions ${firstRevision} to ${lastRevision} are no range`);
  }
  if (rowCount < lastRevision - firstRevision + lastRevisionRows || lastRevisionRows === 0) {
    throw damagedDelta(base + 72, `${rowCount} rows are too few for revisions ${firstRevision} to ${lastRevision}`);
  }
  if (rowsBlocks === 0 || rowsBlocks > rowCount) {
    throw damagedDelta(base + 12, `${rowsBlocks} blocks cannot hold ${rowCount} rows`);
  }
  if (rowsBlocks * BLOCK_HEADER_BYTES > totalBytes || rowsBlocks * INDEX_ENTRY_BYTES > DELTA_BYTES_MAX) {
    throw damagedDelta(base + 12, `${rowsBlocks} blocks do not fit into the object`);
  }
  const smallestRows = rowsBlocks * ROW_BLOCK_COUNT_BYTES + rowCount * (ROW_ENTRY_BYTES + REVISION_KEY_BYTES);
  if (footer.rowBytes < smallestRows || (footer.codec === 'none' && footer.rowBytes > totalBytes)) {
    throw damagedDelta(base + 80, `${rowCount} rows cannot have ${footer.rowBytes} bytes`);
  }
  if (footer.firstObservedMs > footer.lastObservedMs) throw damagedDelta(base + 88, 'the observed times run backwards');
  if (
    (footer.leases === undefined) !== (footer.leaseCount === 0) ||
    (footer.times === undefined) !== (footer.timeCount === 0)
  ) {
    throw damagedDelta(base + 16, 'a count of leases or times does not fit its block');
  }
  if ((footer.timeCount === 0) !== (footer.lastObservedMs === 0)) {
    throw damagedDelta(base + 96, 'the observed times do not fit their block');
  }
  assertTiles(footer, base);
}

/** Leases, times and index lie behind the rows, in this order, without a byte between them, up to the footer. */
function assertTiles(footer: DeltaFooter, base: number): void {
  let end = base;
  for (const name of ['index', 'times', 'leases'] as const) {
    const span = footer[name];
    if (span === undefined) continue;
    const paddedEnd = span.offset + span.length + paddingAt(span.length);
    const possible = span.length > BLOCK_HEADER_BYTES && span.offset % BLOCK_ALIGNMENT_BYTES === 0 && paddedEnd === end;
    if (!possible) {
      throw damagedDelta(
        base + SPANS[name][0],
        `the ${name} block cannot lie at ${span.offset} with ${span.length} bytes`,
      );
    }
    end = span.offset;
  }
  if (end < DELTA_HEADER_BYTES + footer.rowsBlocks * BLOCK_HEADER_BYTES) {
    throw damagedDelta(base + 12, `${footer.rowsBlocks} blocks do not fit before byte ${end}`);
  }
}

/** Where the last rows block ends: at the first of the blocks behind them. */
export function rowsEnd(footer: DeltaFooter): number {
  return (footer.leases ?? footer.times ?? footer.index).offset;
}

/** The facts of a delta, without what only its reader needs. */
export function deltaFacts(footer: DeltaFooter): DeltaFacts {
  const {
    rowsBlocks: _1,
    leaseCount: _2,
    timeCount: _3,
    leases: _4,
    times: _5,
    index: _6,
    headerCrc: _7,
    ...facts
  } = footer;
  return facts;
}
