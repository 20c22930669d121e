import { acceptEvent, type Expectation } from './accept-event.ts';
import type { EventHeaders } from './event-message.ts';
import { PartJoiner, type Skipped, type StoredEvent, type WholeEvent } from './part-joiner.ts';

/** A message of a stream that counts. */
export type LastEvent = EventHeaders & {
  /** Of the last part. */
  sequence: number;
};

/** A start after which rows are worth nothing without a new full snapshot. */
export type Beginning = EventHeaders & { cause: 'first' | 'fork' | 'gap' };

/** Goes along whole messages by the reader's rule, and remembers the last one that counted. */
export class StreamFollower {
  /** What comes next by the rule. */
  expected: Expectation | undefined;
  last: LastEvent | undefined;
  /** The newest beginning among the messages that counted. */
  beginning: Beginning | undefined;
  /** Whether all that did not count was known already. */
  isWhole = true;

  constructor(expected?: Expectation) {
    this.expected = expected;
  }

  push({ headers, lastSequence }: WholeEvent): void {
    const verdict = acceptEvent(this.expected, headers);
    if (verdict.verdict === 'skip') {
      if (verdict.reason !== 'overlap') this.isWhole = false;
      return;
    }
    this.expected = verdict.next;
    this.last = { ...headers, sequence: lastSequence };
    if (isBeginning(headers)) this.beginning = headers;
  }
}

/** The messages that are whole, by their headers; `trimmedBelow` as for PartJoiner. */
export async function* wholeEvents(
  messages: AsyncIterable<StoredEvent | Skipped>,
  trimmedBelow: number,
): AsyncGenerator<WholeEvent> {
  const joiner = new PartJoiner({ trimmedBelow });
  for await (const stored of messages) {
    const whole = 'sequence' in stored ? joiner.push(stored).whole : undefined;
    if (whole !== undefined) yield whole;
  }
}

function isBeginning(event: EventHeaders): event is Beginning {
  return event.cause === 'first' || event.cause === 'fork' || event.cause === 'gap';
}
