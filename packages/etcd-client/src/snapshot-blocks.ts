import { status } from '@grpc/grpc-js';
import { describeError, EtcdOpsError, isEtcdOpsError } from '@etcd-ops/core';
import type { ByteCall } from './grpc/byte-call.ts';
import { RECEIVE_MESSAGE_BYTES_MAX } from './grpc/channel-options.ts';
import type { CallToken, EtcdConnection, RpcMethod } from './grpc/connection.ts';
import type { CallStatus } from './grpc/etcd-failure.ts';
import { EMPTY_REQUEST } from './wire/requests.ts';
import { SnapshotScanner } from './wire/snapshot-scanner.ts';

export const SNAPSHOT_METHOD: RpcMethod = { service: 'Maintenance', name: 'Snapshot' };
/** What etcd's messages are gathered into; they have 32 KiB. */
const BLOCK_BYTES = 256 * 1024;
/** The first one is handed on at once, so that its owner knows when the snapshot began. */
const FIRST_BLOCK_BYTES = 32 * 1024;
/** So much waits here, so that reading goes on while the consumer writes; beyond it etcd is held back. */
const QUEUE_BLOCKS_MAX = 8;
const TRAILER_BYTES = 32;

export interface SnapshotBlocksOptions {
  signal: AbortSignal | undefined;
  silenceTimeoutMs: number;
  /** See SnapshotOptions. */
  recycle: boolean;
}

/** The blocks of one call for a snapshot, queued up to a limit. */
export class SnapshotBlocks {
  outcome: CallStatus | undefined;
  readonly #connection: EtcdConnection;
  readonly #silenceTimeoutMs: number;
  readonly #recycle: boolean;
  readonly #signal: AbortSignal | undefined;
  readonly #scanner: SnapshotScanner;
  readonly #call: ByteCall;
  readonly #queue: Buffer[] = [];
  readonly #free: Buffer[] = [];
  /** With its owner, who is through with it when it asks for the next one. */
  #given: Buffer | undefined;
  #block: Buffer = Buffer.allocUnsafeSlow(FIRST_BLOCK_BYTES);
  #filled = 0;
  #paused = false;
  #failure: EtcdOpsError | undefined;
  #silence: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;

  constructor(
    connection: EtcdConnection,
    token: CallToken,
    { signal, silenceTimeoutMs, recycle }: SnapshotBlocksOptions,
  ) {
    this.#connection = connection;
    this.#signal = signal;
    this.#silenceTimeoutMs = silenceTimeoutMs;
    this.#recycle = recycle;
    this.#scanner = new SnapshotScanner(
      (chunk, start, end) => this.#gather(chunk, start, end),
      RECEIVE_MESSAGE_BYTES_MAX,
    );
    this.#call = connection.byteCall(SNAPSHOT_METHOD, token, {
      request: EMPTY_REQUEST,
      onData: (chunk) => this.#read(chunk),
      onEnd: (outcome) => this.#end(outcome),
    });
    signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** etcd's own length of it is not known before the end. */
  get receivedBytes(): number {
    return this.#scanner.blobBytes;
  }

  /** True when etcd said that nothing is left, and the last thing it sent was a hash. */
  get isWhole(): boolean {
    const { betweenMessages, remainingBytes, lastBlobBytes, blobBytes } = this.#scanner;
    return (
      betweenMessages && remainingBytes === 0 && lastBlobBytes === TRAILER_BYTES && blobBytes % 512 === TRAILER_BYTES
    );
  }

  /**
   * The next block; undefined at the end, whose status is then in `outcome`.
   * @throws EtcdOpsError ETCD_FAILED or LIMIT_EXCEEDED when what came is no snapshot.
   */
  async next(): Promise<Buffer | undefined> {
    if (this.#recycle && this.#given?.length === BLOCK_BYTES) this.#free.push(this.#given);
    this.#given = undefined;
    for (;;) {
      const block = this.#queue.shift();
      if (block !== undefined) {
        this.#given = block;
        this.#resume();
        return block;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.outcome !== undefined) return undefined;
      await this.#wait();
    }
  }

  /** Ends the call if it has not ended, with its connection. */
  close(): void {
    this.#call.cancel();
  }

  #gather(chunk: Buffer, start: number, end: number): void {
    for (let from = start; from < end;) {
      const length = Math.min(end - from, this.#block.length - this.#filled);
      chunk.copy(this.#block, this.#filled, from, from + length);
      from += length;
      this.#filled += length;
      if (this.#filled === this.#block.length) {
        this.#queue.push(this.#block);
        this.#block = this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
        this.#filled = 0;
      }
    }
  }

  #read(chunk: Buffer): void {
    this.#silence?.refresh();
    try {
      this.#scanner.push(chunk);
    } catch (error) {
      this.#failure = named(error, this.#connection.endpoint);
      this.#call.cancel();
      return;
    }
    if (this.#queue.length >= QUEUE_BLOCKS_MAX && !this.#paused) {
      this.#paused = true;
      this.#call.pause();
    }
    if (this.#queue.length > 0) this.#wake?.();
  }

  #resume(): void {
    if (!this.#paused || this.#queue.length >= QUEUE_BLOCKS_MAX) return;
    this.#paused = false;
    this.#call.resume();
  }

  #end(outcome: CallStatus): void {
    this.#signal?.removeEventListener('abort', this.#abort);
    this.outcome = outcome;
    if (this.#filled > 0) this.#queue.push(this.#block.subarray(0, this.#filled));
    this.#filled = 0;
    this.#wake?.();
  }

  readonly #abort = (): void => {
    this.#call.cancel();
    this.#queue.length = 0;
  };

  async #wait(): Promise<void> {
    const details = `no answer for ${this.#silenceTimeoutMs} ms`;
    this.#silence = setTimeout(() => {
      this.#call.fail({ code: status.DEADLINE_EXCEEDED, details });
    }, this.#silenceTimeoutMs);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    clearTimeout(this.#silence);
    this.#silence = undefined;
  }
}

function named(error: unknown, endpoint: string): EtcdOpsError {
  const code = isEtcdOpsError(error) ? error.code : 'ETCD_FAILED';
  return new EtcdOpsError(code, { message: `Snapshot at ${endpoint}: ${describeError(error)}`, cause: error });
}
