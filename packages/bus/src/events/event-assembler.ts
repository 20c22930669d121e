import { RowBlock, RowBlockBuilder, type LeaseRecord, type Revision } from '@etcd-ops/core';
import { acceptEvent, type Expectation } from './accept-event.ts';
import { decodePayload } from './event-codec.ts';
import { assertContiguous, startOf, type EventHeaders, type EventMessage } from './event-message.ts';
import { freeReceived } from './stored-message.ts';
import { PartJoiner, type Skipped, type StoredEvent, type WholeEvent } from './part-joiner.ts';

export type EventRead = EventMessage & {
  /** Of the first part. */
  sequence: number;
  /** Of the last part: what a cut or a trim names. */
  lastPartSequence: number;
  /** Of the writer: 32 hex digits. */
  epoch: string;
  /** The parsed rows; of a start, none. */
  rows?: RowBlock;
  /** Gives the memory of the rows back at once, if they are many: nothing may look at them afterwards. */
  free?: () => void;
  /** Of a start: false when rows between what was known and it were never captured. */
  contiguous: boolean;
};

/** Applies the reader's rule to whole messages and turns those that count into events. */
export class EventAssembler {
  readonly #joiner = new PartJoiner();
  #expected: Expectation | undefined;

  constructor(expected?: Expectation) {
    this.#expected = expected;
  }

  get expected(): Expectation | undefined {
    return this.#expected;
  }

  push(stored: StoredEvent): { event?: EventRead; skipped: Skipped[] } {
    const { whole, skipped } = this.#joiner.push(stored);
    const all = skipped === undefined ? [] : [skipped];
    if (whole === undefined) return { skipped: all };
    try {
      const answer = this.#accept(whole);
      return 'reason' in answer ? { skipped: [...all, answer] } : { event: answer, skipped: all };
    } catch (error) {
      const { firstSequence, lastSequence } = whole;
      const detail = error instanceof Error ? error.message : String(error);
      return { skipped: [...all, { reason: 'invalid', firstSequence, lastSequence, detail }] };
    }
  }

  #accept(whole: WholeEvent): EventRead | Skipped {
    const { headers, firstSequence, lastSequence } = whole;
    const verdict = acceptEvent(this.#expected, headers);
    if (verdict.verdict === 'skip') return { reason: verdict.reason, firstSequence, lastSequence };
    const place = { sequence: firstSequence, lastPartSequence: lastSequence, epoch: headers.epoch };
    if (verdict.verdict === 'reset') {
      const event = { ...startOf(headers), ...place, contiguous: verdict.contiguous };
      this.#expected = verdict.next;
      return event;
    }
    const payload = whole.payload ?? Buffer.alloc(0);
    if (payload.length !== headers.payloadBytes) {
      const detail = `${payload.length} bytes instead of ${headers.payloadBytes}`;
      return { reason: 'invalid', firstSequence, lastSequence, detail };
    }
    const { rows, leases } = decodePayload(payload);
    assertContiguous(rows, headers.first, headers.last);
    this.#expected = verdict.next;
    const free = () => freeReceived(payload);
    return { ...rowsEvent(headers, rows, leases, verdict.keepFrom), ...place, contiguous: true, free };
  }
}

function rowsEvent(
  headers: EventHeaders,
  rows: RowBlock,
  leases: LeaseRecord[],
  keepFrom: Revision,
): EventMessage & { rows: RowBlock } {
  const { timeline, clusterId, last, observedMs, digest, digestRows } = headers;
  const common = { kind: 'rows', timeline, clusterId, leases, observedMs } as const;
  if (headers.first >= keepFrom) {
    return { ...common, first: headers.first, last, rowBlock: rows.bytes, rows, digest, digestRows };
  }
  const clipped = rowsFrom(rows, keepFrom);
  // All rows were old: what is left are the leases, and the digest speaks of a revision long known.
  if (last < keepFrom) {
    return {
      ...common,
      first: keepFrom,
      last: keepFrom - 1,
      rowBlock: clipped.bytes,
      rows: clipped,
      digest: null,
      digestRows: 0,
    };
  }
  return { ...common, first: keepFrom, last, rowBlock: clipped.bytes, rows: clipped, digest, digestRows };
}

function rowsFrom(rows: RowBlock, revision: Revision): RowBlock {
  const builder = new RowBlockBuilder();
  for (let row = rows.firstRowAbove(revision - 1); row < rows.rowCount; row++) {
    builder.appendEncoded(rows.key(row), rows.value(row));
  }
  return RowBlock.parse(builder.take());
}
