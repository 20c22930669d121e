import { status } from '@grpc/grpc-js';
import { EtcdOpsError } from '@etcd-ops/core';
import type { CallToken, EtcdConnection, RpcMethod } from './grpc/connection.ts';
import type { CallStatus } from './grpc/etcd-failure.ts';
import type { RawCall } from './grpc/raw-call.ts';
import { EMPTY_REQUEST } from './wire/requests.ts';
import { decodeSnapshotPart, type SnapshotPart } from './wire/responses.ts';

const METHOD: RpcMethod = { service: 'Maintenance', name: 'Snapshot' };
/** etcd sends 32 KiB messages: up to 2 MiB wait here, so that reading goes on while the consumer writes. */
const QUEUE_MESSAGES_MAX = 64;
/** etcd sends the first part after it opened its read transaction; nothing for this long means that it hangs. */
export const SNAPSHOT_SILENCE_DEFAULT_MS = 60_000;
const TRAILER_BYTES = 32;

export interface SnapshotOptions {
  signal?: AbortSignal | undefined;
  /** How long etcd may be silent while we wait for it. */
  silenceTimeoutMs?: number;
}

/**
 * The bytes of etcd's database file followed by their SHA-256 (32 bytes), as etcd cut them. The hash is not checked here.
 * Leaving the loop early cancels the call.
 * @throws EtcdOpsError SNAPSHOT_INCOMPLETE when the stream ended before the hash; other codes as any call.
 */
export async function* snapshotStream(
  connection: EtcdConnection,
  options: SnapshotOptions,
): AsyncGenerator<Buffer, void, void> {
  for (let login = 0; ; login++) {
    const token = await connection.token(options.signal, METHOD);
    const parts = new SnapshotParts(connection, token, options);
    let received = 0;
    let last: SnapshotPart = { remainingBytes: -1, blob: EMPTY_REQUEST };
    try {
      for (;;) {
        const message = await parts.next();
        if (message === undefined) break;
        last = decodeSnapshotPart(message);
        received += last.blob.length;
        if (last.blob.length > 0) yield last.blob;
      }
    } finally {
      parts.close();
    }
    const outcome = parts.outcome!;
    if (outcome.code === status.OK) {
      if (last.remainingBytes === 0 && last.blob.length === TRAILER_BYTES && received % 512 === TRAILER_BYTES) return;
      throw new EtcdOpsError('SNAPSHOT_INCOMPLETE', {
        message: `The snapshot of ${connection.endpoint} ended after ${received} bytes without its hash`,
      });
    }
    const again = received === 0 && login === 0 && connection.needsLogin(outcome, token);
    if (!again) throw connection.failure(METHOD, outcome, options.signal);
  }
}

/** The messages of one call, queued up to a limit. */
class SnapshotParts {
  outcome: CallStatus | undefined;
  readonly #queue: Buffer[] = [];
  readonly #call: RawCall;
  readonly #silenceTimeoutMs: number;
  #readPending = false;
  #wake: (() => void) | undefined;

  constructor(connection: EtcdConnection, token: CallToken, options: SnapshotOptions) {
    this.#silenceTimeoutMs = options.silenceTimeoutMs ?? SNAPSHOT_SILENCE_DEFAULT_MS;
    this.#call = connection.stream(METHOD, token, {
      signal: options.signal,
      onMessage: (message) => {
        this.#readPending = false;
        this.#queue.push(message);
        this.#readMore();
        this.#wake?.();
      },
      onEnd: (outcome) => {
        this.outcome = outcome;
        this.#wake?.();
      },
    });
    this.#call.send(EMPTY_REQUEST);
    this.#call.halfClose();
    this.#readMore();
  }

  /** The next message; undefined at the end, whose status is then in `outcome`. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      const message = this.#queue.shift();
      if (message !== undefined) {
        this.#readMore();
        return message;
      }
      if (this.outcome !== undefined) return undefined;
      await this.#wait();
    }
  }

  close(): void {
    this.#call.cancel();
  }

  #readMore(): void {
    if (this.#readPending || this.#queue.length >= QUEUE_MESSAGES_MAX) return;
    this.#readPending = true;
    this.#call.readNext();
  }

  async #wait(): Promise<void> {
    const silence = setTimeout(() => {
      const details = `no answer for ${this.#silenceTimeoutMs} ms`;
      this.#call.fail({ code: status.DEADLINE_EXCEEDED, details });
    }, this.#silenceTimeoutMs);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    clearTimeout(silence);
  }
}
