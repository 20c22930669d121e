import { crc32c } from '../base/crc32c.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { fileSource, memorySource, type ByteSource } from './byte-source.ts';
import { ProtoError, ProtoMessage } from './proto-reader.ts';
import { WAL_LENGTH_FIELD_BYTES, WAL_RECORD_TYPES, walLengthField, walPadding } from './wal-format.ts';

/** A record is at most one raft entry; etcd's requests are some MB. What is larger than this is damage. */
const RECORD_BYTES_MAX = 256 * 1024 * 1024;
const RECORDS_MAX = 4_000_000;
/** All records together: etcd begins a new segment at 64 MB. */
const CONTENT_BYTES_MAX = 512 * 1024 * 1024;
const ZEROS = Buffer.alloc(1024 * 1024);

export interface WalEntry {
  /** 0 normal, 1 configuration change, 2 configuration change of the second kind. */
  type: number;
  term: number;
  index: number;
  data: Buffer;
}

export interface WalHardState {
  term: number;
  vote: bigint;
  commit: number;
}

export interface WalSnapshot {
  index: number;
  term: number;
  /** The encoded ConfState, from etcd 3.5 on. */
  confState: Buffer | undefined;
}

/** What one segment of a write-ahead log says. */
export interface WalContent {
  memberId: bigint;
  clusterId: bigint;
  entries: WalEntry[];
  /** The last one. */
  hardState: WalHardState | undefined;
  snapshots: WalSnapshot[];
  recordCount: number;
  /** Where the zeros begin. */
  endOffset: number;
  fileBytes: number;
}

/**
 * Reads and checks one segment file: frames, CRC chain, record shapes, and that nothing but zeros follows the last record.
 * Stricter than etcd, which forgives what a torn write left behind the end: this is for logs that were closed or restored.
 * A cut exactly between two records cannot be told from a shorter log here; checkRaftFiles does that.
 *
 * @throws EtcdOpsError WAL_DAMAGED naming offset and rule.
 */
export function readWal(path: string): WalContent {
  using source = fileSource(path);
  return readWalSource(source, path);
}

/** As readWal, over bytes at hand. */
export function decodeWal(bytes: Buffer, name = 'WAL'): WalContent {
  return readWalSource(memorySource(bytes), name);
}

function readWalSource(source: ByteSource, name: string): WalContent {
  const state = new WalState(source.bytes);
  let offset = 0;
  try {
    while (source.bytes - offset >= WAL_LENGTH_FIELD_BYTES) {
      const lengthField = source.read(offset, WAL_LENGTH_FIELD_BYTES).readBigUInt64LE();
      if (lengthField === 0n) break;
      const recordBytes = checkedRecordLength(lengthField, source.bytes - offset - WAL_LENGTH_FIELD_BYTES);
      const frame = source.read(offset + WAL_LENGTH_FIELD_BYTES, recordBytes + walPadding(recordBytes));
      if (frame.subarray(recordBytes).some((byte) => byte !== 0)) throw new ProtoError('the padding is not zero');
      state.addRecord(frame.subarray(0, recordBytes));
      offset += WAL_LENGTH_FIELD_BYTES + frame.length;
    }
    checkZeroTail(source, offset);
    return state.finish(offset);
  } catch (error) {
    if (!(error instanceof ProtoError)) throw error;
    throw new EtcdOpsError('WAL_DAMAGED', { message: `${name}: at byte ${offset}: ${error.message}`, cause: error });
  }
}

/** Gathers the records of a segment and checks that they make sense one after the other. */
class WalState {
  readonly #fileBytes: number;
  #crc = 0;
  #recordCount = 0;
  #contentBytes = 0;
  #identity: { memberId: bigint; clusterId: bigint } | undefined;
  readonly #entries: WalEntry[] = [];
  #hardState: WalHardState | undefined;
  readonly #snapshots: WalSnapshot[] = [];

  constructor(fileBytes: number) {
    this.#fileBytes = fileBytes;
  }

  addRecord(bytes: Buffer): void {
    const record = new ProtoMessage(bytes, [1, 2, 3]);
    const type = record.number(1);
    const crc = record.number(2);
    const view = record.optionalBytes(3);
    this.#recordCount++;
    this.#contentBytes += view?.length ?? 0;
    if (this.#recordCount > RECORDS_MAX) throw new ProtoError(`more than ${RECORDS_MAX} records`);
    if (this.#contentBytes > CONTENT_BYTES_MAX) throw new ProtoError(`records of more than ${CONTENT_BYTES_MAX} bytes`);
    if (this.#recordCount === 1) {
      if (type !== WAL_RECORD_TYPES.crc) {
        throw new ProtoError(`the first record has type ${type}, not ${WAL_RECORD_TYPES.crc}`);
      }
      if (crc > 0xffff_ffff) throw new ProtoError('the CRC has more than 32 bits');
      // A later segment begins with the CRC that the one before it ended with.
      this.#crc = crc;
    }
    // The window that holds the record is used again.
    const data = view === undefined ? undefined : Buffer.from(view);
    if (data !== undefined) this.#crc = crc32c(data, this.#crc) >>> 0;
    if (crc !== this.#crc) throw new ProtoError(`the CRC is ${hex(crc)}, the records make ${hex(this.#crc)}`);
    this.#interpret(type, data);
  }

  finish(endOffset: number): WalContent {
    if (this.#identity === undefined) throw new ProtoError('no metadata record names the member');
    // A hard state is written right behind the entries of its term.
    const term = this.#hardState?.term ?? Number.MAX_SAFE_INTEGER;
    const above = this.#entries.find((entry) => entry.term > term);
    if (above !== undefined) {
      throw new ProtoError(`entry ${above.index} has the term ${above.term}, the last hard state ${term}`);
    }
    return {
      ...this.#identity,
      entries: this.#entries,
      hardState: this.#hardState,
      snapshots: this.#snapshots,
      recordCount: this.#recordCount,
      endOffset,
      fileBytes: this.#fileBytes,
    };
  }

  #interpret(type: number, data: Buffer | undefined): void {
    if (type === WAL_RECORD_TYPES.crc) {
      if (data !== undefined) throw new ProtoError('a CRC record holds data');
      return;
    }
    if (data === undefined) throw new ProtoError(`a record of type ${type} holds no data`);
    if (this.#recordCount === 2 && type !== WAL_RECORD_TYPES.metadata) {
      throw new ProtoError(`the second record has type ${type}, not metadata`);
    }
    if (type === WAL_RECORD_TYPES.metadata) this.#addMetadata(new ProtoMessage(data, [1, 2]));
    else if (type === WAL_RECORD_TYPES.entry) this.#addEntry(new ProtoMessage(data, [1, 2, 3, 4]));
    else if (type === WAL_RECORD_TYPES.hardState) this.#addHardState(new ProtoMessage(data, [1, 2, 3]));
    else if (type === WAL_RECORD_TYPES.snapshot) this.#addSnapshot(new ProtoMessage(data, [1, 2, 3]));
    else throw new ProtoError(`record type ${type} is unknown`);
  }

  #addMetadata(message: ProtoMessage): void {
    const identity = { memberId: message.varint(1), clusterId: message.varint(2) };
    if (
      this.#identity !== undefined &&
      (this.#identity.memberId !== identity.memberId || this.#identity.clusterId !== identity.clusterId)
    ) {
      throw new ProtoError('two metadata records name different members');
    }
    this.#identity = identity;
  }

  #addEntry(message: ProtoMessage): void {
    const entry = {
      type: message.number(1),
      term: message.number(2),
      index: message.number(3),
      data: message.optionalBytes(4) ?? Buffer.alloc(0),
    };
    if (entry.type > 2) throw new ProtoError(`entry type ${entry.type} is unknown`);
    const before = this.#entries.at(-1);
    // A new leader may write an index again, with any term, but never skips one.
    if (before !== undefined && entry.index > before.index + 1) {
      throw new ProtoError(`entry ${entry.index} follows entry ${before.index}`);
    }
    if (before !== undefined && entry.index === before.index + 1 && entry.term < before.term) {
      throw new ProtoError(`the term falls from ${before.term} to ${entry.term} at entry ${entry.index}`);
    }
    this.#entries.push(entry);
  }

  #addHardState(message: ProtoMessage): void {
    const hardState = { term: message.number(1), vote: message.varint(2), commit: message.number(3) };
    const before = this.#hardState;
    if (before !== undefined && (hardState.term < before.term || hardState.commit < before.commit)) {
      throw new ProtoError(
        `the hard state falls from term ${before.term}, commit ${before.commit} to ${hardState.term}, ${hardState.commit}`,
      );
    }
    this.#hardState = hardState;
  }

  #addSnapshot(message: ProtoMessage): void {
    this.#snapshots.push({ index: message.number(1), term: message.number(2), confState: message.optionalBytes(3) });
  }
}

function checkedRecordLength(lengthField: bigint, bytesLeft: number): number {
  const recordBytes = Number(lengthField & 0x00ff_ffff_ffff_ffffn);
  if (recordBytes > RECORD_BYTES_MAX) throw new ProtoError(`a record of ${recordBytes} bytes is not possible`);
  if (lengthField !== walLengthField(recordBytes)) {
    throw new ProtoError(`the length field ${hex(lengthField)} is not one`);
  }
  if (recordBytes + walPadding(recordBytes) > bytesLeft) {
    throw new ProtoError(`a record of ${recordBytes} bytes ends behind the file`);
  }
  return recordBytes;
}

function checkZeroTail(source: ByteSource, start: number): void {
  for (let offset = start; offset < source.bytes; offset += ZEROS.length) {
    const length = Math.min(ZEROS.length, source.bytes - offset);
    if (!source.read(offset, length).equals(ZEROS.subarray(0, length))) {
      throw new ProtoError('bytes follow the end of the log');
    }
  }
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
