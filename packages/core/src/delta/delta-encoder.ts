import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { EtcdOpsError } from '../base/errors.ts';
import { joinAndFree } from '../base/join-and-free.ts';
import { LEVEL_DEFAULT } from '../codec/compression-level.ts';
import { encodeLeaseRecords, LEASE_RECORD_BYTES, type LeaseRecord } from '../mvcc/lease-record.ts';
import type { RowBlock } from '../mvcc/row-block.ts';
import { encodeBlock, type BlockInput } from './delta-block.ts';
import { DeltaContentHash } from './delta-content.ts';
import { deltaFacts, encodeDeltaFooter, type DeltaFooter } from './delta-footer.ts';
import {
  BLOCK_HEADER_BYTES,
  DELTA_BYTES_MAX,
  DELTA_FOOTER_BYTES,
  DELTA_HEADER_BYTES,
  DELTA_SHA256_BYTES,
  DELTA_TAIL_BYTES,
  INDEX_ENTRY_BYTES,
  TIME_ENTRY_BYTES,
  type BlockSpan,
  type DeltaFacts,
  type DeltaIdentity,
  type ObservedTime,
  type RowsBlockLocation,
} from './delta-format.ts';
import { encodeDeltaHeader } from './delta-header.ts';
import { encodeIndex, encodeTimes } from './delta-tables.ts';
import { RowBatcher, type RowBatch } from './row-batcher.ts';
import { RowSequence } from './row-sequence.ts';

/** Takes the bytes of the object as they are made, in order; they are not changed afterwards. */
export type DeltaSink = (part: Buffer) => void;

/**
 * Builds one delta object: in memory, or given to a sink part by part, and then only its index, leases and times are held.
 * The same identity, rows, leases and times give the same bytes, in whatever portions they come (compressed blocks: with the
 * same build of the compression library).
 */
export class DeltaEncoder {
  readonly #identity: Required<DeltaIdentity>;
  readonly #batcher = new RowBatcher();
  readonly #sequence = new RowSequence(
    (rule) => new EtcdOpsError('DELTA_DAMAGED', { message: `These rows make no delta: ${rule}` }),
  );
  readonly #hash = createHash('sha256');
  #content: DeltaContentHash | undefined;
  readonly #parts: Buffer[] = [];
  readonly #sink: DeltaSink;
  readonly #index: RowsBlockLocation[] = [];
  readonly #leases: LeaseRecord[] = [];
  readonly #times: ObservedTime[] = [];
  #offset = 0;
  #rowBytes = 0;
  #headerCrc = 0;
  #finished = false;

  constructor(identity: DeltaIdentity, options: { sink?: DeltaSink } = {}) {
    this.#sink = options.sink ?? ((part) => void this.#parts.push(part));
    this.#identity = { codec: 'none', compressionLevel: LEVEL_DEFAULT, ...identity };
  }

  /** What the object would have now; an upper bound when it is compressed. */
  get byteLength(): number {
    const pending = this.#batcher.pendingBytes;
    const blocks = this.#index.length + (pending === 0 ? 0 : 1);
    const tables =
      blocks * INDEX_ENTRY_BYTES + this.#leases.length * LEASE_RECORD_BYTES + this.#times.length * TIME_ENTRY_BYTES;
    return (
      Math.max(this.#offset, DELTA_HEADER_BYTES) + pending + tables + 4 * (BLOCK_HEADER_BYTES + 8) + DELTA_TAIL_BYTES
    );
  }

  /** The revision of the last row added; 0 before the first. */
  get lastRevision(): number {
    return this.#sequence.lastRevision;
  }

  /**
   * Adds rows [fromRow, toRow); they are copied. They MUST go on where the last ones ended: the next row of the same
   * revision, or the first row of the next revision.
   * @throws EtcdOpsError DELTA_DAMAGED when they do not; the encoder is then of no more use.
   */
  addRows(block: RowBlock, fromRow = 0, toRow = block.rowCount): void {
    assert(!this.#finished, 'the delta is finished');
    assert(fromRow >= 0 && fromRow <= toRow && toRow <= block.rowCount, 'rows outside of the block');
    if (fromRow === toRow) return;
    const isFirst = this.#sequence.lastRevision === 0;
    this.#sequence.add(block, fromRow, toRow);
    if (isFirst) this.#begin();
    for (const batch of this.#batcher.add(block, fromRow, toRow)) this.#writeRows(batch);
  }

  /** Adds lease records; of several with one id, the last one holds. */
  addLeases(records: readonly LeaseRecord[]): void {
    for (const record of records) this.#leases.push(record);
  }

  /**
   * Says that `revision` and all before it had been seen at `observedMs`. A clock that was set back is held at the latest
   * time known (the times of a delta never run backwards), and of several times of one revision the first holds.
   */
  addTime(revision: number, observedMs: number): void {
    assert(Number.isSafeInteger(observedMs) && observedMs > 0, 'an observed time is milliseconds since the epoch');
    const last = this.#times.at(-1);
    if (last !== undefined && revision <= last.revision) return;
    this.#times.push({ revision, observedMs: Math.max(observedMs, last?.observedMs ?? 0) });
  }

  /**
   * Completes the object. There must be at least one row, and no time outside of the rows' revisions. `contentSha256` is the same
   * whatever the codec. `bytes` are those that no sink took.
   */
  finish(): { bytes: Buffer; facts: DeltaFacts; contentSha256: string } {
    const { firstRevision, lastRevision } = this.#sequence;
    assert(!this.#finished, 'the delta is finished');
    assert(lastRevision > 0, 'a delta has at least one row');
    assert((this.#times[0]?.revision ?? firstRevision) >= firstRevision, 'a time lies before the rows');
    assert((this.#times.at(-1)?.revision ?? lastRevision) <= lastRevision, 'a time lies behind the rows');
    this.#finished = true;
    if (this.#batcher.pendingBytes > 0) this.#writeRows(this.#batcher.take());
    const leases = this.#writeTable('leases', encodeLeaseRecords(this.#leases), this.#leases.length);
    const times = this.#writeTable('times', encodeTimes(this.#times), this.#times.length);
    const index = this.#writeTable('index', encodeIndex(this.#index), this.#index.length)!;
    const { compressionLevel: _, ...identity } = this.#identity;
    const footer: Omit<DeltaFooter, 'sha256'> = {
      ...identity,
      firstRevision,
      lastRevision,
      rowCount: this.#sequence.rowCount,
      rowBytes: this.#rowBytes,
      firstObservedMs: this.#times[0]?.observedMs ?? 0,
      lastObservedMs: this.#times.at(-1)?.observedMs ?? 0,
      lastRevisionRows: this.#sequence.lastRevisionRows,
      lastRevisionDigest: this.#sequence.finishDigest(),
      bytes: this.#offset + DELTA_FOOTER_BYTES + DELTA_SHA256_BYTES,
      rowsBlocks: this.#index.length,
      leaseCount: this.#leases.length,
      timeCount: this.#times.length,
      leases,
      times,
      index,
      headerCrc: this.#headerCrc,
    };
    this.#write(encodeDeltaFooter(footer));
    const sha256 = this.#hash.digest();
    this.#sink(sha256);
    const facts = deltaFacts({ ...footer, sha256: sha256.toString('hex') });
    return { bytes: joinAndFree(this.#parts), facts, contentSha256: this.#content!.hex() };
  }

  #begin(): void {
    const { clusterId, timeline, epoch, codec } = this.#identity;
    const header = encodeDeltaHeader({
      clusterId,
      timeline,
      epoch,
      codec,
      firstRevision: this.#sequence.firstRevision,
    });
    this.#content = new DeltaContentHash({ clusterId, timeline, epoch, firstRevision: this.#sequence.firstRevision });
    this.#headerCrc = header.readUInt32LE(DELTA_HEADER_BYTES - 4);
    this.#write(header);
  }

  #writeRows(batch: RowBatch): void {
    const { rowCount, firstRevision, lastRevision, plain } = batch;
    const offset = this.#offset;
    const length = this.#writeBlock({
      type: 'rows',
      codec: this.#identity.codec,
      plain,
      items: rowCount,
      firstRevision,
      lastRevision,
    });
    this.#index.push({ offset, storedBytes: length - BLOCK_HEADER_BYTES, rowCount, firstRevision, lastRevision });
    this.#rowBytes += plain.length;
  }

  #writeTable(type: 'leases' | 'times' | 'index', plain: Buffer, items: number): BlockSpan | undefined {
    if (items === 0) return undefined;
    const { firstRevision, lastRevision } = this.#sequence;
    const offset = this.#offset;
    // The index is never compressed: its length follows from the number of blocks, so a reader knows it beforehand.
    const codec = type === 'index' ? 'none' : this.#identity.codec;
    return { offset, length: this.#writeBlock({ type, codec, plain, items, firstRevision, lastRevision }) };
  }

  /** Returns the length of block header and stored bytes. */
  #writeBlock(block: BlockInput): number {
    if (block.type !== 'index') this.#content!.add(block.type, block.plain);
    const { header, stored, padding } = encodeBlock(block, this.#identity.compressionLevel);
    this.#write(header);
    this.#write(stored);
    this.#write(padding);
    return header.length + stored.length;
  }

  #write(part: Buffer): void {
    this.#offset += part.length;
    if (this.#offset > DELTA_BYTES_MAX - DELTA_TAIL_BYTES) {
      throw new EtcdOpsError('LIMIT_EXCEEDED', { message: `A delta may not have more than ${DELTA_BYTES_MAX} bytes` });
    }
    this.#hash.update(part);
    this.#sink(part);
  }
}
