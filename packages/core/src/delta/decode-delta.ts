import { createHash } from 'node:crypto';
import { Yielder } from '../base/yielding.ts';
import { EtcdOpsError } from '../base/errors.ts';
import type { LeaseRecord } from '../mvcc/lease-record.ts';
import type { RowBlock } from '../mvcc/row-block.ts';
import {
  asDamage,
  assertDeltaHash,
  assertHeaderFits,
  assertTotals,
  decodeIndexBlock,
  decodeLeasesBlock,
  decodeRowsBlock,
  decodeTimesBlock,
} from './delta-checks.ts';
import { deltaFacts, readDeltaFooter, rowsEnd, type DeltaFooter } from './delta-footer.ts';
import {
  damagedDelta,
  DELTA_SHA256_BYTES,
  DELTA_TAIL_BYTES,
  paddingAt,
  type BlockSpan,
  type DeltaFacts,
  type ObservedTime,
} from './delta-format.ts';
import { RowSequence } from './row-sequence.ts';

export interface DecodedDelta {
  facts: DeltaFacts;
  /** In order; those of an uncompressed delta are views of the given bytes. */
  rowBlocks: RowBlock[];
  leases: LeaseRecord[];
  times: ObservedTime[];
}

export interface DecodeDeltaOptions {
  /** Refuses (LIMIT_EXCEEDED) a delta whose rows have more bytes than this when decompressed; 1 GiB unless told. */
  rowBytesMax?: number;
  signal?: AbortSignal | undefined;
}

const ROW_BYTES_MAX_DEFAULT = 2 ** 30;
const HASH_STEP_BYTES = 8 * 1024 * 1024;

/**
 * Decodes a whole delta and checks all of it: SHA-256 first, then every structure, count, revision and digest. What it
 * returns may be trusted.
 * @throws EtcdOpsError DELTA_DAMAGED naming the byte and the rule, LIMIT_EXCEEDED, CANCELLED.
 */
export async function decodeDelta(bytes: Buffer, options: DecodeDeltaOptions = {}): Promise<DecodedDelta> {
  const yielder = new Yielder({ signal: options.signal });
  yielder.throwIfCancelled();
  const footer = readDeltaFooter(bytes.subarray(Math.max(0, bytes.length - DELTA_TAIL_BYTES)), bytes.length);
  await assertSha256(bytes, footer, yielder);
  assertHeaderFits(bytes, footer);
  assertRowBytes(footer, options.rowBytesMax ?? ROW_BYTES_MAX_DEFAULT);
  const index = decodeIndexBlock(spanOf(bytes, footer.index), footer);
  const sequence = new RowSequence((rule) => damagedDelta(0, rule));
  const rowBlocks: RowBlock[] = [];
  let rowBytes = 0;
  for (const location of index) {
    const block = decodeRowsBlock(bytes.subarray(location.offset, rowsEnd(footer)), location);
    asDamage(location.offset, 'a revision is not possible', () => sequence.add(block, 0, block.rowCount));
    rowBytes += block.bytes.length;
    rowBlocks.push(block);
    await yielder.tick(block.bytes.length);
  }
  assertTotals(sequence, rowBytes, footer);
  const leases = footer.leases === undefined ? [] : decodeLeasesBlock(spanOf(bytes, footer.leases), footer);
  const times = footer.times === undefined ? [] : decodeTimesBlock(spanOf(bytes, footer.times), footer);
  return { facts: deltaFacts(footer), rowBlocks, leases, times };
}

async function assertSha256(bytes: Buffer, footer: DeltaFooter, yielder: Yielder): Promise<void> {
  const hash = createHash('sha256');
  const end = bytes.length - DELTA_SHA256_BYTES;
  for (let offset = 0; offset < end; offset += HASH_STEP_BYTES) {
    const part = bytes.subarray(offset, Math.min(end, offset + HASH_STEP_BYTES));
    hash.update(part);
    await yielder.tick(part.length);
  }
  assertDeltaHash(hash.digest('hex'), footer);
}

function assertRowBytes(footer: DeltaFooter, rowBytesMax: number): void {
  if (footer.rowBytes <= rowBytesMax) return;
  throw new EtcdOpsError('LIMIT_EXCEEDED', {
    message: `A delta with ${footer.rowBytes} bytes of rows is larger than the limit of ${rowBytesMax}`,
  });
}

function spanOf(bytes: Buffer, span: BlockSpan): Buffer {
  return bytes.subarray(span.offset, span.offset + span.length + paddingAt(span.length));
}
