import type { Revision } from '@etcd-ops/core';

/** The last captured revision (L) and what was recorded of it. */
export interface CapturedPoint {
  timeline: number;
  revision: Revision;
  /** RevisionDigest of the rows of `revision`, sealed when it was learned of an encrypted object; null when unknown. */
  digest: string | null;
  /** undefined when the source does not record it. */
  clusterId: bigint | undefined;
}

/** The end of the repository's newest chain. */
export interface RepositoryPoint extends CapturedPoint {
  /** The highest timeline that has begun there. */
  newestTimeline: number;
  /** Whether its timeline has a full at all; without one, deltas hang on nothing. */
  hasFull: boolean;
  /** Whether a delta ends at `revision`: then its rows came out of the stream, or were written for it. */
  endsInDelta: boolean;
  /** Mean stored bytes of a revision in its newest deltas; undefined when there are none. */
  revisionBytes?: number;
}

export type ResumeSource = 'stream' | 'state' | 'repository';

export interface ResumePoint extends CapturedPoint {
  source: ResumeSource;
  /** The highest timeline that is known anywhere: a fork begins the one after it. */
  newestTimeline: number;
}

export interface ResumeSources {
  /** What the last event of the cluster's stream ends at. */
  stream: CapturedPoint | undefined;
  /** What the uploader recorded as durable. */
  state: CapturedPoint | undefined;
  /** What the repository itself ends at. */
  repository: RepositoryPoint | undefined;
}

/**
 * Where capture goes on: the newest of the stream's end, the recorded position and the end of the repository's deltas; of equal ones
 * the first. Undefined: the first time.
 *
 * What is durable comes out of the stream, so it is ahead only when the bus lost its tail. Were the stream believed then, the overlap
 * check would compare a revision that a fork may share with the old history, and the fork's rows would be spliced behind, or between,
 * what is durable already. A full that ends behind the stream does not count: it holds no history of the rows between.
 */
export function findResumePoint(sources: ResumeSources): ResumePoint | undefined {
  const { stream, state, repository } = sources;
  let found: { source: ResumeSource; point: CapturedPoint } | undefined;
  const consider = (source: ResumeSource, point: CapturedPoint | undefined): void => {
    if (point !== undefined && (found === undefined || isNewer(point, found.point))) found = { source, point };
  };
  consider('stream', stream);
  consider('state', state);
  const isNewTimeline = repository !== undefined && repository.timeline > (found?.point.timeline ?? 0);
  if (isNewTimeline || repository?.endsInDelta === true) consider('repository', repository);
  if (found === undefined) return undefined;
  const { source, point } = found;
  const { timeline, revision, digest } = point;
  const clusterId = point.clusterId ?? [stream, repository].find((other) => other?.timeline === timeline)?.clusterId;
  const newestTimeline = Math.max(timeline, state?.timeline ?? 0, repository?.newestTimeline ?? 0);
  return { timeline, revision, digest, clusterId, source, newestTimeline };
}

/** Does it lie behind the other? */
export function isNewer(one: CapturedPoint, other: CapturedPoint): boolean {
  return one.timeline === other.timeline ? one.revision > other.revision : one.timeline > other.timeline;
}

/**
 * Does the history at `point` stand on no full? True right after it began, and when a watcher died before its request for
 * one was heard: then what the uploader made durable does not hang on the repository's newest chain, or, as long as the stream
 * still holds the message with which the history began, that chain ends before it.
 */
export function isBaseMissing(
  point: Pick<CapturedPoint, 'timeline' | 'revision'>,
  head: { timeline: number; revision: Revision; hasFull: boolean } | undefined,
  durable: { timeline: number; revision: Revision } | undefined,
  beginning?: { timeline: number; last: Revision },
): boolean {
  if (head === undefined || !head.hasFull || head.timeline < point.timeline) return true;
  if (beginning?.timeline === head.timeline && beginning.last > head.revision) return true;
  return durable !== undefined && durable.timeline === head.timeline && durable.revision > head.revision;
}
