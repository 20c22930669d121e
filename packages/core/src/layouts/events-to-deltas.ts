import { Yielder } from '../base/yielding.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { DeltaEncoder } from '../delta/delta-encoder.ts';
import type { DeltaIdentity } from '../delta/delta-format.ts';
import { encodeKeyValue } from '../mvcc/encode-key-value.ts';
import { RowBlock, RowBlockBuilder } from '../mvcc/row-block.ts';
import type { FinishedDelta } from '../repository/put-delta.ts';
import type { KeyEvent } from './event-scanner.ts';

/** Rows are handed to the encoder in portions of this size. */
const BLOCK_BYTES = 256 * 1024;
/** Times are as fine as that: each is two numbers of the delta. */
const TIME_STEP_MS = 100;

export interface EventsToDeltasOptions {
  identity: DeltaIdentity;
  /** The revisions that the name of the foreign delta promises. */
  first: number;
  last: number;
  /** A delta is ended at the first border of revisions behind so many bytes. */
  bytesMax: number;
  signal?: AbortSignal | undefined;
}

/**
 * Makes native deltas of foreign events: one row an event, its sub the ordinal of the event in its revision, as a watch gives them and
 * etcd stores them. Revisions must go on one by one, from the first to the last that the name promises.
 * @throws EtcdOpsError DELTA_DAMAGED naming the revisions that are missing or out of order.
 */
export async function* eventsToDeltas(
  events: AsyncIterable<KeyEvent>,
  options: EventsToDeltasOptions,
): AsyncGenerator<FinishedDelta, void, undefined> {
  const { first, last, bytesMax, signal } = options;
  const yielder = new Yielder({ signal });
  let piece = new Piece(options.identity);
  let revision = first - 1;
  let sub = -1;
  for await (const event of events) {
    const { modRevision } = event.kv;
    if (sub < 0 || modRevision !== revision) {
      requireNext(modRevision, revision, last);
      if (piece.byteLength >= bytesMax) {
        yield piece.finish();
        piece = new Piece(options.identity);
      }
      revision = modRevision;
      sub = 0;
    }
    await yielder.tick(piece.add(event, sub++));
  }
  if (revision !== last) {
    const missing = sub < 0 ? 'it holds no event' : `it ends at revision ${revision}`;
    throw damaged(`${missing}, and its name promises ${first} to ${last}`);
  }
  yield piece.finish();
}

function requireNext(found: number, revision: number, last: number): void {
  if (found === revision + 1 && found <= last) return;
  if (found <= revision) throw damaged(`revision ${found} comes behind revision ${revision}`);
  if (found > last) throw damaged(`it holds revision ${found}, and its name ends at ${last}`);
  throw damaged(`the revisions ${revision + 1} to ${found - 1} are missing`);
}

class Piece {
  readonly #encoder: DeltaEncoder;
  readonly #builder = new RowBlockBuilder();
  /** The time up to which revisions have been seen, not yet told to the encoder. */
  #time: { revision: number; observedMs: number } | undefined;
  #timeFromMs = 0;

  constructor(identity: DeltaIdentity) {
    this.#encoder = new DeltaEncoder(identity);
  }

  get byteLength(): number {
    return this.#builder.rowCount === 0
      ? this.#encoder.byteLength
      : this.#encoder.byteLength + this.#builder.byteLength;
  }

  /** Returns the bytes of the row. */
  add({ isDelete, kv, observedMs }: KeyEvent, sub: number): number {
    const { key, modRevision } = kv;
    const value = encodeKeyValue(
      isDelete ? { key, createRevision: 0, modRevision: 0, version: 0, value: new Uint8Array(0), lease: 0n } : kv,
    );
    this.#builder.append(modRevision, sub, isDelete, value);
    if (this.#builder.byteLength >= BLOCK_BYTES) this.#flush();
    if (observedMs !== undefined) this.#note(modRevision, observedMs);
    return value.length;
  }

  finish(): FinishedDelta {
    this.#flush();
    this.#tellTime();
    return this.#encoder.finish();
  }

  #flush(): void {
    if (this.#builder.rowCount > 0) this.#encoder.addRows(RowBlock.parse(this.#builder.take()));
  }

  #note(revision: number, observedMs: number): void {
    const known = this.#time;
    if (known === undefined || (revision !== known.revision && observedMs - this.#timeFromMs >= TIME_STEP_MS)) {
      this.#tellTime();
      this.#timeFromMs = observedMs;
    }
    this.#time = { revision, observedMs: Math.max(observedMs, this.#time?.observedMs ?? 0) };
  }

  #tellTime(): void {
    if (this.#time !== undefined) this.#encoder.addTime(this.#time.revision, this.#time.observedMs);
    this.#time = undefined;
  }
}

function damaged(rule: string): EtcdOpsError {
  return new EtcdOpsError('DELTA_DAMAGED', { message: rule });
}
