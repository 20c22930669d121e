import type { Bus } from '../connection.ts';
import type { Expectation } from './accept-event.ts';
import type { Skipped, StoredEvent, WholeEvent } from './part-joiner.ts';
import { storedMessages } from './stored-range.ts';
import { StreamFollower, wholeEvents, type Beginning, type LastEvent } from './stream-follower.ts';
import { streamFacts, type StreamFacts } from './stream-facts.ts';

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
  /** All that the stream holds, where that is not too much to look at. */
  all?: StreamHeaders;
}

/** The messages of a whole stream that are whole, by their headers. */
export interface StreamHeaders {
  facts: StreamFacts;
  events: readonly Omit<WholeEvent, 'payload'>[];
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
  const facts = await streamFacts(bus, cluster);
  const { lastSequence, bytesMax, messages, firstSequence } = facts;
  if (messages === 0) return { lastSequence, bytesMax, all: { facts, events: [] } };
  for (let scanned = options.scannedMessagesMax ?? SCANNED_MESSAGES_MAX; ; scanned *= SCAN_GROWTH) {
    const from = Math.max(firstSequence, lastSequence - scanned + 1);
    const range = { from, to: lastSequence, facts, headersOnly: true };
    const signal = options.signal === undefined ? {} : { signal: options.signal };
    const { follower, events } = await judge(storedMessages(bus, cluster, { ...range, ...signal }), firstSequence);
    const { last, expected, beginning } = follower;
    if (last === undefined && from > firstSequence) continue;
    return {
      lastSequence,
      bytesMax,
      ...(last === undefined ? {} : { last }),
      ...(expected === undefined ? {} : { expected }),
      ...(beginning === undefined ? {} : { beginning }),
      ...(from > firstSequence ? {} : { all: { facts, events } }),
    };
  }
}

async function judge(
  messages: AsyncIterable<StoredEvent | Skipped>,
  trimmedBelow: number,
): Promise<{ follower: StreamFollower; events: StreamHeaders['events'] }> {
  const follower = new StreamFollower();
  const events: Omit<WholeEvent, 'payload'>[] = [];
  for await (const { headers, firstSequence, lastSequence } of wholeEvents(messages, trimmedBelow)) {
    const event = { headers, firstSequence, lastSequence };
    follower.push(event);
    events.push(event);
  }
  return { follower, events };
}

/** The newest message that counts; undefined for a stream that holds none. */
export async function lastEvent(bus: Bus, cluster: string): Promise<LastEvent | undefined> {
  return (await tailState(bus, cluster)).last;
}
