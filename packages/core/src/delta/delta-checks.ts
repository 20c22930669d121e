import { isEtcdOpsError } from '../base/errors.ts';
import { decodeLeaseRecords, type LeaseRecord } from '../mvcc/lease-record.ts';
import { RowBlock } from '../mvcc/row-block.ts';
import { decodeBlock, type BlockHeader } from './delta-block.ts';
import { rowsEnd, type DeltaFooter } from './delta-footer.ts';
import {
  BLOCK_HEADER_BYTES,
  damagedDelta,
  DELTA_HEADER_BYTES,
  DELTA_SHA256_BYTES,
  DELTA_TAIL_BYTES,
  paddingAt,
  type ObservedTime,
  type RowsBlockLocation,
} from './delta-format.ts';
import { decodeDeltaHeader } from './delta-header.ts';
import { decodeIndex, decodeTimes } from './delta-tables.ts';
import type { RowSequence } from './row-sequence.ts';

export function assertDeltaHash(found: string, footer: DeltaFooter): void {
  if (found !== footer.sha256) {
    throw damagedDelta(footer.bytes - DELTA_SHA256_BYTES, 'the bytes do not have the SHA-256 they were written with');
  }
}

/** Header and footer must tell of one object. `bytes` begins with the header. */
export function assertHeaderFits(bytes: Buffer, footer: DeltaFooter): void {
  const header = decodeDeltaHeader(bytes);
  const same =
    bytes.readUInt32LE(DELTA_HEADER_BYTES - 4) === footer.headerCrc &&
    header.codec === footer.codec &&
    header.clusterId === footer.clusterId &&
    header.timeline === footer.timeline &&
    header.epoch === footer.epoch &&
    header.firstRevision === footer.firstRevision;
  if (!same) throw damagedDelta(0, 'header and footer are not of one delta');
}

/** Decodes the index and checks that its blocks tile the object from the header on; `bytes` is the span of the block. */
export function decodeIndexBlock(bytes: Buffer, footer: DeltaFooter): RowsBlockLocation[] {
  const { header, plain } = decodeBlock(bytes, footer.index.offset, 'index');
  const locations = decodeIndex(plain, footer.index.offset);
  assertTable(header, locations.length, footer.rowsBlocks, footer, footer.index.offset);
  let offset = DELTA_HEADER_BYTES;
  let last = footer.firstRevision - 1;
  let rowCount = 0;
  for (const location of locations) {
    if (location.offset !== offset) {
      throw damagedDelta(footer.index.offset, `a rows block must begin at ${offset} and not at ${location.offset}`);
    }
    // A revision may be split over blocks, so the first one of a block may be the last one of the block before it.
    const follows =
      location.firstRevision === last + 1 || (location.firstRevision === last && offset > DELTA_HEADER_BYTES);
    if (
      !follows ||
      location.lastRevision < location.firstRevision ||
      location.rowCount <= location.lastRevision - location.firstRevision
    ) {
      throw damagedDelta(
        footer.index.offset,
        `rows ${location.firstRevision} to ${location.lastRevision} do not follow ${last}`,
      );
    }
    offset += BLOCK_HEADER_BYTES + location.storedBytes + paddingAt(location.storedBytes);
    last = location.lastRevision;
    rowCount += location.rowCount;
  }
  if (offset !== rowsEnd(footer)) {
    throw damagedDelta(footer.index.offset, `the rows blocks end at ${offset} and not at ${rowsEnd(footer)}`);
  }
  if (last !== footer.lastRevision || rowCount !== footer.rowCount) {
    throw damagedDelta(
      footer.index.offset,
      `the index ends at revision ${last} with ${rowCount} rows, the footer says otherwise`,
    );
  }
  return locations;
}

/** Decodes one rows block that must be the one the index describes; `bytes` begins with it. */
export function decodeRowsBlock(bytes: Buffer, location: RowsBlockLocation, options: { crc?: boolean } = {}): RowBlock {
  const { header, plain } = decodeBlock(bytes, location.offset, 'rows', options);
  if (
    header.storedBytes !== location.storedBytes ||
    header.items !== location.rowCount ||
    header.firstRevision !== location.firstRevision ||
    header.lastRevision !== location.lastRevision
  ) {
    throw damagedDelta(location.offset, 'a rows block is not the one that the index describes');
  }
  const block = asDamage(location.offset, 'a rows block breaks its format', () => RowBlock.parse(plain));
  if (block.rowCount !== header.items) {
    throw damagedDelta(location.offset, `a block of ${header.items} rows has ${block.rowCount}`);
  }
  const ends = asDamage(location.offset, 'a revision is not possible', () => [
    block.main(0),
    block.main(block.rowCount - 1),
  ]);
  if (ends[0] !== header.firstRevision || ends[1] !== header.lastRevision) {
    throw damagedDelta(
      location.offset,
      `the rows ${ends[0]} to ${ends[1]} are not those that their block header names`,
    );
  }
  return block;
}

/** The rows as a whole must be what the footer says. */
export function assertTotals(sequence: RowSequence, rowBytes: number, footer: DeltaFooter): void {
  const same =
    sequence.firstRevision === footer.firstRevision &&
    sequence.lastRevision === footer.lastRevision &&
    sequence.rowCount === footer.rowCount &&
    sequence.lastRevisionRows === footer.lastRevisionRows &&
    rowBytes === footer.rowBytes;
  if (!same) throw damagedDelta(footer.bytes - DELTA_TAIL_BYTES, 'the rows are not those that the footer describes');
  if (sequence.finishDigest() !== footer.lastRevisionDigest) {
    throw damagedDelta(
      footer.bytes - DELTA_TAIL_BYTES,
      `the rows of revision ${footer.lastRevision} do not have the recorded digest`,
    );
  }
}

export function decodeLeasesBlock(bytes: Buffer, footer: DeltaFooter): LeaseRecord[] {
  const { offset } = footer.leases!;
  const { header, plain } = decodeBlock(bytes, offset, 'leases');
  const records = asDamage(offset, 'the lease records break their format', () => decodeLeaseRecords(plain));
  assertTable(header, records.length, footer.leaseCount, footer, offset);
  return records;
}

export function decodeTimesBlock(bytes: Buffer, footer: DeltaFooter): ObservedTime[] {
  const { offset } = footer.times!;
  const { header, plain } = decodeBlock(bytes, offset, 'times');
  const times = decodeTimes(plain, offset);
  assertTable(header, times.length, footer.timeCount, footer, offset);
  const first = times[0]!;
  const last = times.at(-1)!;
  const fits =
    first.revision >= footer.firstRevision &&
    last.revision <= footer.lastRevision &&
    first.observedMs === footer.firstObservedMs &&
    last.observedMs === footer.lastObservedMs;
  if (!fits) throw damagedDelta(offset, 'the times are not those that the footer describes');
  return times;
}

function assertTable(header: BlockHeader, found: number, expected: number, footer: DeltaFooter, offset: number): void {
  const belongs = header.firstRevision === footer.firstRevision && header.lastRevision === footer.lastRevision;
  if (belongs && found === expected && header.items === expected) return;
  throw damagedDelta(offset, `a table of ${found} entries is not the one of ${expected} that the footer describes`);
}

/** Runs a decoder of another format and says where in the delta it failed. */
export function asDamage<T>(offset: number, rule: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (isEtcdOpsError(error, 'ROW_BLOCK_DAMAGED') || isEtcdOpsError(error, 'MVCC_DAMAGED')) {
      throw damagedDelta(offset, rule, error);
    }
    throw error;
  }
}
