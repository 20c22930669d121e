import type { EtcdMember, MemberStatus } from './etcd-member.ts';
import type { EtcdAlarm } from './wire/responses.ts';

export interface SnapshotCandidate {
  member: EtcdMember;
  status: MemberStatus;
}

/** The member to take a snapshot of. */
export interface SnapshotChoice extends SnapshotCandidate {
  /** The snapshot has at least this one: of a linearizable read, or what a stale member says of itself. */
  headRevision: number;
  /** It could not prove that it is up to date: the cluster may have gone further. */
  stale: boolean;
}

/** Those that may serve, best first. Each member names the alarms of all, so whose they are must be looked up. */
export function orderForSnapshot(
  candidates: readonly SnapshotCandidate[],
  alarms: readonly EtcdAlarm[],
): SnapshotCandidate[] {
  const isAlarmed = ({ status }: SnapshotCandidate, kind: EtcdAlarm['kind']): boolean =>
    alarms.some((alarm) => alarm.kind === kind && alarm.memberId === status.memberId);
  const rank = (candidate: SnapshotCandidate): number =>
    (candidate.status.isLeader ? 1 : 0) + (isAlarmed(candidate, 'NOSPACE') ? 2 : 0);
  return candidates
    .filter((candidate) => !candidate.status.isLearner && !isAlarmed(candidate, 'CORRUPT'))
    .toSorted((left, right) => rank(left) - rank(right) || newestFirst(left.status, right.status));
}

function newestFirst(left: MemberStatus, right: MemberStatus): number {
  if (left.raftAppliedIndex === right.raftAppliedIndex) return 0;
  return left.raftAppliedIndex > right.raftAppliedIndex ? -1 : 1;
}
