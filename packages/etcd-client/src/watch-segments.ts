import { status } from '@grpc/grpc-js';
import { freeBuffer } from '@etcd-ops/core';
import { REQUIRE_LEADER, type EtcdConnection } from './grpc/connection.ts';
import type { CallStatus } from './grpc/etcd-failure.ts';
import type { MessageCall } from './grpc/message-call.ts';
import { peekWatchResponse, type WatchPeek } from './watch-segments-peek.ts';
import { SegmentQueue, type QueuedResponse, type SegmentLimits } from './watch-segments-queue.ts';
import { endOfFailure, endOfStream, tellEnd, WATCH_METHOD, type WatchEnd } from './watch-end.ts';
import type { WatchOptions, WatchSink } from './watch.ts';
import { encodeWatchCancel, encodeWatchCreate } from './wire/requests.ts';
import type { ResponseHeader } from './wire/responses.ts';
import { WatchScanner } from './wire/watch-scanner.ts';

export interface SegmentedWatchOptions extends WatchOptions {
  /** The store's revision, as it is known; responses name newer ones. */
  headRevision: number;
  segments: SegmentLimits;
}

const NOTHING = Buffer.alloc(0);

/**
 * A watch that begins far behind. etcd serves one watch id 1,000 revisions per tick (100 ms) and reads the whole backlog anew for
 * each tick, under its store lock. So the backlog is asked for as many short segments, each with an id of its own on ONE stream
 * (a fork cannot happen inside it): they come in few ticks, are put in order here, and the last id stays open as the tail. The sink
 * sees what a plain watch from the same revision would deliver.
 *
 * With `fragment`, ids are created one at a time: etcd does not honour it for a batch that is ready before its `created` was sent.
 * Without, all at once: the more of them one tick serves, the fewer ticks there are.
 */
export class SegmentedWatch {
  /** Settles when the watch has ended, for whatever reason; never rejects. */
  readonly closed: Promise<WatchEnd>;
  readonly #connection: EtcdConnection;
  readonly #options: SegmentedWatchOptions;
  readonly #onHeader: (header: ResponseHeader) => void;
  readonly #queue: SegmentQueue;
  readonly #scanner: WatchScanner;
  readonly #clip = { first: 0, last: 0, rows: 0 };
  #resolve!: (end: WatchEnd) => void;
  #call: MessageCall | undefined;
  #createTimer: NodeJS.Timeout | undefined;
  readonly #creating = new Set<number>();
  #created = false;
  #paused = false;
  #reading = false;
  #delivering = false;
  #ended = false;

  constructor(connection: EtcdConnection, options: SegmentedWatchOptions, onHeader: (header: ResponseHeader) => void) {
    this.#connection = connection;
    this.#options = options;
    this.#onHeader = onHeader;
    this.#queue = new SegmentQueue(options.startRevision, options.headRevision, options.segments);
    this.#scanner = new WatchScanner(clipped(options.sink, this.#clip));
    this.closed = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    options.signal?.addEventListener('abort', this.#abort, { once: true });
    if (options.signal?.aborted === true) this.cancel();
    else void this.#open();
  }

  /** No response is handed over from the next one on, none is asked for, and no segment is opened. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliver();
  }

  /** Ends the watch as `aborted`; no row comes after this. */
  cancel(): void {
    this.#end({ kind: 'aborted' });
  }

  readonly #abort = (): void => this.cancel();

  async #open(): Promise<void> {
    try {
      const token = await this.#connection.token(this.#options.signal);
      if (this.#ended) return;
      this.#call = this.#connection.stream(WATCH_METHOD, token, {
        ...REQUIRE_LEADER,
        onMessage: (message) => this.#onMessage(message),
        onEnd: (outcome) => this.#onEnd(outcome),
      });
      this.#goOn();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Opens what may be opened, and reads on unless a response waits whose turn has come. */
  #goOn(): void {
    if (this.#ended || this.#paused || this.#delivering) return;
    this.#openNext();
    if (this.#reading) return;
    this.#reading = true;
    this.#call?.readNext();
  }

  #openNext(): void {
    const { fragment = false, createTimeoutMs = this.#connection.requestTimeoutMs } = this.#options;
    const before = this.#creating.size;
    while (this.#mayCreate()) {
      const segment = this.#queue.open();
      if (segment === undefined) break;
      this.#creating.add(segment.watchId);
      this.#call?.send(encodeWatchCreate({ startRevision: segment.first, fragment, watchId: segment.watchId }));
    }
    if (this.#creating.size === before) return;
    clearTimeout(this.#createTimer);
    this.#createTimer = setTimeout(() => {
      this.#call?.fail({ code: status.DEADLINE_EXCEEDED, details: `no answer for ${createTimeoutMs} ms` });
    }, createTimeoutMs);
  }

  /** Before the stream is open, it takes one message. */
  #mayCreate(): boolean {
    return this.#creating.size === 0 || (this.#created && this.#options.fragment !== true);
  }

  #onMessage(message: Buffer): void {
    if (this.#ended) return;
    this.#reading = false;
    try {
      const peek = peekWatchResponse(message);
      this.#note(peek);
      if (this.#ended) return;
      // It may have to wait for its turn.
      const kept = peek.eventCount > 0 ? copyOf(message) : NOTHING;
      for (const watchId of this.#queue.receive(kept, peek)) this.#call?.send(encodeWatchCancel(watchId));
      this.#deliver();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** What a response says beside its rows. */
  #note({ header, created, canceled, watchId, eventCount, compactRevision, cancelReason }: WatchPeek): void {
    const revision = header?.revision ?? 0;
    if (header !== undefined) this.#onHeader(header);
    this.#queue.headRevision = Math.max(this.#queue.headRevision, revision);
    if (created && canceled && compactRevision === 0) return this.#refused(cancelReason);
    if (created && this.#creating.delete(watchId)) {
      if (this.#creating.size === 0) clearTimeout(this.#createTimer);
      if (!this.#created) this.#options.sink.created(revision, header?.clusterId ?? 0n, header?.memberId ?? 0n);
      this.#created = true;
    } else if (!canceled && eventCount === 0) {
      this.#options.sink.progress(revision);
    }
  }

  #refused(reason: string): void {
    const failure: CallStatus = { code: status.UNKNOWN, details: reason };
    // The next watch logs in again.
    this.#connection.needsLogin(failure);
    this.#end({ kind: 'error', error: this.#connection.failure(WATCH_METHOD, failure) });
  }

  /** Hands over one response whose turn has come, and the next in another turn of the event loop. */
  #deliver(): void {
    if (this.#ended || this.#paused || this.#delivering) return;
    try {
      const next = this.#queue.take();
      if (next === undefined) {
        this.#goOn();
      } else if ('ended' in next) {
        this.#canceled(next.ended);
      } else {
        this.#handOver(next);
        this.#delivering = true;
        setImmediate(() => {
          this.#delivering = false;
          this.#deliver();
        });
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #handOver({ segment, message, peek }: QueuedResponse): void {
    const clip = this.#clip;
    clip.first = segment.first;
    clip.last = segment.last;
    clip.rows = 0;
    this.#scanner.scan(message);
    freeBuffer(message);
    // A revision behind the segment's last one proves that one whole.
    const complete = !peek.fragment || peek.lastMain > segment.last;
    if (clip.rows > 0 && !this.#ended) this.#options.sink.batch(complete, peek.header?.revision ?? 0);
  }

  #canceled({ compactRevision, reason }: { compactRevision: number; reason: string }): void {
    const error = this.#connection.failure(WATCH_METHOD, { code: status.UNKNOWN, details: reason });
    if (error.code === 'ETCD_NO_LEADER') this.#end({ kind: 'error', error });
    else this.#end({ kind: 'canceled', ...(compactRevision > 0 && { compactRevision }), reason });
  }

  #onEnd(outcome: CallStatus): void {
    if (this.#ended) return;
    this.#connection.needsLogin(outcome);
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

function copyOf(message: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(message.length);
  message.copy(copy);
  return copy;
}

/** Lets the rows of one segment through; those beyond it come again with the next one. */
function clipped(sink: WatchSink, clip: { first: number; last: number; rows: number }): Pick<WatchSink, 'row'> {
  return {
    row(main, tombstone, value, lease) {
      if (main < clip.first || main > clip.last) return;
      clip.rows++;
      sink.row(main, tombstone, value, lease);
    },
  };
}
