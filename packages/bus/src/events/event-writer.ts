import { EtcdOpsError, freeBuffer } from '@etcd-ops/core';
import { randomBytes } from 'node:crypto';
import { API_ERROR, apiErrorText, cancelled, isApiError, isDefiniteRefusal, toBusError } from '../bus-error.ts';
import type { Bus } from '../connection.ts';
import { eventsStream, eventsSubject } from '../names.ts';
import { pause } from '../pull-request.ts';
import { acceptEvent, type Expectation } from './accept-event.ts';
import { decodeHeaders, encodeHeaders, encodePayload, EVENT_PARTS_MAX } from './event-codec.ts';
import { headersOf, type EventHeaders, type EventMessage } from './event-message.ts';
import { tailState, type StreamHeaders, type TailState } from './last-event.ts';
import { messageAtLeader } from './stored-message.ts';
import { streamFacts } from './stream-facts.ts';
import type { Beginning, LastEvent } from './stream-follower.ts';

/** Room for the headers beside a part's payload, below the server's max_payload. */
const HEADER_BYTES_MAX = 4 * 1024;
const BLOCKED_PAUSE_MS = 100;
const BLOCKED_PAUSE_MS_MAX = 2_000;

export interface Blocked {
  /** The server's words: `maximum bytes exceeded`. */
  reason: string;
  /** How long this message has been refused. */
  blockedMs: number;
}

export interface PublishOptions {
  signal?: AbortSignal;
  /** Called at each refusal of a full stream: the place to pause the watch. */
  onBlocked?: (blocked: Blocked) => void;
}

/**
 * THE FENCE. The only way into the event stream of a cluster, and what keeps two writers from mixing.
 *
 * Claim: whatever writers run at the same time, the messages that readers accept are one contiguous history, and a
 * message whose `publish` resolved is part of it.
 *
 * 1. Every message carries the last sequence that this writer knows (`Nats-Expected-Last-Sequence`). The stream takes
 *    it only if nobody wrote since: of two writers at the same sequence one is refused.
 * 2. ONE MESSAGE IS IN FLIGHT. Were there several, a foreign message would get only the first of them refused (10071);
 *    the sequence it expected is then taken by the foreign one, so the next in flight match again and land behind the
 *    hole. Tried: 2.9 and 2.15, one server and three. Throughput comes from gathering rows meanwhile, not from here.
 * 3. An acknowledgement counts only if it names the very next sequence.
 * 4. An outcome that is not known (timeout, broken connection) ends this writer: the message may be stored later, even
 *    after a successor wrote. It opens again, reads where the history ends, and repeats what is missing; readers cut
 *    the overlap off (accept-event.ts).
 * 5. Any disconnect ends this writer even without an error: a server that lost its tail may have given the expected
 *    sequence to a foreign message, and the expectation would match by accident.
 * 6. A message above the server's limit goes as several, under the same rule; readers count whole groups only.
 *
 * `Nats-Expected-Last-Msg-Id` would close point 2 as well, and must never be sent: one refusal wedged a stream of three
 * replicas for good (nats-server 2.15.1). Ownership of clusters (KV) only spreads the work and plays no part here.
 */
export class EventWriter {
  readonly #bus: Bus;
  readonly #cluster: string;
  readonly #subject: string;
  readonly #stream: string;
  /** Tells this writer's messages from all others, its own process's earlier ones included. */
  readonly #epoch = randomBytes(16).toString('hex');
  readonly #disconnects: number;
  readonly #partBytesMax: number;
  readonly #streamBytesMax: number;
  #lastSequence: number;
  #expected: Expectation | undefined;
  #ended: EtcdOpsError | undefined;
  #publishing = false;

  private constructor(bus: Bus, cluster: string, disconnects: number, tail: TailState) {
    this.#bus = bus;
    this.#cluster = cluster;
    this.#subject = eventsSubject(cluster);
    this.#stream = eventsStream(cluster);
    this.#disconnects = disconnects;
    this.#partBytesMax = bus.maxPayloadBytes - HEADER_BYTES_MAX;
    this.#streamBytesMax = tail.bytesMax > 0 ? tail.bytesMax : Infinity;
    this.#lastSequence = tail.lastSequence;
    this.#expected = tail.expected;
  }

  /**
   * Reads where the history in the stream ends. `last` tells the revision to go on from; without it, the caller asks
   * the recorded position, then the repository, and writes a `start` first. `beginning`, `all`: see TailState.
   * @throws EtcdOpsError BUS_UNREACHABLE or BUS_FAILED
   */
  static async open(
    bus: Bus,
    cluster: string,
    options: { signal?: AbortSignal } = {},
  ): Promise<{ writer: EventWriter; last?: LastEvent; beginning?: Beginning; all?: StreamHeaders }> {
    await bus.whenConnected(options.signal);
    const { disconnects } = bus;
    const tail = await tailState(bus, cluster, options);
    const writer = new EventWriter(bus, cluster, disconnects, tail);
    const { last, beginning, all } = tail;
    return {
      writer,
      ...(last === undefined ? {} : { last }),
      ...(beginning === undefined ? {} : { beginning }),
      ...(all === undefined ? {} : { all }),
    };
  }

  get epoch(): string {
    return this.#epoch;
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  /** False when it has to be opened again. */
  get usable(): boolean {
    return this.#ended === undefined && this.#disconnects === this.#bus.disconnects;
  }

  /**
   * Stores a message durably behind the last one; resolves with the sequence of its last part. The rows are copied before it returns.
   * A full stream is waited for. After an error other than a programmer's, open again.
   * @throws EtcdOpsError BUS_FENCED: somebody else wrote. BUS_UNREACHABLE: not known whether it was stored.
   *   BUS_FAILED: the server refused it. CANCELLED: the signal was aborted.
   */
  async publish(message: EventMessage, options: PublishOptions = {}): Promise<{ sequence: number }> {
    if (this.#publishing) throw new Error('EventWriter: one message at a time is what makes it a fence');
    const payload = encodePayload(message);
    const parts = Math.max(1, Math.ceil(payload.length / this.#partBytesMax));
    if (parts > EVENT_PARTS_MAX) throw new Error(`EventWriter: a message of ${payload.length} bytes`);
    if (payload.length + parts * HEADER_BYTES_MAX > this.#streamBytesMax) throw this.#tooLarge(payload.length);
    const headers = headersOf(message, this.#epoch, payload.length, parts);
    const next = this.#next(headers);
    this.#publishing = true;
    try {
      for (let part = 1; part <= parts; part++) {
        const bytes = payload.subarray((part - 1) * this.#partBytesMax, part * this.#partBytesMax);
        await this.#publishPart({ ...headers, part }, bytes, options);
      }
    } catch (error) {
      this.#ended ??= toBusError(error, `Writing an event of ${this.#cluster}`);
      throw this.#ended;
    } finally {
      this.#publishing = false;
    }
    this.#expected = next;
    // Each part was answered, so nothing sends it any more.
    freeBuffer(payload);
    return { sequence: this.#lastSequence };
  }

  /**
   * Writes for readers who stand there, and not where the messages at the end of the stream lead: those lie behind a hole and never
   * count (see `connectStream`). undefined: they know nothing.
   */
  writeFor(expected: Expectation | undefined): void {
    this.#expected = expected;
  }

  /** It writes no more. Nothing is held open. */
  close(): void {
    this.#ended ??= this.#unknown('it was closed');
  }

  /** What readers will make of this message: a writer whose message they would not take has a bug. */
  #next(headers: EventHeaders): Expectation {
    if (this.#expected === undefined && headers.kind !== 'start') {
      throw new Error('EventWriter: the first message of a stream is a start');
    }
    const verdict = acceptEvent(this.#expected, headers);
    if (verdict.verdict !== 'skip') return verdict.next;
    throw new Error(`EventWriter: readers would skip ${headers.first}..${headers.last} (${verdict.reason})`);
  }

  async #publishPart(headers: EventHeaders, bytes: Buffer, options: PublishOptions): Promise<void> {
    const begun = performance.now();
    for (let attempt = 0; ; attempt++) {
      if (options.signal?.aborted === true) throw cancelled(`Writing events of ${this.#cluster}`, options.signal);
      if (this.#ended !== undefined) throw this.#ended;
      if (this.#disconnects !== this.#bus.disconnects) throw this.#unknown('the connection broke since it was opened');
      try {
        this.#lastSequence = await this.#send(headers, bytes);
        return;
      } catch (error) {
        if (isApiError(error, API_ERROR.wrongLastSequence)) {
          if (await this.#isStored(headers)) {
            this.#lastSequence++;
            return;
          }
          throw this.#fenced(error);
        }
        if (!isApiError(error, API_ERROR.storeFailed)) throw this.#outcome(error);
        // Refused for want of room: the same message again until somebody trims. The expectation keeps it single.
        options.onBlocked?.({ reason: apiErrorText(error), blockedMs: performance.now() - begun });
        await pause(Math.min(BLOCKED_PAUSE_MS * 2 ** Math.min(attempt, 10), BLOCKED_PAUSE_MS_MAX), options.signal);
      }
    }
  }

  async #send(headers: EventHeaders, bytes: Buffer): Promise<number> {
    const expected = this.#lastSequence;
    const ack = await this.#orDisconnect(
      this.#bus.js.publish(this.#subject, bytes, {
        headers: encodeHeaders(headers),
        expect: { lastSequence: expected },
        timeout: this.#bus.requestTimeoutMs,
      }),
    );
    if (ack.stream !== this.#stream || ack.seq !== expected + 1) {
      throw this.#unknown(`it was stored at ${ack.stream}/${ack.seq} instead of ${this.#stream}/${expected + 1}`);
    }
    return ack.seq;
  }

  /** A request that was in flight when the connection broke only times out; this tells at once. */
  async #orDisconnect<T>(request: Promise<T>): Promise<T> {
    const { promise: broken, reject } = Promise.withResolvers<never>();
    const stop = this.#bus.onStatus((status) => {
      if (status.type === 'disconnected' || status.type === 'closed') reject(this.#unknown('the connection broke'));
    });
    broken.catch(() => {});
    try {
      return await Promise.race([request, broken]);
    } finally {
      stop();
      // Whichever lost the race may still reject.
      request.catch(() => {});
    }
  }

  /** After a refusal for its sequence: is the message at that sequence this very part, stored by an earlier try? */
  async #isStored(headers: EventHeaders): Promise<boolean> {
    const sequence = this.#lastSequence + 1;
    const [stored, facts] = await Promise.all([
      messageAtLeader(this.#bus, this.#cluster, sequence),
      streamFacts(this.#bus, this.#cluster),
    ]);
    if (stored === undefined || facts.lastSequence !== sequence) return false;
    try {
      const found = decodeHeaders(stored.headers);
      return (
        found.epoch === this.#epoch &&
        found.first === headers.first &&
        found.last === headers.last &&
        found.part === headers.part &&
        found.kind === headers.kind
      );
    } catch {
      return false;
    }
  }

  #outcome(error: unknown): EtcdOpsError {
    if (error instanceof EtcdOpsError) return error;
    if (isDefiniteRefusal(error)) return toBusError(error, `Writing an event of ${this.#cluster}`);
    return this.#unknown(error instanceof Error ? error.message : String(error), error);
  }

  /** It would be refused as if the stream were full, for ever: nobody can trim half a message. */
  #tooLarge(bytes: number): EtcdOpsError {
    return new EtcdOpsError('BUS_FAILED', {
      message: `A message of ${bytes} bytes does not fit into ${this.#stream} with its limit of ${this.#streamBytesMax}`,
      remedy: 'Raise eventBytesMax of the cluster above the size of its largest revision.',
    });
  }

  #fenced(cause: unknown): EtcdOpsError {
    return new EtcdOpsError('BUS_FENCED', {
      message: `Another writer wrote behind sequence ${this.#lastSequence} of ${this.#stream}`,
      cause,
    });
  }

  #unknown(what: string, cause?: unknown): EtcdOpsError {
    return new EtcdOpsError('BUS_UNREACHABLE', {
      message: `The writer of ${this.#stream} has to be opened again: ${what}`,
      ...(cause === undefined ? {} : { cause }),
    });
  }
}
