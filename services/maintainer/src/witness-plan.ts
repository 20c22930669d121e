import type { MemberView } from './cluster-view.ts';

/** What may be asked of a cluster now. */
export type WitnessPlan =
  /** A compaction left hashes behind: asking costs nothing, so every member that has one is asked. */
  | { kind: 'free'; members: MemberView[] }
  /** One follower reads all its rows, and serves nobody meanwhile. */
  | { kind: 'scan'; member: MemberView }
  | { kind: 'none'; reason: string };

export interface WitnessPlanInput {
  members: readonly MemberView[];
  compactRevision: number;
  /** C when the newest witness was given; -1 when there is none. */
  lastCompactRevision: number;
  /** When a member was last asked to read all its rows; undefined: never. */
  lastScanMs: number | undefined;
  nowMs: number;
  mode: 'free' | 'follower';
}

/** Members of etcd keep the hash of a compaction from this version on. */
const FREE_SINCE = [3, 5, 5] as const;
const SCAN_EVERY_MS = 3_600_000;
/** With fewer, one that reads all its rows may be the one that a quorum, or a client, waits for. */
const MEMBERS_MIN = 3;

/**
 * HashKV over all rows stops the member that computes it, so it is for followers of a healthy cluster of three or more, once an hour, and
 * only where no compaction gives the same for nothing.
 */
export function planWitness(input: WitnessPlanInput): WitnessPlan {
  const { members, compactRevision, lastCompactRevision, lastScanMs, nowMs, mode } = input;
  const answering = members.filter(({ status, failure, isLearner }) => {
    return status !== undefined && failure === undefined && !isLearner;
  });
  const free = answering.filter(({ status }) => keepsHashes(status!.version));
  if (compactRevision > 0 && free.length > 0) {
    if (compactRevision > lastCompactRevision) return { kind: 'free', members: free };
    return { kind: 'none', reason: 'nothing was compacted since the last witness' };
  }
  if (mode === 'free') {
    return { kind: 'none', reason: 'no compaction has left a hash, and nothing that costs is allowed' };
  }
  if (lastScanMs !== undefined && nowMs - lastScanMs < SCAN_EVERY_MS) {
    return { kind: 'none', reason: 'a follower was asked less than an hour ago' };
  }
  const follower = answering.find(({ status }) => !status!.isLeader && status!.errors.length === 0);
  if (members.length < MEMBERS_MIN || answering.length < members.length || follower === undefined) {
    return { kind: 'none', reason: 'it takes a healthy cluster of three members or more to spare one of them' };
  }
  return { kind: 'scan', member: follower };
}

/** Versions are `3.5.16`, or `3.6.0-rc.1`. */
export function keepsHashes(version: string): boolean {
  const numbers = version.split(/[.-]/, 3).map(Number);
  for (const [index, wanted] of FREE_SINCE.entries()) {
    const found = numbers[index] ?? 0;
    if (found !== wanted) return found > wanted;
  }
  return true;
}
