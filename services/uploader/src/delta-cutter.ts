import type { EventRead, StartEvent } from '@etcd-ops/bus';
import {
  DeltaEncoder,
  deltaKey,
  encryptionOfPacking,
  LEASE_OBJECT_RECORDS_MAX,
  nameOfLeases,
  STORED_PLAIN,
  Yielder,
  type FinishedDelta,
  type LeaseObject,
  type Packing,
  type Revision,
} from '@etcd-ops/core';

/** How far a cluster's events are durable. */
export interface CutPosition {
  timeline: number;
  revision: Revision;
  /** RevisionDigest of the rows of `revision`; sealed when it was learned of an encrypted delta, null when unknown. */
  digest: string | null;
  /** The last stream sequence that is covered. */
  sequence: number;
}

export type CutStep =
  /** Store the object, then move the position, then trim. */
  | {
      kind: 'delta';
      key: string;
      delta: FinishedDelta;
      position: CutPosition;
      /** The last stream sequence with rows in it: what follows up to the position says something of leases only. */
      rowsSequence: number;
    }
  /** What was learned of leases behind the last rows; stored like a delta. */
  | { kind: 'leases'; key: string; object: LeaseObject; position: CutPosition }
  /** A new history begins: what came before is closed. `previous` is undefined for the very first. */
  | { kind: 'start'; start: StartEvent; previous: CutPosition | undefined; position: CutPosition };

export interface CutOptions {
  cluster: string;
  /** Where to go on; undefined when nothing was ever recorded: then rows count from the first start on. */
  from: CutPosition | undefined;
  events: AsyncIterable<EventRead>;
  /** An object is closed before the event that would make it longer; one larger event is an object of its own. */
  deltaObjectBytesMax: number;
  /** The objects are compressed and named so; whoever stores them encrypts them. */
  packing?: Packing;
  signal?: AbortSignal;
  /** What hangs on nothing that is recorded does not count: no start precedes it, it lies behind a hole, or in another timeline. */
  onUnanchored: (event: EventRead) => void;
}

/**
 * Turns events into delta objects. Everything it yields depends on the position and the events alone, never on the clock or on
 * who does it: two uploaders on one task, or one that begins again after a crash, make the same objects under the same keys.
 */
export async function* cutDeltas(options: CutOptions): AsyncGenerator<CutStep> {
  const cutter = new DeltaCutter(options);
  const yielder = new Yielder({ signal: options.signal });
  for await (const event of options.events) {
    if (event.kind === 'start') yield* cutter.start(event);
    else yield* cutter.rows(event);
    const bytes = event.kind === 'rows' ? event.rowBlock.length : 0;
    // The object has copies of its rows.
    event.free?.();
    await yielder.tick(bytes);
  }
  yield* cutter.close();
  yield* cutter.closeLeases();
}

type RowsRead = EventRead & { kind: 'rows' };
type StartRead = EventRead & { kind: 'start' };

class DeltaCutter {
  readonly #options: CutOptions;
  #position: CutPosition | undefined;
  #encoder: DeltaEncoder | undefined;
  #rowsSequence = 0;
  /** Learned beside no rows: they go into the object of the next ones, or into one of their own when no rows come. */
  readonly #leases: RowsRead[] = [];

  constructor(options: CutOptions) {
    this.#options = options;
    this.#position = options.from;
  }

  *start(event: StartRead): Generator<CutStep> {
    const { timeline, revision, digest } = event;
    const previous = this.#position;
    // The stream was lost and goes on with what is durable already.
    const isKnown = previous !== undefined && timeline === previous.timeline && revision <= previous.revision;
    if (isKnown) return;
    if (previous !== undefined && timeline < previous.timeline) {
      this.#options.onUnanchored(event);
      return;
    }
    yield* this.close();
    yield* this.closeLeases();
    const position = { timeline, revision, digest, sequence: event.lastPartSequence };
    yield { kind: 'start', start: event, previous: this.#position, position };
    this.#position = position;
  }

  *rows(event: RowsRead): Generator<CutStep> {
    if (this.#position === undefined || !isAnchored(event, this.#position)) {
      this.#options.onUnanchored(event);
      return;
    }
    // What is durable already may not have been trimmed yet: it must not change the next object, so its leases do not count again.
    if (event.lastPartSequence <= this.#position.sequence && event.last <= this.#position.revision) return;
    const { rows, rowBlock } = event;
    const fromRow = rows === undefined ? 0 : rows.firstRowAbove(this.#position.revision);
    const rowCount = rows?.rowCount ?? 0;
    if (rows === undefined || fromRow === rowCount) {
      this.#addLeases(event);
      return;
    }
    if (this.#encoder !== undefined && this.#encoder.byteLength + rowBlock.length > this.#options.deltaObjectBytesMax) {
      yield* this.close();
    }
    this.#encoder ??= this.#newEncoder(event);
    for (const { leases } of this.#leases.splice(0)) this.#encoder.addLeases(leases);
    this.#encoder.addRows(rows, fromRow, rowCount);
    this.#encoder.addLeases(event.leases);
    this.#encoder.addTime(event.last, event.observedMs);
    this.#position = { ...this.#position, revision: event.last, sequence: event.lastPartSequence };
    this.#rowsSequence = event.lastPartSequence;
  }

  /** Completes the object that is open, if any. */
  *close(): Generator<CutStep> {
    if (this.#encoder === undefined || this.#position === undefined) return;
    const delta = this.#encoder.finish();
    const { facts } = delta;
    this.#encoder = undefined;
    const { cluster } = this.#options;
    const { timeline, firstRevision: first, lastRevision: last, lastObservedMs, lastRevisionDigest: digest } = facts;
    this.#position = { ...this.#position, digest };
    yield {
      kind: 'delta',
      key: deltaKey({ cluster, timeline, first, last, lastObservedMs, ...encryptionOfPacking(this.#packing) }),
      delta,
      position: this.#position,
      rowsSequence: this.#rowsSequence,
    };
  }

  /** Stores by themselves what no rows came for. Each message goes whole into one object. */
  *closeLeases(): Generator<CutStep> {
    const waiting = this.#leases.splice(0);
    for (let from = 0, to = 1; from < waiting.length && this.#position !== undefined; from = to++) {
      const records = [...waiting[from]!.leases];
      while (records.length + (waiting[to]?.leases.length ?? Infinity) <= LEASE_OBJECT_RECORDS_MAX) {
        records.push(...waiting[to++]!.leases);
      }
      const { clusterId, timeline, observedMs, lastPartSequence: sequence } = waiting[to - 1]!;
      const object: LeaseObject = { clusterId, timeline, revision: this.#position.revision, observedMs, records };
      this.#position = { ...this.#position, sequence };
      const key = nameOfLeases(this.#options.cluster, object, this.#packing);
      yield { kind: 'leases', key, object, position: this.#position };
    }
  }

  get #packing(): Packing {
    return this.#options.packing ?? STORED_PLAIN;
  }

  #newEncoder({ clusterId, timeline, epoch }: RowsRead): DeltaEncoder {
    const { codec, compressionLevel } = this.#packing;
    const level = compressionLevel === undefined ? {} : { compressionLevel };
    return new DeltaEncoder({ clusterId, timeline, epoch, codec, ...level });
  }

  #addLeases(event: RowsRead): void {
    if (this.#encoder === undefined || this.#position === undefined) {
      if (event.leases.length > 0) this.#leases.push(event);
      return;
    }
    this.#encoder.addLeases(event.leases);
    this.#position = { ...this.#position, sequence: event.lastPartSequence };
  }
}

/** The reader's rule once more: a reader that begins without an expectation believes the first message that it sees. */
function isAnchored({ timeline, first }: RowsRead, position: CutPosition): boolean {
  return timeline === position.timeline && first <= position.revision + 1;
}
