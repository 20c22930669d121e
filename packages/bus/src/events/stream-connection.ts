import type { Revision } from '@etcd-ops/core';
import type { Bus } from '../connection.ts';
import type { Expectation } from './accept-event.ts';
import { decodeHeaders } from './event-codec.ts';
import type { EventHeaders } from './event-message.ts';
import type { StreamHeaders } from './last-event.ts';
import { messageAtLeader } from './stored-message.ts';
import { storedMessages } from './stored-range.ts';
import { StreamFollower, wholeEvents, type LastEvent } from './stream-follower.ts';
import { streamFacts, type StreamFacts } from './stream-facts.ts';

/** How far a history is known outside of the stream. */
export interface KnownPoint {
  timeline: number;
  revision: Revision;
  /** undefined: whatever the stream says. */
  clusterId?: bigint | undefined;
}

/** How a stream goes on from what is known. */
export interface StreamConnection {
  /** The first whole message that the stream still holds. */
  first?: EventHeaders;
  /** The last message that counts for a reader who knows what is known; undefined when none does. */
  last?: LastEvent;
  /** What that reader waits for behind it; undefined when nothing counts and nothing is known either. */
  expected?: Expectation;
  /** For the next look at the same stream, which goes on from this one where that is safe; only where nothing lacked. */
  seen?: SeenStream;
}

/** A stretch of a stream without a hole, as somebody went through it. */
interface SeenStream {
  known: KnownPoint;
  firstSequence: number;
  first: EventHeaders;
  last: LastEvent;
  expected: Expectation;
}

/**
 * Goes through a whole stream, by its headers, as a reader does who knows only what is known outside of it. A fenced writer leaves no
 * hole, but a damaged block, a lost tail that was written over, or somebody's purge does: rows behind it never count, and the writer,
 * who looks at the end of the stream only, would never notice.
 *
 * A stream that nobody drains grows long: with `earlier`, what was gone through then is not gone through again as long as it begins
 * where it began, its end is the same message, and no message lacks in all of the stream. With `all`, it is what was just read.
 * @throws EtcdOpsError of the bus, CANCELLED
 */
export async function connectStream(
  bus: Bus,
  cluster: string,
  known: KnownPoint | undefined,
  options: { signal?: AbortSignal; earlier?: StreamConnection | undefined; all?: StreamHeaders | undefined } = {},
): Promise<StreamConnection> {
  const { all } = options;
  const facts = all?.facts ?? (await streamFacts(bus, cluster));
  const { firstSequence, lastSequence: to, messages } = facts;
  if (messages === 0) return {};
  const seen = all === undefined ? options.earlier?.seen : undefined;
  const isContinued = seen !== undefined && (await isStillThere(bus, cluster, { seen, known, facts }));
  const from = isContinued ? seen.last.sequence + 1 : firstSequence;
  let reader: StreamFollower | undefined;
  let first: EventHeaders | undefined;
  if (isContinued) {
    reader = new StreamFollower(seen.expected);
    reader.last = seen.last;
    first = seen.first;
  }
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const stored = from > to ? none() : storedMessages(bus, cluster, { ...signal, from, to, facts, headersOnly: true });
  for await (const whole of all?.events ?? wholeEvents(stored, isContinued ? 0 : from)) {
    first ??= whole.headers;
    // Who knows nothing believes a start, and no rows: they hang on nothing.
    if (reader === undefined && known === undefined && whole.headers.kind !== 'start') continue;
    reader ??= new StreamFollower(expectationAt(known, whole.headers));
    reader.push(whole);
  }
  const { last, expected, isWhole = false } = reader ?? {};
  const connection = {
    ...(first === undefined ? {} : { first }),
    ...(last === undefined ? {} : { last }),
    ...(expected === undefined ? {} : { expected }),
  };
  if (!isWhole || !hasNoHole(facts) || known === undefined) return connection;
  if (first === undefined || last === undefined || expected === undefined) return connection;
  return { ...connection, seen: { known, firstSequence, first, last, expected } };
}

/** Sequences are given out again only from the end of a stream on: below a message that is the same, what is there is the same. */
async function isStillThere(
  bus: Bus,
  cluster: string,
  { seen, known, facts }: { seen: SeenStream; known: KnownPoint | undefined; facts: StreamFacts },
): Promise<boolean> {
  const { known: before, last, expected } = seen;
  if (known === undefined || known.timeline !== before.timeline || known.revision < before.revision) return false;
  if (known.timeline === expected.timeline && known.revision >= expected.revision) return false;
  const isSameFront = facts.firstSequence === seen.firstSequence && facts.lastSequence >= last.sequence;
  if (!isSameFront || !hasNoHole(facts)) return false;
  const stored = await messageAtLeader(bus, cluster, last.sequence);
  try {
    const found = decodeHeaders(stored?.headers);
    return (
      found.epoch === last.epoch && found.first === last.first && found.last === last.last && found.part === found.parts
    );
  } catch {
    return false;
  }
}

function hasNoHole({ firstSequence, lastSequence, messages }: StreamFacts): boolean {
  return messages === lastSequence - firstSequence + 1;
}

async function* none(): AsyncGenerator<never> {}

/** Whether a reader comes to a point of the stream, or beyond. */
export function isReached(
  { expected }: StreamConnection,
  { timeline, revision }: { timeline: number; revision: Revision },
): boolean {
  if (expected === undefined) return false;
  return expected.timeline === timeline ? expected.revision > revision : expected.timeline > timeline;
}

function expectationAt(known: KnownPoint | undefined, first: EventHeaders): Expectation | undefined {
  if (known === undefined) return undefined;
  const { timeline, revision, clusterId = first.clusterId } = known;
  return { timeline, clusterId, revision: revision + 1 };
}
