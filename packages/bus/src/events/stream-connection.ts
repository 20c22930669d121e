import type { Revision } from '@etcd-ops/core';
import type { Bus } from '../connection.ts';
import type { Expectation } from './accept-event.ts';
import type { EventHeaders } from './event-message.ts';
import { storedMessages } from './stored-range.ts';
import { StreamFollower, wholeEvents, type LastEvent } from './stream-follower.ts';
import { streamFacts } from './stream-facts.ts';

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
}

/**
 * Goes through a whole stream, by its headers, as a reader does who knows only what is known outside of it. A fenced writer leaves no
 * hole, but a damaged block, a lost tail that was written over, or somebody's purge does: rows behind it never count, and the writer,
 * who looks at the end of the stream only, would never notice.
 * @throws EtcdOpsError of the bus, CANCELLED
 */
export async function connectStream(
  bus: Bus,
  cluster: string,
  known: KnownPoint | undefined,
  options: { signal?: AbortSignal } = {},
): Promise<StreamConnection> {
  const { firstSequence: from, lastSequence: to, messages } = await streamFacts(bus, cluster);
  if (messages === 0) return {};
  let reader: StreamFollower | undefined;
  let first: EventHeaders | undefined;
  const stored = storedMessages(bus, cluster, { ...options, from, to, headersOnly: true });
  for await (const whole of wholeEvents(stored, from)) {
    first ??= whole.headers;
    // Who knows nothing believes a start, and no rows: they hang on nothing.
    if (reader === undefined && known === undefined && whole.headers.kind !== 'start') continue;
    reader ??= new StreamFollower(expectationAt(known, whole.headers));
    reader.push(whole);
  }
  const { last, expected } = reader ?? {};
  return {
    ...(first === undefined ? {} : { first }),
    ...(last === undefined ? {} : { last }),
    ...(expected === undefined ? {} : { expected }),
  };
}

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
