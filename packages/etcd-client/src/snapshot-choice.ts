import type { EtcdMember, MemberStatus } from './etcd-member.ts';
import type { AlarmKind } from './wire/responses.ts';

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

/** `memberID:8211 alarm:CORRUPT`: how Status tells of an alarm, in any version. Source: server/etcdserver/api/v3rpc/maintenance.go. */
const ALARM_TEXT = /memberID:(\d+) alarm:(\w+)/;

/**
 * Those that may serve, best first. The alarms are read from the answers, since a question about alarms goes through raft and has no
 * answer without a quorum. Each member names the alarms of all, so whose they are decides.
 */
export function orderForSnapshot(candidates: readonly SnapshotCandidate[]): SnapshotCandidate[] {
  const alarms = new Set(
    candidates
      .flatMap(({ status }) => status.errors)
      .flatMap((error) => ALARM_TEXT.exec(error)?.slice(1).join(' ') ?? []),
  );
  const isAlarmed = ({ status }: SnapshotCandidate, kind: AlarmKind): boolean =>
    alarms.has(`${status.memberId} ${kind}`);
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
