import { status } from '@grpc/grpc-js';
import { isEtcdOpsError } from '@etcd-ops/core';
import { REQUIRE_LEADER, type CallToken, type EtcdConnection } from './grpc/connection.ts';
import type { CallStatus } from './grpc/etcd-failure.ts';
import type { MessageCall } from './grpc/message-call.ts';
import { endOfFailure, endOfStream, tellEnd, WATCH_METHOD, type WatchEnd } from './watch-end.ts';
import { encodeWatchCreate, encodeWatchProgress } from './wire/requests.ts';
import type { ResponseHeader } from './wire/responses.ts';
import { WatchScanner, type RowSink, type WatchResponseFacts } from './wire/watch-scanner.ts';

/** Receives a watch: called synchronously per response and in order. What it throws ends the watch. */
export interface WatchSink extends RowSink {
  /** etcd accepted the watch. `headerRevision` is the store's revision then. */
  created(headerRevision: number, clusterId: bigint, memberId: bigint): void;
  /** The end of one response; `complete` is false while the last revision goes on in the next response (`fragment`). */
  batch(complete: boolean, headerRevision: number): void;
  /** etcd says how far the store is, without events. */
  progress(headerRevision: number): void;
}

export interface WatchOptions {
  /** The first revision wanted, at least 1. One above the store's is accepted by etcd without a word. */
  startRevision: number;
  /** Lets etcd split large responses: see WatchSink.batch. */
  fragment?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** How long etcd may take to accept the watch; default `requestTimeoutMs`. */
  createTimeoutMs?: number | undefined;
  sink: WatchSink;
}

/**
 * One watch over all keys, on a stream of its own, with require-leader. At most one response waits in memory: the next is asked for
 * when the sink is through with it, and `pause` stops that, which holds back etcd by HTTP/2 flow control.
 * A watch paused for long makes etcd hold events in memory: cancel it instead and resume from the last complete revision.
 */
export class Watch {
  /** Settles when the watch has ended, for whatever reason; never rejects. */
  readonly closed: Promise<WatchEnd>;
  readonly #connection: EtcdConnection;
  readonly #options: WatchOptions;
  readonly #scanner: WatchScanner;
  readonly #onHeader: (header: ResponseHeader) => void;
  #resolve!: (end: WatchEnd) => void;
  #call: MessageCall | undefined;
  #token: CallToken | undefined;
  #createTimer: NodeJS.Timeout | undefined;
  #created = false;
  #loggedInAgain = false;
  #paused = false;
  #readWanted = false;
  #ended = false;

  constructor(connection: EtcdConnection, options: WatchOptions, onHeader: (header: ResponseHeader) => void) {
    this.#connection = connection;
    this.#options = options;
    this.#onHeader = onHeader;
    this.#scanner = new WatchScanner(options.sink);
    this.closed = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    options.signal?.addEventListener('abort', this.#abort, { once: true });
    if (options.signal?.aborted === true) this.cancel();
    else void this.#open();
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** No response is handed over from the next one on. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (this.#readWanted) this.#readNext();
  }

  /** Ends the watch as `aborted`; no row comes after this. */
  cancel(): void {
    this.#end({ kind: 'aborted' });
  }

  /** Asks etcd for a `progress`. Before etcd 3.4.25 and 3.5.8 the answer may overtake events. */
  requestProgress(): void {
    this.#call?.send(encodeWatchProgress());
  }

  readonly #abort = (): void => this.cancel();

  async #open(): Promise<void> {
    const {
      signal,
      startRevision,
      fragment = false,
      createTimeoutMs = this.#connection.requestTimeoutMs,
    } = this.#options;
    try {
      const token = await this.#connection.token(signal, WATCH_METHOD);
      this.#token = token;
      if (this.#ended) return;
      const call = this.#connection.stream(WATCH_METHOD, token, {
        ...REQUIRE_LEADER,
        onMessage: (message) => this.#onMessage(call, message),
        onEnd: (outcome) => this.#onEnd(call, outcome),
      });
      this.#call = call;
      call.send(encodeWatchCreate({ startRevision, fragment }));
      clearTimeout(this.#createTimer);
      this.#createTimer = setTimeout(() => {
        call.fail({ code: status.DEADLINE_EXCEEDED, details: `no answer for ${createTimeoutMs} ms` });
      }, createTimeoutMs);
      this.#readNext();
    } catch (error) {
      this.#fail(error);
    }
  }

  #readNext(): void {
    this.#readWanted = this.#paused;
    if (!this.#paused) this.#call?.readNext();
  }

  #onMessage(call: MessageCall, message: Buffer): void {
    if (this.#ended || call !== this.#call) return;
    try {
      const facts = this.#scanner.scan(message);
      if (!this.#ended) this.#deliver(facts);
    } catch (error) {
      this.#fail(error);
    }
    // The call is another one when the login ran out.
    if (!this.#ended && call === this.#call) this.#readNext();
  }

  #deliver(facts: WatchResponseFacts): void {
    const { header } = facts;
    const revision = header?.revision ?? 0;
    if (header !== undefined) this.#onHeader(header);
    if (facts.canceled) {
      this.#onCanceled(facts);
    } else if (facts.created) {
      clearTimeout(this.#createTimer);
      this.#created = true;
      this.#options.sink.created(revision, header?.clusterId ?? 0n, header?.memberId ?? 0n);
      if (facts.eventCount > 0 && !this.#ended) this.#options.sink.batch(!facts.fragment, revision);
    } else if (facts.eventCount > 0) {
      this.#options.sink.batch(!facts.fragment, revision);
    } else {
      this.#options.sink.progress(revision);
    }
  }

  #onCanceled({ compactRevision, cancelReason }: WatchResponseFacts): void {
    const failure: CallStatus = { code: status.UNKNOWN, details: cancelReason };
    if (this.#loginAgain(failure)) return;
    const isRefusal = compactRevision === 0 && cancelReason !== '' && !this.#created;
    const error = this.#connection.failure(WATCH_METHOD, failure);
    // Rights and a missing leader are failures of their own, and not the watch's history.
    if (isRefusal && isEtcdOpsError(error) && error.code !== 'ETCD_FAILED') this.#end({ kind: 'error', error });
    else if (error.code === 'ETCD_NO_LEADER') this.#end({ kind: 'error', error });
    else this.#end({ kind: 'canceled', ...(compactRevision > 0 && { compactRevision }), reason: cancelReason });
  }

  /** A token that ran out: the watch is opened once more with a fresh one, if nothing has come yet. */
  #loginAgain(failure: CallStatus): boolean {
    if (this.#created || this.#loggedInAgain || this.#token === undefined) return false;
    if (!this.#connection.needsLogin(failure, this.#token)) return false;
    this.#loggedInAgain = true;
    const refused = this.#call;
    this.#call = undefined;
    refused?.cancel();
    void this.#open();
    return true;
  }

  #onEnd(call: MessageCall, outcome: CallStatus): void {
    if (this.#ended || call !== this.#call || this.#loginAgain(outcome)) return;
    this.#end(endOfStream(this.#connection, outcome));
  }

  #fail(error: unknown): void {
    this.#end(endOfFailure(this.#connection, error, this.#options.signal));
  }

  #end(end: WatchEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#scanner.stopped = true;
    clearTimeout(this.#createTimer);
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#call?.cancel();
    tellEnd(end, this.#resolve);
  }
}
