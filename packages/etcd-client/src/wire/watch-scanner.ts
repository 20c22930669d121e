import { ByteSlice } from '@etcd-ops/core';
import { ByteReader, malformed } from './byte-reader.ts';
import { decodeHeader, type ResponseHeader } from './responses.ts';

/** Receives the rows of a watch: called synchronously, in order. Nothing is allocated per event. */
export interface RowSink {
  /**
   * Once per event. `value` is what etcd's bucket `key` holds for it: of a PUT the very bytes of `Event.kv`, of a DELETE their
   * field 1 alone (tag, length, key). It is valid only during the call. `lease` is 0n when there is none.
   */
  row(mainRevision: number, tombstone: boolean, value: ByteSlice, lease: bigint): void;
}

/** What a WatchResponse says besides its events. */
export interface WatchResponseFacts {
  header: ResponseHeader | undefined;
  watchId: number;
  created: boolean;
  canceled: boolean;
  /** 0 when etcd named none. */
  compactRevision: number;
  cancelReason: string;
  /** True: the revision goes on in the next response. */
  fragment: boolean;
  eventCount: number;
}

/** Tags of mvccpb.Event and mvccpb.KeyValue (etcd's api/mvccpb/kv.proto): field << 3 | wire type. */
const EVENT_TYPE = 0x08;
const EVENT_KV = 0x12;
const EVENT_TYPE_DELETE = 1;
const KV_KEY = 0x0a;
const KV_CREATE_REVISION = 0x10;
const KV_MOD_REVISION = 0x18;
const KV_VERSION = 0x20;
const KV_VALUE = 0x2a;
const KV_LEASE = 0x30;
/** `events` of a WatchResponse. */
export const RESPONSE_EVENT = (11 << 3) | 2;

const NOTHING = Buffer.alloc(0);

/**
 * Reads WatchResponses (field numbers of etcd's api/etcdserverpb/rpc.proto) without building an object per event.
 * One scanner serves one stream.
 */
export class WatchScanner {
  readonly #sink: RowSink;
  /** Set by the owner: no further row is handed on, not even of the response at hand. */
  stopped = false;
  readonly #reader = new ByteReader(Buffer.alloc(0));
  readonly #value = new ByteSlice();
  // Most events of a lease follow one another: the last id is kept, so that it is not made again each time.
  #lease = 0n;
  #leaseBytes = Buffer.alloc(0);

  constructor(sink: RowSink) {
    this.#sink = sink;
  }

  /**
   * Hands each event to the sink and returns the rest.
   * @throws EtcdOpsError ETCD_FAILED when the bytes are malformed; rows before the fault were handed on already.
   */
  scan(message: Buffer): WatchResponseFacts {
    const facts = emptyFacts();
    const reader = this.#reader;
    reader.reset(message);
    while (reader.position < message.length && !this.stopped) {
      const tag = reader.tag();
      if (tag === RESPONSE_EVENT) {
        const length = reader.length();
        this.#event(reader.position + length);
        facts.eventCount++;
      } else {
        readFact(facts, reader, tag);
      }
    }
    // A message may be many megabytes, and the next one may be hours away.
    reader.reset(NOTHING);
    this.#value.move(NOTHING, 0, 0);
    return facts;
  }

  #event(end: number): void {
    const reader = this.#reader;
    const messageEnd = reader.end;
    reader.end = end;
    let tombstone = false;
    let kvStart = -1;
    let kvEnd = -1;
    while (reader.position < end) {
      const tag = reader.tag();
      if (tag === EVENT_TYPE) {
        tombstone = reader.number() === EVENT_TYPE_DELETE;
      } else if (tag === EVENT_KV) {
        const length = reader.length();
        kvStart = reader.position;
        kvEnd = kvStart + length;
        reader.position = kvEnd;
      } else {
        reader.skip(tag);
      }
    }
    if (kvStart < 0) throw malformed('an event without a key');
    reader.end = kvEnd;
    this.#keyValue(kvStart, kvEnd, tombstone);
    reader.position = end;
    reader.end = messageEnd;
  }

  /** The hottest loop of a capture: plain indexes instead of the reader, and comparisons that also refuse a byte that is not there. */
  #keyValue(start: number, end: number, tombstone: boolean): void {
    const reader = this.#reader;
    const { bytes } = reader;
    let position = start;
    let keyStart = -1;
    let keyEnd = -1;
    let mainRevision = 0;
    let lease = 0n;
    while (position < end) {
      const fieldStart = position;
      const tag = bytes[position++]!;
      if (tag === KV_KEY || tag === KV_VALUE) {
        let length = bytes[position++]!;
        if (length >= 0x80) {
          reader.position = position - 1;
          length = reader.length();
          position = reader.position;
        }
        position += length;
        if (!(position <= end)) throw malformed('a key or value ends behind its event');
        if (tag === KV_KEY) {
          keyStart = fieldStart;
          keyEnd = position;
        }
      } else if (tag === KV_CREATE_REVISION || tag === KV_VERSION) {
        while (bytes[position++]! >= 0x80);
      } else {
        reader.position = tag === KV_MOD_REVISION || tag === KV_LEASE ? position : fieldStart;
        if (tag === KV_MOD_REVISION) mainRevision = reader.number();
        else if (tag === KV_LEASE) lease = this.#leaseId();
        else reader.skip(reader.tag());
        position = reader.position;
      }
    }
    if (position !== end) throw malformed('an event ends inside a number');
    if (keyStart < 0 || mainRevision < 1) throw malformed('an event without a key or a revision');
    if (tombstone) this.#sink.row(mainRevision, true, this.#value.move(bytes, keyStart, keyEnd), 0n);
    else this.#sink.row(mainRevision, false, this.#value.move(bytes, start, end), lease);
  }

  #leaseId(): bigint {
    const reader = this.#reader;
    const start = reader.position;
    const known = this.#leaseBytes;
    const knownEnd = start + known.length;
    if (known.length > 0 && knownEnd <= reader.end && equalAt(reader.bytes, start, known)) {
      reader.position = knownEnd;
      return this.#lease;
    }
    this.#lease = reader.int64();
    this.#leaseBytes = Buffer.from(reader.bytes.subarray(start, reader.position));
    return this.#lease;
  }
}

/** A varint ends in its own bytes, so equal bytes are an equal number. */
function equalAt(bytes: Buffer, offset: number, expected: Buffer): boolean {
  for (let index = 0; index < expected.length; index++) {
    if (bytes[offset + index] !== expected[index]) return false;
  }
  return true;
}

export function emptyFacts(): WatchResponseFacts {
  return {
    header: undefined,
    watchId: 0,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: '',
    fragment: false,
    eventCount: 0,
  };
}

/** Reads one field of a WatchResponse that is not an event. */
export function readFact(facts: WatchResponseFacts, reader: ByteReader, tag: number): void {
  switch (tag >>> 3) {
    case 1:
      facts.header = decodeHeader(reader.view());
      break;
    case 2:
      facts.watchId = reader.signedNumber();
      break;
    case 3:
      facts.created = reader.boolean();
      break;
    case 4:
      facts.canceled = reader.boolean();
      break;
    case 5:
      facts.compactRevision = reader.signedNumber();
      break;
    case 6:
      facts.cancelReason = reader.text();
      break;
    case 7:
      facts.fragment = reader.boolean();
      break;
    default:
      reader.skip(tag);
  }
}
