import type { LastDone, TaskResult } from '@etcd-ops/bus';

/** What is known of a cluster's stream and of what of it is already durable. */
export interface StreamState {
  /** The newest sequence; 0 when the stream is empty. */
  headSequence: number;
  /** Bytes that the stream holds. */
  bytes: number;
  messages?: number;
  /** When it holds so many, capture waits. */
  bytesMax?: number;
  /** The newest sequence that is in the repository; 0 when nothing is. */
  recordedSequence: number;
}

export type DeltaDecision = { kind: 'idle' } | { kind: 'dispatch'; cutSequence: number; cause: 'period' | 'bytes' };

/** A delta is asked for only where the head has moved: by the period, or early when much waits. */
export function decideDelta(state: StreamState, options: { periodIsOver: boolean; bytesMax: number }): DeltaDecision {
  const { headSequence, recordedSequence, bytes } = state;
  // A server that lost the newest bytes of the stream gives sequences out again: its head may lie below what is recorded.
  if (headSequence === 0 || headSequence === recordedSequence) return { kind: 'idle' };
  if (options.periodIsOver) return { kind: 'dispatch', cutSequence: headSequence, cause: 'period' };
  if (bytes >= options.bytesMax) return { kind: 'dispatch', cutSequence: headSequence, cause: 'bytes' };
  return { kind: 'idle' };
}

/** How long the chain has grown since its base. */
export interface ChainGrowth {
  deltaBytes: number;
  /** Bytes of the base; undefined when there is none yet. */
  fullBytes: number | undefined;
}

/**
 * A chain that has grown too long makes restores slow: then a new base is wanted now. Both limits must be passed, so that
 * neither a small busy store nor a large calm one is copied again and again.
 */
export function chainIsTooLong(growth: ChainGrowth, limits: { deltaBytesMin: number; deltaRatio: number }): boolean {
  if (growth.fullBytes === undefined) return false;
  return growth.deltaBytes >= Math.max(limits.deltaBytesMin, growth.fullBytes * limits.deltaRatio);
}

/**
 * The edge of this full failed: two witnesses differ, and a third tells who is right. Only once for each full, and not for the third itself.
 */
export function wantsThirdWitness({ kind, ok, cause, summary }: TaskResult): boolean {
  if (kind !== 'full' || !ok || cause === 'proof') return false;
  const { edge } = summary;
  return typeof edge === 'object' && edge !== null && 'verdict' in edge && edge.verdict === 'failed';
}

export interface FullState {
  /** The newest tick of the schedule, at or before now. */
  lastTickMs: number | undefined;
  /** When the newest full that succeeded ended; undefined when there is none. */
  lastFullMs: number | undefined;
}

export type StartDecision = { kind: 'wait' } | { kind: 'dispatch'; cause: 'schedule'; tickMs: number };

/**
 * When a cluster comes into care: of all missed ticks the newest, once. The first full of all is the watcher's wish, which
 * asks for one with every history that it begins: two would ask for the same.
 */
export function decideAtStart({ lastFullMs, lastTickMs }: FullState): StartDecision {
  if (lastFullMs === undefined) return { kind: 'wait' };
  if (lastTickMs !== undefined && lastTickMs > lastFullMs) {
    return { kind: 'dispatch', cause: 'schedule', tickMs: lastTickMs };
  }
  return { kind: 'wait' };
}

export interface GcState {
  lastFullMs: number | undefined;
  lastGcMs: number | undefined;
  /** See `leavesWork`. */
  leftWork?: boolean;
}

/**
 * Only a new full can make older objects superfluous; rests of broken uploads are looked for once in a while. What the last collection
 * had to leave is taken up again after a while: else readers that come as regularly as fulls would keep it for ever.
 */
export function gcIsDue(
  state: GcState,
  options: { nowMs: number; restsEveryMs: number; leftAgainMs: number },
): boolean {
  if (state.lastGcMs === undefined) return state.lastFullMs !== undefined;
  if (state.lastFullMs !== undefined && state.lastFullMs > state.lastGcMs) return true;
  const againMs = state.leftWork === true ? Math.min(options.leftAgainMs, options.restsEveryMs) : options.restsEveryMs;
  return options.nowMs - state.lastGcMs >= againMs;
}

export interface CopyState {
  lastFullMs: number | undefined;
  lastDeltaMs: number | undefined;
  lastMergeMs: number | undefined;
  /** Of this destination. */
  lastCopy: LastDone | undefined;
}

/** How far the clocks of hosts may be apart: what came so shortly before a copy may have come behind its listing. */
const CLOCKS_APART_MS = 30_000;

/**
 * A destination is copied into when the cluster's store has become newer than what the last good copy saw, and again after a failure,
 * however long that lasts: this is how one that was away catches up. What its retention had to leave is taken up again as in `gcIsDue`.
 */
export function copyIsDue(
  { lastFullMs, lastDeltaMs = 0, lastMergeMs = 0, lastCopy }: CopyState,
  options: { nowMs: number; restsEveryMs: number; leftAgainMs: number },
): boolean {
  if (lastFullMs === undefined) return false;
  if (lastCopy?.tick === undefined || !lastCopy.ok) return true;
  const seenMs = Date.parse(lastCopy.tick) - CLOCKS_APART_MS;
  if (Math.max(lastFullMs, lastDeltaMs, lastMergeMs) > seenMs) return true;
  const { retention } = lastCopy.summary;
  const leftWork = typeof retention === 'object' && leavesWork({ summary: { ...retention } });
  const againMs = leftWork ? Math.min(options.leftAgainMs, options.restsEveryMs) : options.restsEveryMs;
  return options.nowMs - Date.parse(lastCopy.finishedAt) >= againMs;
}

export interface MergeState {
  /** When something was last stored; undefined: never, as far as is known. */
  lastStoredMs: number | undefined;
  lastMerge: LastDone | undefined;
}

/**
 * Only when a window of time that holds deltas has ended since the last merge is there anything to merge: a cluster that is calm is left
 * alone once its day is over. Now and then all the same, since more may lie in a store than was told of.
 */
export function mergeIsDue(
  { lastStoredMs, lastMerge }: MergeState,
  options: { nowMs: number; windowsMs: readonly number[]; settleMs: number; restsEveryMs: number },
): boolean {
  const { nowMs, windowsMs, settleMs, restsEveryMs } = options;
  if (lastMerge === undefined || !lastMerge.ok || lastMerge.summary['skipped'] !== undefined) return true;
  if (nowMs - Date.parse(lastMerge.finishedAt) >= restsEveryMs) return true;
  if (lastStoredMs === undefined) return false;
  const plannedMs = Date.parse(lastMerge.tick ?? lastMerge.finishedAt);
  return windowsMs.some((windowMs) => {
    const lastEndMs = (Math.floor(lastStoredMs / windowMs) + 1) * windowMs;
    const overMs = Math.min(lastEndMs, Math.floor((nowMs - settleMs) / windowMs) * windowMs);
    return overMs + settleMs > plannedMs;
  });
}

/** Whether a collection found what is to go and could not take it yet: it was marked only now, is in its grace, or is being read. */
export function leavesWork({ summary }: Pick<LastDone, 'summary'>): boolean {
  const { dryRun, marked, waiting, held } = summary;
  const newlyMarked = typeof marked === 'object' && marked !== null && 'count' in marked ? marked.count : 0;
  return dryRun !== true && [newlyMarked, waiting, held].some((count) => typeof count === 'number' && count > 0);
}
