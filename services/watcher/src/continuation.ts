import type { OverlapOutcome } from './overlap-check.ts';

/**
 * Does the cluster go on from L, the last captured revision? Two tables, asked in this order on every (re)connect.
 * Judging a continuation as a fork or gap costs one full snapshot; judging a fork as a continuation spoils the history
 * for ever. So every doubtful cell is decided against going on.
 */

/** The cluster id in the header of the linearizable read, against the recorded one. */
export type ClusterIdentity = 'same' | 'other';
/** The revision of the linearizable read, against L. */
export type HeadPosition = 'reached' | 'below';
/** The raft index of the member, against the one that this member last had. */
export type RaftProgress = 'not-lower' | 'lower' | 'unknown';

/** `timeline-begun`: a newer timeline has begun, and what it goes on from was lost. */
export type ForkEvidence =
  | 'timeline-begun'
  | 'cluster-id'
  | 'head-below'
  | 'raft-index'
  | 'rows-differ'
  | 'rows-missing';
export type BeforeWatch = { decision: 'watch' } | { decision: 'fork'; evidence: ForkEvidence };

const WATCH: BeforeWatch = { decision: 'watch' };
const OTHER_CLUSTER: BeforeWatch = { decision: 'fork', evidence: 'cluster-id' };
const HEAD_BELOW: BeforeWatch = { decision: 'fork', evidence: 'head-below' };
const RAFT_BACK: BeforeWatch = { decision: 'fork', evidence: 'raft-index' };

export const BEFORE_WATCH: Record<ClusterIdentity, Record<HeadPosition, Record<RaftProgress, BeforeWatch>>> = {
  same: {
    reached: { 'not-lower': WATCH, lower: RAFT_BACK, unknown: WATCH },
    below: { 'not-lower': HEAD_BELOW, lower: HEAD_BELOW, unknown: HEAD_BELOW },
  },
  other: {
    reached: { 'not-lower': OTHER_CLUSTER, lower: OTHER_CLUSTER, unknown: OTHER_CLUSTER },
    below: { 'not-lower': OTHER_CLUSTER, lower: OTHER_CLUSTER, unknown: OTHER_CLUSTER },
  },
};

/** What the watch from L itself answered: the overlap check's outcome, `nothing` in time, or canceled as `compacted`. */
export type FirstAnswer = OverlapOutcome | 'nothing' | 'compacted';
/**
 * Is the compact revision C of that member, read after the first answer, below L? At C = L, etcd before 3.4.36 and
 * 3.5.18 may leave the tombstones of L out, and a revision of nothing else vanishes: then differing rows prove no fork.
 */
export type CompactionPosition = 'below' | 'reached';

export type AtFirstAnswer =
  | { decision: 'continue'; proven: boolean }
  | { decision: 'fork'; evidence: ForkEvidence }
  | { decision: 'gap' }
  | { decision: 'wait' };

const GO_ON: AtFirstAnswer = { decision: 'continue', proven: true };
const GO_ON_UNPROVEN: AtFirstAnswer = { decision: 'continue', proven: false };
const GAP: AtFirstAnswer = { decision: 'gap' };

export const AT_FIRST_ANSWER: Record<FirstAnswer, Record<CompactionPosition, AtFirstAnswer>> = {
  same: { below: GO_ON, reached: GO_ON },
  other: { below: { decision: 'fork', evidence: 'rows-differ' }, reached: GAP },
  missing: { below: { decision: 'fork', evidence: 'rows-missing' }, reached: GAP },
  uncompared: { below: GO_ON_UNPROVEN, reached: GO_ON_UNPROVEN },
  // The member has L (linearizable read) and has not compacted it: its rows are on their way.
  nothing: { below: { decision: 'wait' }, reached: GAP },
  compacted: { below: GAP, reached: GAP },
};
