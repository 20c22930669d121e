import type { Revision } from '@etcd-ops/core';

/** The last captured revision (L) and what was recorded of it. */
export interface CapturedPoint {
  timeline: number;
  revision: Revision;
  /** RevisionDigest of the rows of `revision`; null when unknown. */
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
 * Where capture goes on: the stream's end, else the recorded position, else the repository's head. Undefined: the first time.
 * A later source only counts when the one before it is empty, so a stream that lost its tail makes us capture that tail again.
 */
export function findResumePoint(sources: ResumeSources): ResumePoint | undefined {
  const { stream, state, repository } = sources;
  const point = stream ?? state ?? repository;
  if (point === undefined) return undefined;
  const { timeline, revision, digest, clusterId } = point;
  const source = stream !== undefined ? 'stream' : state !== undefined ? 'state' : 'repository';
  const newestTimeline = Math.max(timeline, state?.timeline ?? 0, repository?.newestTimeline ?? 0);
  return { timeline, revision, digest, clusterId, source, newestTimeline };
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
