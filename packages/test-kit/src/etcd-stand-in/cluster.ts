import { bytesField, numberField, parseFields } from './proto.ts';
import { AUTH_REVISION, type StandInRows } from './rows.ts';

const VERSION = '3.5.16';
const RAFT_TERM = 2;
/** etcd sends a watch that begins in the past so many revisions at a time. */
const BACKLOG_MAX = 1_000;
/** A watch id of etcd for what is said about all watches of a stream. */
const ALL_WATCHES = -1;

/** A failure of gRPC: its status and text. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const FUTURE = 'etcdserver: mvcc: required revision is a future revision';
export const OUT_OF_RANGE = 11;
export const UNIMPLEMENTED = 12;

export type Send = (message: Buffer) => void;

/** One cluster of one member without compactions. */
export class StandInCluster {
  readonly id: bigint;
  readonly memberId: bigint;
  revision: number;
  readonly #rows: StandInRows;
  readonly #watches = new Set<Send>();

  constructor(index: number, revision: number, rows: StandInRows) {
    this.id = 0xc1_0000_0000n + BigInt(index);
    this.memberId = 0x3e_0000_0000n + BigInt(index);
    this.revision = revision;
    this.#rows = rows;
  }

  /** Watches that are open now. */
  get watches(): number {
    return this.#watches.size;
  }

  put(): void {
    const message = this.#events(++this.revision, this.revision);
    for (const send of this.#watches) send(message);
  }

  /** The answer to a call of one request and one answer. */
  async answer(method: string, request: Buffer): Promise<Buffer> {
    switch (method) {
      case 'KV/Range':
        return this.#range(request);
      case 'Maintenance/Status':
        return this.#status();
      case 'Maintenance/HashKV':
        return await this.#hashKv(request);
      case 'Cluster/MemberList':
        return Buffer.concat([
          this.header(),
          bytesField(2, Buffer.concat([numberField(1, this.memberId), bytesField(2, 'stand-in')])),
        ]);
      case 'Auth/AuthStatus':
        return Buffer.concat([this.header(), numberField(3, AUTH_REVISION)]);
      case 'Lease/LeaseTimeToLive':
        return Buffer.concat([
          this.header(),
          numberField(2, parseFields(request).numbers.get(1) ?? 0n),
          numberField(3, -1),
        ]);
      case 'Lease/LeaseLeases':
      case 'Maintenance/Alarm':
        return this.header();
      default:
        throw new Refusal(UNIMPLEMENTED, `unknown method ${method}`);
    }
  }

  /** What the client sends on a stream of watches; returns the end of what it began. */
  watchRequest(request: Buffer, send: Send): (() => void) | undefined {
    const fields = parseFields(request);
    const create = fields.bytes.get(1);
    if (fields.bytes.has(3)) send(Buffer.concat([this.header(), numberField(2, ALL_WATCHES)]));
    if (create === undefined) return undefined;
    const from = Number(parseFields(create).numbers.get(3) ?? 0n) || this.revision + 1;
    send(Buffer.concat([this.header(), numberField(3, true)]));
    for (let first = from; first <= this.revision; first += BACKLOG_MAX) {
      send(this.#events(first, Math.min(this.revision, first + BACKLOG_MAX - 1)));
    }
    // One that begins behind all there ever will be is a question about rights.
    if (from > this.revision + BACKLOG_MAX) return undefined;
    this.#watches.add(send);
    return () => this.#watches.delete(send);
  }

  /** SnapshotResponses, as etcd cuts them: the file, then its SHA-256. */
  async *snapshot(): AsyncGenerator<Buffer> {
    const chunkBytes = 32 * 1024;
    const { bytes, sha256 } = await this.#rows.file(this.revision);
    for (let offset = 0; offset < bytes.length; offset += chunkBytes) {
      const blob = bytes.subarray(offset, offset + chunkBytes);
      yield Buffer.concat([this.header(), numberField(2, bytes.length - offset - blob.length), bytesField(3, blob)]);
    }
    yield Buffer.concat([this.header(), bytesField(3, sha256)]);
  }

  header(): Buffer {
    return bytesField(
      1,
      Buffer.concat([
        numberField(1, this.id),
        numberField(2, this.memberId),
        numberField(3, this.revision),
        numberField(4, RAFT_TERM),
      ]),
    );
  }

  #events(first: number, last: number): Buffer {
    const parts = [this.header()];
    for (let revision = first; revision <= last; revision++) {
      parts.push(bytesField(11, bytesField(2, this.#rows.keyValue(revision))));
    }
    return Buffer.concat(parts);
  }

  #range(request: Buffer): Buffer {
    const revision = Number(parseFields(request).numbers.get(4) ?? 0n);
    if (revision > this.revision) throw new Refusal(OUT_OF_RANGE, FUTURE);
    return this.header();
  }

  #status(): Buffer {
    const dbBytes = this.#rows.bytesAt(this.revision);
    const index = this.revision + 10;
    return Buffer.concat([
      this.header(),
      bytesField(2, VERSION),
      numberField(3, dbBytes),
      numberField(4, this.memberId),
      numberField(5, index),
      numberField(6, RAFT_TERM),
      numberField(7, index),
      numberField(9, dbBytes),
    ]);
  }

  async #hashKv(request: Buffer): Promise<Buffer> {
    const revision = Number(parseFields(request).numbers.get(1) ?? 0n) || this.revision;
    if (revision > this.revision) throw new Refusal(OUT_OF_RANGE, FUTURE);
    const { hash } = await this.#rows.file(revision);
    return Buffer.concat([this.header(), numberField(2, hash), numberField(3, -1)]);
  }
}
