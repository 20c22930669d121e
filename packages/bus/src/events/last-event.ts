import type { Bus } from '../connection.ts';
import { acceptEvent, type Expectation } from './accept-event.ts';
import type { EventHeaders } from './event-message.ts';
import { PartJoiner, type WholeEvent } from './part-joiner.ts';
import { storedMessages } from './stored-range.ts';
import { streamFacts } from './stream-facts.ts';

/** The newest message of a stream that counts. */
export type LastEvent = EventHeaders & {
  /** Of the last part. */
  sequence: number;
};

export interface TailState {
  /** The stream's last sequence: what a writer expects. The last message may lie below it. */
  lastSequence: number;
  /** The limit of the stream; -1 for none. */
  bytesMax: number;
  last?: LastEvent;
  /** What comes next by the reader's rule. */
  expected?: Expectation;
}

/** So many of the newest messages are judged; a drained stream holds far fewer. */
const SCANNED_MESSAGES_MAX = 4_096;

/**
 * Where the history in a stream ends, by the rule that its readers follow: an unfinished group of parts at the end does
 * not count, nor does a message behind a hole, though it be the very last.
 */
export async function tailState(bus: Bus, cluster: string, signal?: AbortSignal): Promise<TailState> {
  const facts = await streamFacts(bus, cluster);
  const { lastSequence, bytesMax } = facts;
  if (facts.messages === 0) return { lastSequence, bytesMax };
  const from = Math.max(facts.firstSequence, lastSequence - SCANNED_MESSAGES_MAX + 1);
  const options = { from, to: lastSequence, headersOnly: true, ...(signal === undefined ? {} : { signal }) };
  const joiner = new PartJoiner({ trimmedBelow: facts.firstSequence });
  let expected: Expectation | undefined;
  let last: LastEvent | undefined;
  for await (const stored of storedMessages(bus, cluster, options)) {
    const whole: WholeEvent | undefined = 'sequence' in stored ? joiner.push(stored).whole : undefined;
    const verdict = whole === undefined ? undefined : acceptEvent(expected, whole.headers);
    if (whole === undefined || verdict === undefined || verdict.verdict === 'skip') continue;
    expected = verdict.next;
    last = { ...whole.headers, sequence: whole.lastSequence };
  }
  return {
    lastSequence,
    bytesMax,
    ...(last === undefined ? {} : { last }),
    ...(expected === undefined ? {} : { expected }),
  };
}

/** The newest message that counts; undefined for a stream that holds none. */
export async function lastEvent(bus: Bus, cluster: string): Promise<LastEvent | undefined> {
  return (await tailState(bus, cluster)).last;
}
