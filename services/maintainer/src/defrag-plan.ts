import type { ClusterView, MemberView } from './cluster-view.ts';

export interface DefragLimits {
  /** A member is left alone unless at least this many bytes of its file are free pages ... */
  reclaimBytesMin: number;
  /** ... and at least this share of the file. */
  reclaimRatioMin: number;
  /** Raft entries that a member may be behind the leader and still count as healthy. */
  lagEntriesMax: number;
}

/** Once the quota is exceeded, any space is worth having; below this the alarm would be back at once. */
export const NOSPACE_RECLAIM_BYTES_MIN = 1024 * 1024;

export type DefragStep =
  | { kind: 'finished'; left: LeftAlone[] }
  | { kind: 'refuse'; reasons: string[] }
  | { kind: 'defragment'; member: MemberView; reclaimBytes: number }
  | { kind: 'move-leader'; from: MemberView; to: MemberView };

export interface LeftAlone {
  member: MemberView;
  reason: string;
}

/**
 * What to do next, judged anew from a fresh view after each step: followers first, the leader last and only after it has handed over
 * its leadership if there is another voter. Nothing is done to a cluster in which any member is not healthy.
 */
export function nextDefragStep(view: ClusterView, done: ReadonlySet<bigint>, limits: DefragLimits): DefragStep {
  const problems = healthProblems(view, limits.lagEntriesMax);
  if (problems.length > 0) return { kind: 'refuse', reasons: problems };

  const isFull = hasNoSpace(view);
  const open = view.members.filter((member) => !done.has(member.id));
  const wanted = open.filter((member) => refusalOf(member, isFull, limits) === undefined);
  if (wanted.length === 0) {
    if (isFull && done.size === 0) return { kind: 'refuse', reasons: [noSpaceReason(view)] };
    return {
      kind: 'finished',
      left: open.map((member) => ({ member, reason: refusalOf(member, isFull, limits) ?? '' })),
    };
  }
  const follower = wanted.find((member) => member.status?.isLeader === false);
  if (follower !== undefined) return { kind: 'defragment', member: follower, reclaimBytes: reclaimableBytes(follower) };
  const leader = wanted[0]!;
  const heir = heirOf(view, leader);
  if (heir !== undefined) return { kind: 'move-leader', from: leader, to: heir };
  return { kind: 'defragment', member: leader, reclaimBytes: reclaimableBytes(leader) };
}

/** Why nothing may be taken out of this cluster now; empty when every member is well. */
export function healthProblems(view: ClusterView, lagEntriesMax: number): string[] {
  const problems: string[] = [];
  for (const { memberId, kind } of view.alarms) {
    if (kind !== 'NOSPACE' && kind !== 'NONE') {
      problems.push(`member ${shownId(memberId)} has raised the alarm ${kind}`);
    }
  }
  const leaders = new Set(view.members.flatMap(({ status }) => (status === undefined ? [] : [status.leaderId])));
  const leader = view.members.find(({ status }) => status?.isLeader === true);
  if (leaders.size > 1) problems.push('the members do not agree on who leads');
  if (leaders.has(0n)) problems.push('a member knows no leader');
  for (const member of view.members) {
    const { status, failure } = member;
    if (status === undefined || failure !== undefined) {
      problems.push(`${shown(member)} is not healthy: ${failure ?? 'no answer'}`);
      continue;
    }
    const complaints = status.errors.filter((error) => !error.includes('NOSPACE'));
    if (complaints.length > 0) problems.push(`${shown(member)} reports: ${complaints.join('; ')}`);
    const behind = (leader?.status?.raftIndex ?? status.raftIndex) - status.raftAppliedIndex;
    if (behind > BigInt(lagEntriesMax)) problems.push(`${shown(member)} is ${behind} raft entries behind`);
  }
  return problems;
}

/** Free pages in the member's file. */
export function reclaimableBytes({ status }: MemberView): number {
  return status === undefined ? 0 : Math.max(0, status.dbBytes - status.dbInUseBytes);
}

export function hasNoSpace(view: ClusterView): boolean {
  return view.alarms.some(({ kind }) => kind === 'NOSPACE');
}

export function shown({ id, name, endpoint }: MemberView): string {
  return [name === '' ? `member ${shownId(id)}` : name, ...(endpoint === undefined ? [] : [`at ${endpoint}`])].join(
    ' ',
  );
}

function shownId(id: bigint): string {
  return id.toString(16);
}

/** Why a member is left alone; undefined when it would gain enough. */
function refusalOf(member: MemberView, isFull: boolean, limits: DefragLimits): string | undefined {
  const bytes = reclaimableBytes(member);
  const bytesMin = isFull ? Math.min(NOSPACE_RECLAIM_BYTES_MIN, limits.reclaimBytesMin) : limits.reclaimBytesMin;
  if (bytes < bytesMin) return `would gain ${bytes} bytes, less than ${bytesMin}`;
  const ratio = bytes / (member.status?.dbBytes ?? bytes);
  if (!isFull && ratio < limits.reclaimRatioMin) {
    return `would gain ${(ratio * 100).toFixed(1)} % of its file, less than ${(limits.reclaimRatioMin * 100).toFixed(1)} %`;
  }
  return undefined;
}

/** The voter that is best prepared to lead: the one that has applied most. */
function heirOf(view: ClusterView, leader: MemberView): MemberView | undefined {
  const applied = (member: MemberView): bigint => member.status?.raftAppliedIndex ?? 0n;
  return view.members
    .filter((member) => member.id !== leader.id && !member.isLearner && member.status?.isLearner !== true)
    .toSorted((left, right) => (applied(left) === applied(right) ? 0 : applied(left) > applied(right) ? -1 : 1))[0];
}

function noSpaceReason(view: ClusterView): string {
  const files = view.members.map(
    (member) => `${shown(member)}: ${reclaimableBytes(member)} of ${member.status?.dbBytes ?? 0} bytes are free`,
  );
  return (
    'the alarm NOSPACE is raised and defragmenting would gain nothing, since the files are full of live data and of history that is not compacted ' +
    `(${files.join('; ')}): compact or delete first, or raise the quota`
  );
}
