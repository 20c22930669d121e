import { status, type Channel, type InterceptingListener, type Metadata } from '@grpc/grpc-js';
import type { CallStatus } from './etcd-failure.ts';

export interface RawCallOptions {
  channel: Channel;
  /** `/etcdserverpb.KV/Range` */
  path: string;
  metadata: Metadata;
  /** Of the whole call; a stream without end has none. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  /** Bytes of one message; the next one comes only after `readNext`. */
  onMessage(message: Buffer): void;
  /** Once, at the end; code 0 is success. */
  onEnd(status: CallStatus): void;
}

/**
 * One gRPC call below grpc-js's stream classes: messages are the bytes themselves, and each is asked for, so that a reader that
 * pauses holds back the server (HTTP/2 flow control) instead of filling a queue of up to 16 decoded messages.
 */
export class RawCall {
  readonly #call: ReturnType<Channel['createCall']>;
  readonly #options: RawCallOptions;
  #ended = false;

  constructor(options: RawCallOptions) {
    const { channel, path, metadata, timeoutMs, signal } = options;
    this.#options = options;
    const deadline = timeoutMs === undefined ? Infinity : Date.now() + timeoutMs;
    this.#call = channel.createCall(path, deadline, null, null, null);
    const abort = () => this.cancel();
    const listener: InterceptingListener = {
      onReceiveMetadata: () => {},
      onReceiveMessage: (message: Buffer) => {
        if (!this.#ended) options.onMessage(message);
      },
      onReceiveStatus: ({ code, details }) => {
        signal?.removeEventListener('abort', abort);
        if (this.#ended) return;
        this.#ended = true;
        options.onEnd({ code, details });
      },
    };
    this.#call.start(metadata, listener);
    if (signal?.aborted === true) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  }

  send(message: Buffer): void {
    if (!this.#ended) this.#call.sendMessageWithContext({}, message);
  }

  /** Nothing more is sent. */
  halfClose(): void {
    if (!this.#ended) this.#call.halfClose();
  }

  readNext(): void {
    if (!this.#ended) this.#call.startRead();
  }

  cancel(): void {
    this.fail({ code: status.CANCELLED, details: 'cancelled here' });
  }

  /** Ends the call from this side with a status of our own. */
  fail(outcome: CallStatus): void {
    if (this.#ended) return;
    this.#call.cancelWithStatus(outcome.code, outcome.details);
  }

  get path(): string {
    return this.#options.path;
  }
}
