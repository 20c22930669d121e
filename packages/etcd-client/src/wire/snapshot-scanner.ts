import { EtcdOpsError } from '@etcd-ops/core';
import { malformed, WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT } from './byte-reader.ts';

/** Receives the blobs of a snapshot in the pieces that came: `chunk` from `start` to `end`. Called synchronously and in order. */
export type OnBlob = (chunk: Buffer, start: number, end: number) => void;

/** Field numbers of SnapshotResponse (etcd's api/etcdserverpb/rpc.proto); header (1) and version (4) are passed over. */
const REMAINING_BYTES = 2;
const BLOB = 3;
const VARINT_BYTES_MAX = 10;
const LENGTH_BYTES = 4;

/** What the next byte is: of gRPC's prefix (a flag, then a length of 4 bytes) or of a message's fields. */
type Step = 'flag' | 'messageLength' | 'tag' | 'varint' | 'fieldLength';

/**
 * Reads the answer to Snapshot as it comes, cut anywhere: gRPC's length-prefixed messages and the fields in them. A blob is handed on in
 * the pieces that arrive, so that no message is ever put together; of all else only numbers are kept.
 */
export class SnapshotScanner {
  /** `remaining_bytes` and the size of the blob of the newest message. */
  remainingBytes = -1;
  lastBlobBytes = 0;
  /** Of all blobs so far. */
  blobBytes = 0;
  readonly #onBlob: OnBlob;
  readonly #messageBytesMax: number;
  #step: Step = 'flag';
  #number = 0;
  #scale = 1;
  #digits = 0;
  #field = 0;
  #messageLeft = 0;
  /** Bytes of the field at hand that are still to come; they are not looked at. */
  #passing = 0;
  #inBlob = false;
  #blobSeen = false;

  constructor(onBlob: OnBlob, messageBytesMax: number) {
    this.#onBlob = onBlob;
    this.#messageBytesMax = messageBytesMax;
  }

  /** False inside a message. */
  get betweenMessages(): boolean {
    return this.#step === 'flag';
  }

  /** @throws EtcdOpsError ETCD_FAILED when the bytes are malformed, LIMIT_EXCEEDED; blobs before the fault were handed on already. */
  push(chunk: Buffer): void {
    let position = 0;
    while (position < chunk.length) {
      if (this.#passing > 0) position = this.#pass(chunk, position);
      else this.#byte(chunk[position++]!);
    }
  }

  #pass(chunk: Buffer, start: number): number {
    const end = Math.min(start + this.#passing, chunk.length);
    const length = end - start;
    this.#passing -= length;
    this.#messageLeft -= length;
    if (this.#inBlob) {
      this.blobBytes += length;
      this.#onBlob(chunk, start, end);
    }
    if (this.#passing === 0) this.#fieldEnd();
    return end;
  }

  #byte(byte: number): void {
    switch (this.#step) {
      case 'flag':
        if (byte !== 0) throw malformed(byte === 1 ? 'it is compressed' : `${byte} is no flag of a message`);
        this.#expect('messageLength');
        return;
      case 'messageLength':
        this.#number = this.#number * 0x100 + byte;
        if (++this.#digits === LENGTH_BYTES) this.#messageBegin(this.#number);
        return;
      default:
        this.#varintByte(byte);
    }
  }

  #expect(step: Step): void {
    this.#step = step;
    this.#number = 0;
    this.#scale = 1;
    this.#digits = 0;
  }

  #messageBegin(length: number): void {
    if (length > this.#messageBytesMax) {
      throw new EtcdOpsError('LIMIT_EXCEEDED', {
        message: `A message of ${length} bytes is larger than the ${this.#messageBytesMax} that are accepted`,
      });
    }
    this.#messageLeft = length;
    this.remainingBytes = 0;
    this.lastBlobBytes = 0;
    this.#blobSeen = false;
    this.#fieldEnd();
  }

  #varintByte(byte: number): void {
    this.#messageLeft--;
    if (++this.#digits > VARINT_BYTES_MAX) throw malformed(`a number is longer than ${VARINT_BYTES_MAX} bytes`);
    // Beyond 2^53 it loses digits, but stays too large for all that it is compared with.
    this.#number += (byte & 0x7f) * this.#scale;
    this.#scale *= 0x80;
    if (byte < 0x80) this.#numberEnd(this.#number);
    else if (this.#messageLeft === 0) throw malformed('it ends inside a number');
  }

  #numberEnd(value: number): void {
    switch (this.#step) {
      case 'tag':
        this.#tag(value);
        return;
      case 'fieldLength':
        if (value > this.#messageLeft) {
          throw malformed(`${value} bytes are announced and ${this.#messageLeft} are left`);
        }
        this.#fieldBytes(value, this.#field === BLOB);
        return;
      default:
        if (this.#field === REMAINING_BYTES) {
          if (!Number.isSafeInteger(value)) throw malformed('a number is larger than 2^53 or negative');
          this.remainingBytes = value;
        }
        this.#fieldEnd();
    }
  }

  #tag(tag: number): void {
    if (tag < 8 || tag > 0xffff_ffff) throw malformed(`${tag} is no field tag`);
    this.#field = tag >>> 3;
    switch (tag & 7) {
      case WIRE_VARINT:
        this.#expectMore('varint');
        return;
      case WIRE_BYTES:
        this.#expectMore('fieldLength');
        return;
      case WIRE_FIXED64:
        this.#fixed(8);
        return;
      case WIRE_FIXED32:
        this.#fixed(4);
        return;
      default:
        throw malformed(`${tag & 7} is no wire type`);
    }
  }

  #expectMore(step: Step): void {
    if (this.#messageLeft === 0) throw malformed('it ends behind a tag');
    this.#expect(step);
  }

  #fixed(length: number): void {
    if (length > this.#messageLeft) throw malformed('it ends inside a fixed number');
    this.#fieldBytes(length, false);
  }

  #fieldBytes(length: number, isBlob: boolean): void {
    if (isBlob) {
      // Protobuf lets the last one win, but the first is on its way already.
      if (this.#blobSeen) throw malformed('it has two blobs');
      this.#blobSeen = true;
      this.lastBlobBytes = length;
    }
    this.#inBlob = isBlob;
    this.#passing = length;
    if (length === 0) this.#fieldEnd();
  }

  #fieldEnd(): void {
    this.#expect(this.#messageLeft > 0 ? 'tag' : 'flag');
  }
}
