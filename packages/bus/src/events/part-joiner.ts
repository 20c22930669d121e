import { isEtcdOpsError } from '@etcd-ops/core';
import type { MsgHdrs } from 'nats';
import type { SkipReason } from './accept-event.ts';
import { decodeHeaders } from './event-codec.ts';
import type { EventHeaders } from './event-message.ts';
import { freeReceived } from './stored-message.ts';

/** A stored message of an event stream; `payload` is absent when only headers were asked for. */
export interface StoredEvent {
  sequence: number;
  headers: MsgHdrs | undefined;
  payload?: Buffer;
}

/** One whole message: its headers, where it lies, and the joined payload. */
export interface WholeEvent {
  headers: EventHeaders;
  firstSequence: number;
  lastSequence: number;
  payload?: Buffer;
}

export interface Skipped {
  reason: SkipReason;
  firstSequence: number;
  lastSequence: number;
  detail?: string;
}

/**
 * Joins the parts of messages. A group counts only when all of its parts lie one behind the other; a writer that was
 * fenced or lost its connection leaves the beginning of a group, and its successor writes the whole message again.
 */
export class PartJoiner {
  readonly #trimmedBelow: number;
  #group: { headers: EventHeaders; firstSequence: number; next: number; payloads: Buffer[] } | undefined;

  /**
   * A stream whose reader trimmed it begins with the last part of a message, the others being gone. Who only needs the
   * headers names the first sequence of the stream here, and such a message counts.
   */
  constructor(options: { trimmedBelow?: number } = {}) {
    this.#trimmedBelow = options.trimmedBelow ?? 0;
  }

  /** What ended with this message: a whole event, and whatever was given up for it. @throws EtcdOpsError BUS_VERSION_UNKNOWN */
  push(stored: StoredEvent): { whole?: WholeEvent; skipped?: Skipped } {
    let headers: EventHeaders;
    try {
      headers = decodeHeaders(stored.headers);
    } catch (error) {
      // To pass over it would be to lose what it holds: who cannot read it leaves the stream to who can.
      if (isEtcdOpsError(error, 'BUS_VERSION_UNKNOWN')) throw error;
      this.#group = undefined;
      const detail = error instanceof Error ? error.message : String(error);
      const { sequence } = stored;
      return { skipped: { reason: 'invalid', firstSequence: sequence, lastSequence: sequence, detail } };
    }
    const payloads = stored.payload === undefined ? [] : [stored.payload];
    const group = this.#group;
    if (group !== undefined && continues(group, headers, stored.sequence)) {
      group.payloads.push(...payloads);
      group.next++;
      return headers.part === headers.parts ? this.#finish(stored.sequence) : {};
    }
    const broken = this.end();
    const skipped = broken === undefined ? {} : { skipped: broken };
    const trimmed = stored.sequence === this.#trimmedBelow;
    if (headers.part !== 1 && !trimmed) {
      return {
        skipped: {
          reason: 'incomplete',
          firstSequence: broken?.firstSequence ?? stored.sequence,
          lastSequence: stored.sequence,
        },
      };
    }
    const firstSequence = stored.sequence - headers.part + 1;
    this.#group = { headers, firstSequence, next: stored.sequence + 1, payloads };
    return headers.part === headers.parts ? { ...this.#finish(stored.sequence), ...skipped } : skipped;
  }

  /** Gives up the group that was begun, if any. */
  end(): Skipped | undefined {
    const group = this.#group;
    this.#group = undefined;
    if (group === undefined) return undefined;
    return { reason: 'incomplete', firstSequence: group.firstSequence, lastSequence: group.next - 1 };
  }

  #finish(lastSequence: number): { whole: WholeEvent } {
    const { headers, firstSequence, payloads } = this.#group!;
    this.#group = undefined;
    const payload = payloads.length === 1 ? payloads[0]! : joinReceived(payloads);
    return { whole: { headers, firstSequence, lastSequence, ...(payloads.length === 0 ? {} : { payload }) } };
  }
}

/** Nobody else has the parts. */
function joinReceived(payloads: Buffer[]): Buffer {
  const payload = Buffer.concat(payloads);
  for (const part of payloads) freeReceived(part);
  return payload;
}

function continues(
  group: { headers: EventHeaders; firstSequence: number; next: number },
  part: EventHeaders,
  sequence: number,
): boolean {
  const { headers } = group;
  return (
    sequence === group.next &&
    part.part === sequence - group.firstSequence + 1 &&
    part.parts === headers.parts &&
    part.epoch === headers.epoch &&
    part.first === headers.first &&
    part.last === headers.last
  );
}
