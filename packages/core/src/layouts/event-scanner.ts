import { EtcdOpsError } from '../base/errors.ts';
import type { KeyValue } from '../mvcc/key-value.ts';
import { JsonCursor, NEED_MORE } from './json-cursor.ts';

/** The longest event as JSON. etcd's own limit of a request is 1.5 MiB unless it was raised; a value grows by a third in base64. */
export const EVENT_BYTES_MAX = 256 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);
const [OPEN_BRACKET, CLOSE_BRACKET, COMMA] = [0x5b, 0x5d, 0x2c];
/** etcd mvccpb: Event.EventType. */
const DELETE = 1n;
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** One change of a key, as the deltas of the seed tool and of gardener record it. */
export interface KeyEvent {
  isDelete: boolean;
  /** Of a deletion only key and modRevision are known. */
  kv: KeyValue;
  /** When the other tool's watch received it, by its clock; undefined when it does not say. */
  observedMs: number | undefined;
}

/**
 * Reads a delta of the seed tool or of gardener, which is one JSON array of events, chunk by chunk. Holds one event at a time.
 * @throws EtcdOpsError DELTA_DAMAGED naming the byte and the rule, LIMIT_EXCEEDED for an event above EVENT_BYTES_MAX.
 */
export class EventScanner {
  readonly #eventBytesMax: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** Where `#pending` begins in the whole. */
  #base = 0;
  /** So many bytes must be there before another attempt: an event that comes in many chunks is not read over and over. */
  #wanted = 1;
  #state: 'begin' | 'first' | 'next' | 'end' = 'begin';

  constructor(options: { eventBytesMax?: number } = {}) {
    this.#eventBytesMax = options.eventBytesMax ?? EVENT_BYTES_MAX;
  }

  /** The events that are complete now. */
  *push(chunk: Buffer): Generator<KeyEvent, void, undefined> {
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes < this.#wanted) return;
    const bytes = this.#pending.length === 1 ? chunk : Buffer.concat(this.#pending);
    const cursor = new JsonCursor(bytes, 0, this.#base);
    let done = 0;
    try {
      for (;;) {
        const event = this.#step(cursor);
        done = cursor.position;
        if (event !== undefined) yield event;
      }
    } catch (error) {
      if (error !== NEED_MORE) throw error;
    }
    const rest = bytes.subarray(done);
    this.#pending = [rest];
    this.#pendingBytes = rest.length;
    this.#base += done;
    if (rest.length > this.#eventBytesMax) {
      throw new EtcdOpsError('LIMIT_EXCEEDED', {
        message: `The event at byte ${this.#base} has more than ${this.#eventBytesMax} bytes`,
      });
    }
    this.#wanted = done === 0 ? Math.min(rest.length * 2, this.#eventBytesMax + 1) : 1;
  }

  /** After the last chunk. */
  *finish(): Generator<KeyEvent, void, undefined> {
    this.#wanted = 1;
    yield* this.push(NOTHING);
    if (this.#state === 'end') return;
    throw new EtcdOpsError('DELTA_DAMAGED', {
      message: `JSON, byte ${this.#base}: the list of events does not end`,
    });
  }

  /** One bracket, comma or event. */
  #step(cursor: JsonCursor): KeyEvent | undefined {
    const byte = cursor.peek();
    if (this.#state === 'end') throw cursor.damaged('bytes follow the list of events');
    if (this.#state === 'begin') {
      cursor.expect(OPEN_BRACKET);
      this.#state = 'first';
      return undefined;
    }
    if (byte === CLOSE_BRACKET) {
      cursor.position++;
      this.#state = 'end';
      return undefined;
    }
    if (this.#state === 'next') cursor.expect(COMMA);
    const event = readEvent(cursor);
    this.#state = 'next';
    return event;
  }
}

function readEvent(cursor: JsonCursor): KeyEvent {
  let type = 0n;
  let kv: KeyValue | undefined;
  let time = '';
  cursor.object((name) => {
    if (name === 'time') time = cursor.text();
    else if (name === 'etcdEvent') {
      cursor.object((field) => {
        if (field === 'type') type = cursor.int64();
        else if (field === 'kv') kv = readKeyValue(cursor);
        else cursor.skip();
      });
    } else cursor.skip();
  });
  if (kv === undefined) throw cursor.damaged('an event has no kv');
  if (type !== 0n && type !== DELETE) throw cursor.damaged(`an event has the type ${type}`);
  const isDelete = type === DELETE;
  requireSound(cursor, kv, isDelete);
  return { isDelete, kv, observedMs: readTime(cursor, time) };
}

function readKeyValue(cursor: JsonCursor): KeyValue {
  const kv: KeyValue = { key: NOTHING, createRevision: 0, modRevision: 0, version: 0, value: NOTHING, lease: 0n };
  cursor.object((name) => {
    if (name === 'key') kv.key = cursor.base64();
    else if (name === 'value') kv.value = cursor.base64();
    else if (name === 'create_revision') kv.createRevision = cursor.count();
    else if (name === 'mod_revision') kv.modRevision = cursor.count();
    else if (name === 'version') kv.version = cursor.count();
    else if (name === 'lease') kv.lease = cursor.int64();
    else cursor.skip();
  });
  return kv;
}

/** What etcd would never have sent must not get into a database file. */
function requireSound(cursor: JsonCursor, kv: KeyValue, isDelete: boolean): void {
  const { key, modRevision, createRevision, version } = kv;
  if (key.length === 0) throw cursor.damaged('an event has no key');
  if (modRevision === 0) throw cursor.damaged('an event has no mod_revision');
  if (isDelete) return;
  if (version === 0 || createRevision === 0 || createRevision > modRevision || version > modRevision) {
    throw cursor.damaged(
      `a put at revision ${modRevision} has create_revision ${createRevision} and version ${version}`,
    );
  }
}

function readTime(cursor: JsonCursor, text: string): number | undefined {
  if (text === '') return undefined;
  const [, seconds, fraction = '', zone] = TIME.exec(text) ?? [];
  const observedMs = Date.parse(`${seconds}.${fraction.padEnd(3, '0').slice(0, 3)}${zone}`);
  if (seconds === undefined || Number.isNaN(observedMs)) throw cursor.damaged('a time is not one of RFC 3339');
  // Go's zero time means that none was set.
  return observedMs > 0 ? observedMs : undefined;
}
