import { expect, test } from 'vitest';
import type { EtcdMember, MemberStatus } from './etcd-member.ts';
import { orderForSnapshot, type SnapshotCandidate } from './snapshot-choice.ts';

function candidate(memberId: bigint, facts: Partial<MemberStatus> = {}): SnapshotCandidate {
  const status = {
    memberId,
    isLeader: false,
    isLearner: false,
    raftAppliedIndex: 10n,
    errors: [],
    ...facts,
  } as MemberStatus;
  return { member: {} as EtcdMember, status };
}

const order = (...input: Parameters<typeof orderForSnapshot>) =>
  orderForSnapshot(...input).map((one) => one.status.memberId);

test('followers before the leader, those that applied most first, never a learner', () => {
  const all = [
    candidate(1n, { isLeader: true, raftAppliedIndex: 12n }),
    candidate(2n),
    candidate(3n, { raftAppliedIndex: 11n }),
    candidate(4n, { isLearner: true, raftAppliedIndex: 99n }),
  ];
  expect(order(all)).toEqual([3n, 2n, 1n]);
});

test('an alarm concerns the member that it names, although every member tells of it', () => {
  const all = (...errors: string[]) => [
    candidate(1n, { isLeader: true, errors }),
    candidate(2n, { errors }),
    candidate(3n, { errors: [] }),
  ];
  expect(order(all('memberID:2 alarm:CORRUPT '))).toEqual([3n, 1n]);
  expect(order(all('memberID:2 alarm:NOSPACE ', 'memberID:3 alarm:NOSPACE '))).toEqual([1n, 2n, 3n]);
  expect(order([candidate(2n, { errors: ['etcdserver: no leader', 'memberID:2 alarm:CORRUPT '] })])).toEqual([]);
});
