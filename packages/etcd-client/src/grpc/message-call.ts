import { status } from '@grpc/grpc-js';
import { freeBuffer } from '@etcd-ops/core';
import { ByteCall, PREFIX_BYTES, type ByteCallOptions } from './byte-call.ts';
import { RECEIVE_MESSAGE_BYTES_MAX } from './channel-options.ts';
import type { CallStatus } from './etcd-failure.ts';

export interface MessageCallOptions extends Omit<ByteCallOptions, 'request' | 'onData'> {
  /** One message, valid only during the call; the next one comes only after `readNext`. */
  onMessage(message: Buffer): void;
}

/** What is allocated for messages that come in pieces is a multiple of this, so that the next one, hardly larger, fits as well. */
const BUFFER_BYTES_STEP = 256 * 1024;
const NOTHING = Buffer.alloc(0);

/**
 * One gRPC stream of messages to and from a server. Each message is asked for, so that a reader that pauses holds back the server
 * (HTTP/2 flow control). It lies where the socket was read into, or is put together in one buffer that is used for all of them and given
 * back when nothing more is on its way.
 */
export class MessageCall {
  readonly #options: MessageCallOptions;
  readonly #call: ByteCall;
  /** What came and was not looked at yet. */
  #chunk: Buffer = NOTHING;
  #position = 0;
  /** Of the message at hand: how much of its prefix is read, its length, and what is gathered of it. */
  #prefixBytes = 0;
  #length = 0;
  #gathered = 0;
  #buffer: Buffer = NOTHING;
  #wanted = false;
  #reading = false;
  #paused = false;
  #ended = false;

  constructor(options: MessageCallOptions) {
    this.#options = options;
    this.#call = new ByteCall({
      ...options,
      request: undefined,
      onData: (chunk) => {
        this.#chunk = chunk;
        this.#position = 0;
        this.#read();
      },
      onEnd: (outcome) => this.#end(outcome),
    });
  }

  send(message: Buffer): void {
    this.#call.send(message);
  }

  /** Never hands a message over before it returns. */
  readNext(): void {
    this.#wanted = true;
    if (!this.#paused || this.#reading) return;
    this.#paused = false;
    setImmediate(() => {
      this.#read();
      if (!this.#paused) this.#call.resume();
    });
  }

  cancel(): void {
    this.#call.cancel();
  }

  /** Ends the call from this side with a status of our own. */
  fail(outcome: CallStatus): void {
    this.#call.fail(outcome);
  }

  /** Hands on what is whole and wanted. */
  #read(): void {
    this.#reading = true;
    try {
      while (!this.#ended && this.#position < this.#chunk.length) {
        if (!this.#wanted) return this.#pause();
        const message = this.#next();
        if (message === undefined) continue;
        this.#wanted = false;
        this.#options.onMessage(message);
      }
    } finally {
      this.#reading = false;
    }
    this.#chunk = NOTHING;
    if (this.#prefixBytes === 0 || this.#ended) this.#free();
  }

  /** Between two messages: only who got one does not want the next. */
  #pause(): void {
    this.#free();
    this.#paused = true;
    this.#call.pause();
  }

  /** A step further in the chunk; a message when one is whole. */
  #next(): Buffer | undefined {
    if (this.#prefixBytes < PREFIX_BYTES) {
      if (!this.#prefix(this.#chunk[this.#position++]!)) return undefined;
    }
    const chunk = this.#chunk;
    const left = this.#length - this.#gathered;
    const end = Math.min(this.#position + left, chunk.length);
    const start = this.#position;
    this.#position = end;
    const isWhole = end - start === left;
    if (isWhole && this.#gathered === 0) {
      this.#prefixBytes = 0;
      return chunk.subarray(start, end);
    }
    if (this.#gathered === 0) this.#reserve(this.#length);
    chunk.copy(this.#buffer, this.#gathered, start, end);
    this.#gathered += end - start;
    if (!isWhole) return undefined;
    this.#gathered = 0;
    this.#prefixBytes = 0;
    return this.#buffer.subarray(0, this.#length);
  }

  /** Takes a byte of the prefix; true when that was the last one. */
  #prefix(byte: number): boolean {
    if (this.#prefixBytes++ === 0) {
      this.#length = 0;
      if (byte !== 0) this.fail({ code: status.INTERNAL, details: 'a message is compressed, or is none of gRPC' });
      return false;
    }
    this.#length = this.#length * 0x100 + byte;
    if (this.#prefixBytes < PREFIX_BYTES) return false;
    if (this.#length <= RECEIVE_MESSAGE_BYTES_MAX) return true;
    const details = `a message of ${this.#length} bytes is larger than max (${RECEIVE_MESSAGE_BYTES_MAX})`;
    this.fail({ code: status.RESOURCE_EXHAUSTED, details });
    return false;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    this.#free();
    this.#buffer = Buffer.allocUnsafeSlow(Math.ceil(bytes / BUFFER_BYTES_STEP) * BUFFER_BYTES_STEP);
  }

  #free(): void {
    const buffer = this.#buffer;
    this.#buffer = NOTHING;
    freeBuffer(buffer);
  }

  #end(outcome: CallStatus): void {
    this.#ended = true;
    if (!this.#reading) {
      this.#chunk = NOTHING;
      this.#free();
    }
    this.#options.onEnd(outcome);
  }
}
