import { crc32c } from '../base/crc32c.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { Yielder } from '../base/yielding.ts';
import { fileSource, type ByteSource } from '../datadir/byte-source.ts';
import { ProtoError, ProtoMessage } from '../datadir/proto-reader.ts';
import { WAL_LENGTH_FIELD_BYTES, WAL_RECORD_TYPES, walLengthField, walPadding } from '../datadir/wal-format.ts';
import type { WalSegment } from './wal-segments.ts';

/** etcd writes in sectors of this size: a record of which one is all zeros never reached the disk (etcd server/storage/wal). */
const SECTOR_BYTES = 512;

export interface WalSnapshotMark {
  index: number;
  term: number;
}

/** What a whole write-ahead log says, all segments together. */
export interface WalSummary {
  memberId: bigint;
  clusterId: bigint;
  segments: number;
  bytes: number;
  /** Entries are there without a hole from this index on; undefined when there is none. */
  entriesFrom: number | undefined;
  /** The last entry; undefined when there is none. */
  lastIndex: number | undefined;
  hardState: { term: number; commit: number } | undefined;
  snapshots: WalSnapshotMark[];
  /** A last record that was not written whole: etcd cuts it off at its next start. */
  torn: { path: string; offset: number; rule: string } | undefined;
}

/** An entry as it is met; `data` is a view for the time of the call. */
export interface ScannedEntry {
  /** 0 normal, else a change of the membership. */
  type: number;
  index: number;
  data: Buffer;
}

/**
 * Reads all segments as etcd does when it starts, with its forgiveness: behind the end of the last segment anything may lie, and a
 * last record that a crash tore is no damage. Everything before must hold: frames, the CRC chain over the segments, one identity,
 * indexes that go on. Memory is bounded by the largest record.
 *
 * @throws EtcdOpsError WAL_DAMAGED naming segment, offset and rule.
 */
export async function scanWal(
  segments: readonly WalSegment[],
  signal?: AbortSignal,
  onEntry?: (entry: ScannedEntry) => void,
): Promise<WalSummary> {
  const scan = new WalScan(onEntry);
  const yielder = new Yielder({ signal });
  for (const [position, { path }] of segments.entries()) {
    using source = fileSource(path);
    const isLast = position === segments.length - 1;
    let offset = 0;
    scan.beginSegment(source.bytes);
    try {
      for (;;) {
        const frame = readFrame(source, offset);
        if (frame === undefined) break;
        scan.add(frame.record);
        offset += frame.bytes;
        if (yielder.due(frame.bytes)) await yielder.turn();
      }
    } catch (error) {
      if (!(error instanceof ProtoError)) throw error;
      const rule = error.message;
      if (!isLast || !isTorn(source, offset, error)) {
        throw new EtcdOpsError('WAL_DAMAGED', { message: `${path}: at byte ${offset}: ${rule}`, cause: error });
      }
      scan.torn = { path, offset, rule };
    }
  }
  return scan.finish(segments);
}

class FrameBeyondEnd extends ProtoError {}

interface Frame {
  record: Buffer;
  /** With length field and padding. */
  bytes: number;
}

/** The record at `offset` with its padding; undefined where the zeros begin. */
function readFrame(source: ByteSource, offset: number): Frame | undefined {
  if (source.bytes - offset < WAL_LENGTH_FIELD_BYTES) return undefined;
  const lengthField = source.read(offset, WAL_LENGTH_FIELD_BYTES).readBigUInt64LE();
  if (lengthField === 0n) return undefined;
  const recordBytes = Number(lengthField & 0x00ff_ffff_ffff_ffffn);
  const padding = walPadding(recordBytes);
  if (recordBytes + padding > source.bytes - offset - WAL_LENGTH_FIELD_BYTES) {
    throw new FrameBeyondEnd(`a record of ${recordBytes} bytes ends behind the file`);
  }
  if (lengthField !== walLengthField(recordBytes)) {
    throw new ProtoError(`the length field 0x${lengthField.toString(16)} is not one`);
  }
  const record = source.read(offset + WAL_LENGTH_FIELD_BYTES, recordBytes);
  return { record, bytes: WAL_LENGTH_FIELD_BYTES + recordBytes + padding };
}

/** etcd's rule (wal/decoder.go, isTornEntry): the file ends inside of the record, or one of its sectors holds nothing but zeros. */
function isTorn(source: ByteSource, offset: number, error: ProtoError): boolean {
  if (error instanceof FrameBeyondEnd) return true;
  let start = offset + WAL_LENGTH_FIELD_BYTES;
  const recordBytes = Number(source.read(offset, WAL_LENGTH_FIELD_BYTES).readBigUInt64LE() & 0x00ff_ffff_ffff_ffffn);
  const end = start + recordBytes + walPadding(recordBytes);
  while (start < end) {
    const length = Math.min(SECTOR_BYTES - (start % SECTOR_BYTES), end - start);
    if (source.read(start, length).every((byte) => byte === 0)) return true;
    start += length;
  }
  return false;
}

class WalScan {
  torn: WalSummary['torn'];
  #crc: number | undefined;
  #bytes = 0;
  #records = 0;
  #identity: { memberId: bigint; clusterId: bigint } | undefined;
  #entriesFrom: number | undefined;
  #lastIndex: number | undefined;
  #hardState: WalSummary['hardState'];
  readonly #snapshots: WalSnapshotMark[] = [];
  readonly #onEntry: ((entry: ScannedEntry) => void) | undefined;

  constructor(onEntry: ((entry: ScannedEntry) => void) | undefined) {
    this.#onEntry = onEntry;
  }

  beginSegment(bytes: number): void {
    this.#bytes += bytes;
    this.#records = 0;
  }

  add(bytes: Buffer): void {
    const record = new ProtoMessage(bytes, [1, 2, 3]);
    const type = record.number(1);
    const crc = record.number(2);
    const data = record.optionalBytes(3);
    this.#records++;
    if (type === WAL_RECORD_TYPES.crc) {
      // The first segment that is left begins with the CRC of those that were purged.
      if (this.#crc !== undefined && crc !== this.#crc) throw new ProtoError('the CRC does not go on from before');
      this.#crc = crc;
      return;
    }
    if (this.#records === 1) throw new ProtoError(`the first record has type ${type}, not that of a CRC`);
    if (data !== undefined) this.#crc = crc32c(data, this.#crc ?? 0) >>> 0;
    if (crc !== this.#crc) {
      throw new ProtoError(`the CRC is 0x${crc.toString(16)}, the records make 0x${(this.#crc ?? 0).toString(16)}`);
    }
    this.#interpret(type, data ?? Buffer.alloc(0));
  }

  finish(segments: readonly WalSegment[]): WalSummary {
    if (this.#identity === undefined) {
      const { torn } = this;
      const why = torn === undefined ? '' : `; it breaks off at byte ${torn.offset}: ${torn.rule}`;
      throw new EtcdOpsError('WAL_DAMAGED', {
        message: `${torn?.path ?? segments[0]?.path ?? 'The write-ahead log'}: no record names the member${why}`,
      });
    }
    return {
      ...this.#identity,
      segments: segments.length,
      bytes: this.#bytes,
      entriesFrom: this.#entriesFrom,
      lastIndex: this.#lastIndex,
      hardState: this.#hardState,
      snapshots: this.#snapshots,
      torn: this.torn,
    };
  }

  #interpret(type: number, data: Buffer): void {
    switch (type) {
      case WAL_RECORD_TYPES.metadata: {
        const metadata = new ProtoMessage(data, [1, 2]);
        return this.#identify({ memberId: metadata.varint(1), clusterId: metadata.varint(2) });
      }
      case WAL_RECORD_TYPES.entry: {
        const entry = new ProtoMessage(data, [1, 2, 3, 4]);
        const index = entry.number(3);
        this.#addEntry(index);
        this.#onEntry?.({ type: entry.number(1), index, data: entry.optionalBytes(4) ?? Buffer.alloc(0) });
        return;
      }
      case WAL_RECORD_TYPES.hardState: {
        const state = new ProtoMessage(data, [1, 2, 3]);
        this.#hardState = { term: state.number(1), commit: state.number(3) };
        return;
      }
      case WAL_RECORD_TYPES.snapshot: {
        const snapshot = new ProtoMessage(data, [1, 2, 3]);
        this.#snapshots.push({ index: snapshot.number(1), term: snapshot.number(2) });
        return;
      }
      default:
        throw new ProtoError(`record type ${type} is unknown`);
    }
  }

  #identify(found: { memberId: bigint; clusterId: bigint }): void {
    const before = this.#identity;
    if (before !== undefined && (before.memberId !== found.memberId || before.clusterId !== found.clusterId)) {
      throw new ProtoError('two metadata records name different members');
    }
    this.#identity = found;
  }

  /** A new leader writes indexes again; behind a snapshot from the leader, entries begin anew above it. */
  #addEntry(index: number): void {
    if (this.#lastIndex === undefined || this.#entriesFrom === undefined || index > this.#lastIndex + 1) {
      this.#entriesFrom = index;
    } else if (index < this.#entriesFrom) {
      this.#entriesFrom = index;
    }
    this.#lastIndex = index;
  }
}
