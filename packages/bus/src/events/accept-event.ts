import type { Revision } from '@etcd-ops/core';
import type { EventHeaders } from './event-message.ts';

/** What a reader of an event stream stands at. */
export interface Expectation {
  timeline: number;
  clusterId: bigint;
  /** The next revision that is wanted; everything below is known. */
  revision: Revision;
}

export type SkipReason =
  /** Nothing in it is new: a writer repeated what an earlier one had stored. Harmless. */
  | 'overlap'
  /** It begins behind a hole. A fenced writer never makes one: alarm. */
  | 'beyond'
  | 'foreign-cluster'
  | 'foreign-timeline'
  /** A writer ended between two parts; the rows come again. Harmless. */
  | 'incomplete'
  /** The message cannot be read at all. */
  | 'invalid'
  /** The stream does not hold that sequence any more. */
  | 'missing';

export type Verdict =
  | { verdict: 'accept'; keepFrom: Revision; next: Expectation }
  /** A start: rows go on from `next`. `contiguous` is false when rows between were never captured. */
  | { verdict: 'reset'; contiguous: boolean; next: Expectation }
  | { verdict: 'skip'; reason: SkipReason };

/**
 * The rule by which every reader of an event stream, and every writer that opens it, decides whether a whole message
 * counts. Pure, so that all of them reach the same verdict over the same stream:
 *
 * - rows count only if they begin at or below the revision expected. Rows below it are cut off (the stream may repeat
 *   what an earlier writer stored before its acknowledgement was lost), rows behind a hole never count;
 * - a true hole exists only as an explicit start message;
 * - rows of another cluster or timeline never count; a start never leads back to an older timeline.
 *
 * `expected` is undefined for who begins to read without knowing anything: then the first message is believed.
 */
export function acceptEvent(expected: Expectation | undefined, event: EventHeaders): Verdict {
  if (event.kind === 'start') return acceptStart(expected, event);
  const { timeline, clusterId } = event;
  const state = expected ?? { timeline, clusterId, revision: event.first };
  if (clusterId !== state.clusterId) return { verdict: 'skip', reason: 'foreign-cluster' };
  if (timeline !== state.timeline) return { verdict: 'skip', reason: 'foreign-timeline' };
  if (event.first > state.revision) return { verdict: 'skip', reason: 'beyond' };
  const next = { timeline, clusterId, revision: Math.max(state.revision, event.last + 1) };
  // What was learned of leases is news also beside old rows.
  if (event.last < state.revision && event.leaseCount === 0) return { verdict: 'skip', reason: 'overlap' };
  return { verdict: 'accept', keepFrom: state.revision, next };
}

function acceptStart(expected: Expectation | undefined, event: EventHeaders): Verdict {
  const { timeline, clusterId } = event;
  const next = { timeline, clusterId, revision: event.last + 1 };
  if (expected === undefined) return { verdict: 'reset', contiguous: false, next };
  if (timeline < expected.timeline) return { verdict: 'skip', reason: 'foreign-timeline' };
  if (timeline === expected.timeline && clusterId !== expected.clusterId) {
    return { verdict: 'skip', reason: 'foreign-cluster' };
  }
  // What a catch-up wrote out of a file is known as well, if it began where this reader stands.
  const known = event.cause === 'caught-up' && event.after !== undefined ? event.after + 1 : next.revision;
  return { verdict: 'reset', contiguous: timeline === expected.timeline && known <= expected.revision, next };
}
