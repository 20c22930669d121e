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

export type ResumeSource = 'stream' | 'state' | 'repository';

export interface ResumePoint extends CapturedPoint {
  source: ResumeSource;
}

export interface ResumeSources {
  /** What the last event of the cluster's stream ends at. */
  stream: CapturedPoint | undefined;
  /** What the uploader recorded as durable. Read only when the stream is empty. */
  state: () => Promise<CapturedPoint | undefined>;
  /** What the repository itself ends at. Read only when the bus knows nothing. */
  repository: () => Promise<CapturedPoint | undefined>;
}

/**
 * Where capture goes on: the stream's end, else the recorded position, else the repository's head. Undefined: the first time.
 * A later source is only asked when the one before it is empty, so a stream that lost its tail makes us capture that tail again.
 */
export async function findResumePoint(sources: ResumeSources): Promise<ResumePoint | undefined> {
  if (sources.stream !== undefined) return { ...sources.stream, source: 'stream' };
  const state = await sources.state();
  if (state !== undefined) return { ...state, source: 'state' };
  const repository = await sources.repository();
  return repository === undefined ? undefined : { ...repository, source: 'repository' };
}

/**
 * Does the history at `point` stand on no full? True right after it began, and when a watcher died before its request for
 * one was heard: then what the uploader made durable does not hang on the repository's newest chain.
 */
export function isBaseMissing(
  point: CapturedPoint,
  head: { timeline: number; revision: Revision } | undefined,
  durable: { timeline: number; revision: Revision } | undefined,
): boolean {
  if (head === undefined || head.timeline < point.timeline) return true;
  return durable !== undefined && durable.timeline === head.timeline && durable.revision > head.revision;
}
