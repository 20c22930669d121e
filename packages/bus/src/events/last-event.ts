import type { Bus } from '../connection.ts';
import { acceptEvent, type Expectation } from './accept-event.ts';
import type { EventHeaders } from './event-message.ts';
import { PartJoiner, type Skipped, type StoredEvent, type WholeEvent } from './part-joiner.ts';
import { storedMessages } from './stored-range.ts';
import { streamFacts } from './stream-facts.ts';

/** The newest message of a stream that counts. */
export type LastEvent = EventHeaders & {
  /** Of the last part. */
  sequence: number;
};

/** A start after which rows are worth nothing without a new full snapshot. */
export type Beginning = EventHeaders & { cause: 'first' | 'fork' | 'gap' };

export interface TailState {
  /** The stream's last sequence: what a writer expects. The last message may lie below it. */
  lastSequence: number;
  /** The limit of the stream; -1 for none. */
  bytesMax: number;
  last?: LastEvent;
  /** The newest beginning that the stream still holds among the messages looked at. */
  beginning?: Beginning;
  /** What comes next by the reader's rule. */
  expected?: Expectation;
}

/** So many of the newest messages are judged; a drained stream holds far fewer. More only if no whole one is among them. */
const SCANNED_MESSAGES_MAX = 1_024;
const SCAN_GROWTH = 8;

/**
 * Where the history in a stream ends, by the rule that its readers follow: an unfinished group of parts at the end does
 * not count, nor does a message behind a hole, though it be the very last.
 */
export async function tailState(
  bus: Bus,
  cluster: string,
  options: { signal?: AbortSignal; scannedMessagesMax?: number } = {},
): Promise<TailState> {
  const { lastSequence, bytesMax, messages, firstSequence } = await streamFacts(bus, cluster);
  if (messages === 0) return { lastSequence, bytesMax };
  for (let scanned = options.scannedMessagesMax ?? SCANNED_MESSAGES_MAX; ; scanned *= SCAN_GROWTH) {
    const from = Math.max(firstSequence, lastSequence - scanned + 1);
    const range = { from, to: lastSequence, headersOnly: true };
    const signal = options.signal === undefined ? {} : { signal: options.signal };
    const tail = await judge(storedMessages(bus, cluster, { ...range, ...signal }), firstSequence);
    if (tail.last !== undefined || from === firstSequence) return { lastSequence, bytesMax, ...tail };
  }
}

async function judge(
  messages: AsyncIterable<StoredEvent | Skipped>,
  trimmedBelow: number,
): Promise<Pick<TailState, 'last' | 'expected' | 'beginning'>> {
  const joiner = new PartJoiner({ trimmedBelow });
  let expected: Expectation | undefined;
  let last: LastEvent | undefined;
  let beginning: Beginning | undefined;
  for await (const stored of messages) {
    const whole: WholeEvent | undefined = 'sequence' in stored ? joiner.push(stored).whole : undefined;
    const verdict = whole === undefined ? undefined : acceptEvent(expected, whole.headers);
    if (whole === undefined || verdict === undefined || verdict.verdict === 'skip') continue;
    expected = verdict.next;
    last = { ...whole.headers, sequence: whole.lastSequence };
    if (isBeginning(whole.headers)) beginning = whole.headers;
  }
  return {
    ...(last === undefined ? {} : { last }),
    ...(expected === undefined ? {} : { expected }),
    ...(beginning === undefined ? {} : { beginning }),
  };
}

function isBeginning(event: EventHeaders): event is Beginning {
  return event.cause === 'first' || event.cause === 'fork' || event.cause === 'gap';
}

/** The newest message that counts; undefined for a stream that holds none. */
export async function lastEvent(bus: Bus, cluster: string): Promise<LastEvent | undefined> {
  return (await tailState(bus, cluster)).last;
}
