import { describeError, isEtcdOpsError } from '@etcd-ops/core';
import type { AlarmKind, CallOptions, EtcdCluster, EtcdMember, MemberStatus } from '@etcd-ops/etcd-client';

/** One member of the cluster's own list, and what it says of itself when it is asked directly. */
export interface MemberView {
  id: bigint;
  name: string;
  isLearner: boolean;
  /** Undefined when none of the spec's endpoints leads to it. */
  endpoint: string | undefined;
  /** Undefined when it did not answer. */
  status: MemberStatus | undefined;
  /** Why it could not be asked or did not prove that it is up to date. */
  failure: string | undefined;
}

export interface ClusterView {
  members: MemberView[];
  alarms: { memberId: bigint; kind: AlarmKind }[];
}

interface Asked {
  member: EtcdMember;
  status: MemberStatus | undefined;
  failure: string | undefined;
}

/** Asks every member directly, including for a linearizable read: a member that lags does not know that it does. */
export async function readClusterView(cluster: EtcdCluster, options: CallOptions = {}): Promise<ClusterView> {
  const [list, alarms, asked] = await Promise.all([
    cluster.memberList(options),
    cluster.alarms(options),
    Promise.all(cluster.members().map((member) => ask(member, options))),
  ]);
  const members = list.map(({ id, name, isLearner }): MemberView => {
    const answer = asked.find(({ status }) => status?.memberId === id);
    const base = { id, name, isLearner };
    if (answer !== undefined) {
      return { ...base, endpoint: answer.member.endpoint, status: answer.status, failure: answer.failure };
    }
    const silent = asked.filter(({ status }) => status === undefined).map(({ failure }) => failure);
    const failure = silent.length === 0 ? 'none of the endpoints leads to it' : silent.join('; ');
    return { ...base, endpoint: undefined, status: undefined, failure };
  });
  return { members, alarms };
}

async function ask(member: EtcdMember, options: CallOptions): Promise<Asked> {
  let status: MemberStatus | undefined;
  try {
    status = await member.status(options);
    // Learners serve no linearizable reads.
    if (!status.isLearner) await member.linearizableRead(options);
    return { member, status, failure: undefined };
  } catch (error) {
    if (isEtcdOpsError(error, 'CANCELLED')) throw error;
    return { member, status, failure: describeError(error) };
  }
}
