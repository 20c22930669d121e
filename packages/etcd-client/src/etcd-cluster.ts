import { EtcdOpsError, isEtcdOpsError, type ErrorCode } from '@etcd-ops/core';
import { CONNECT_TIMEOUT_DEFAULT_MS, type EtcdAccess } from './access.ts';
import { EtcdMember, type MemberStatus } from './etcd-member.ts';
import type { CallOptions } from './grpc/connection.ts';
import type { EtcdAlarm, MemberInfo, ResponseHeader } from './wire/responses.ts';

/** What a person should see first when every endpoint failed in its own way. */
const MOST_TELLING: readonly ErrorCode[] = ['CANCELLED', 'ETCD_AUTH', 'ETCD_TLS', 'ETCD_NO_LEADER', 'ETCD_TIMEOUT'];

export interface PickOptions extends CallOptions {
  /** Also a member that cannot prove that it is up to date: the last backup of a cluster without a quorum. */
  allowStale?: boolean;
}

/** The members behind the endpoints given. Each is spoken to directly: an endpoint is a member, never a balancer. */
export class EtcdCluster implements AsyncDisposable {
  readonly clusterId: bigint;
  readonly #members: readonly EtcdMember[];
  readonly #connectTimeoutMs: number;

  private constructor(clusterId: bigint, members: readonly EtcdMember[], connectTimeoutMs: number) {
    this.clusterId = clusterId;
    this.#members = members;
    this.#connectTimeoutMs = connectTimeoutMs;
  }

  /**
   * Reaches at least one member and checks that all that can be reached are of one cluster; the others are checked as they answer.
   * @throws EtcdOpsError ETCD_WRONG_CLUSTER, or the most telling failure when no endpoint can be used.
   */
  static async connect(access: EtcdAccess, options: { signal?: AbortSignal | undefined } = {}): Promise<EtcdCluster> {
    const { endpoints, connectTimeoutMs = CONNECT_TIMEOUT_DEFAULT_MS } = access;
    if (endpoints.length === 0) throw new EtcdOpsError('CONFIG_INVALID', { message: 'No etcd endpoint is given' });
    const members: EtcdMember[] = [];
    try {
      for (const endpoint of new Set(endpoints)) members.push(new EtcdMember(endpoint, access));
      const callOptions: CallOptions = { signal: options.signal, timeoutMs: connectTimeoutMs };
      const answers = await Promise.allSettled(members.map((member) => greet(member, callOptions)));
      const clusterId = oneCluster(members, answers);
      for (const member of members) member.expectCluster(clusterId);
      return new EtcdCluster(clusterId, members, connectTimeoutMs);
    } catch (error) {
      for (const member of members) member[Symbol.dispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.#members) member[Symbol.dispose]();
  }

  /** One per endpoint, in the order given. */
  members(): EtcdMember[] {
    return [...this.#members];
  }

  /** As the first member that can be reached knows it. */
  memberList(options: CallOptions = {}): Promise<MemberInfo[]> {
    return this.#firstOf((member, callOptions) => member.memberList(callOptions), options);
  }

  alarms(options: CallOptions = {}): Promise<EtcdAlarm[]> {
    return this.#firstOf((member, callOptions) => member.alarmList(callOptions), options);
  }

  /**
   * The member that a snapshot burdens least: a healthy follower, else the leader; never a learner or a member with a CORRUPT alarm.
   * A linearizable read on it proves that it is up to date (a lagging follower does not know that it lags).
   */
  async pickForSnapshot({ allowStale = false, ...options }: PickOptions = {}): Promise<EtcdMember> {
    const callOptions = this.#withTimeout(options);
    const answers = await Promise.allSettled(
      this.#members.map(async (member) => ({ member, status: await member.status(callOptions) })),
    );
    const failures: unknown[] = answers
      .filter((answer) => answer.status === 'rejected')
      .map((answer) => answer.reason as unknown);
    const candidates = answers
      .filter((answer) => answer.status === 'fulfilled')
      .map((answer) => answer.value)
      .filter(({ status }) => !status.isLearner && !status.errors.some((error) => error.includes('CORRUPT')))
      .toSorted((left, right) => rank(left.status) - rank(right.status) || newestFirst(left.status, right.status));
    for (const { member } of candidates) {
      try {
        await member.linearizableRead(callOptions);
        return member;
      } catch (error) {
        failures.push(error);
      }
    }
    const stale = candidates.toSorted((left, right) => newestFirst(left.status, right.status))[0];
    if (allowStale && stale !== undefined) return stale.member;
    throw noMember('no member can serve a snapshot', failures);
  }

  /** The member that answers a linearizable read first. */
  async pickForWatch(options: CallOptions = {}): Promise<EtcdMember> {
    const callOptions = this.#withTimeout(options);
    try {
      return await Promise.any(
        this.#members.map(async (member) => {
          await member.linearizableRead(callOptions);
          return member;
        }),
      );
    } catch (error) {
      throw noMember('no member can serve a watch', error instanceof AggregateError ? error.errors : [error]);
    }
  }

  #withTimeout(options: CallOptions): CallOptions {
    return { timeoutMs: this.#connectTimeoutMs, ...options };
  }

  async #firstOf<T>(ask: (member: EtcdMember, options: CallOptions) => Promise<T>, options: CallOptions): Promise<T> {
    const failures: unknown[] = [];
    for (const member of this.#members) {
      try {
        return await ask(member, this.#withTimeout(options));
      } catch (error) {
        if (!isEtcdOpsError(error) || !error.retriable) throw error;
        failures.push(error);
      }
    }
    throw noMember('no member answers', failures);
  }
}

/** Status needs no quorum, but on newer versions rights; a read needs both a quorum and other rights: either shows the cluster. */
async function greet(member: EtcdMember, options: CallOptions): Promise<Pick<ResponseHeader, 'clusterId'>> {
  try {
    return await member.status(options);
  } catch (error) {
    if (!isEtcdOpsError(error, 'ETCD_AUTH')) throw error;
    return await member.linearizableRead(options).catch(() => {
      throw error;
    });
  }
}

function oneCluster(
  members: readonly EtcdMember[],
  answers: readonly PromiseSettledResult<Pick<ResponseHeader, 'clusterId'>>[],
): bigint {
  const reached = members.flatMap((member, index) => {
    const answer = answers[index]!;
    return answer.status === 'fulfilled' ? [{ endpoint: member.endpoint, clusterId: answer.value.clusterId }] : [];
  });
  const first = reached[0];
  if (first === undefined) {
    throw noMember(
      'no endpoint can be used',
      answers.map((answer) => (answer.status === 'rejected' ? answer.reason : undefined)),
    );
  }
  if (reached.some(({ clusterId }) => clusterId !== first.clusterId)) {
    const found = reached
      .map(({ endpoint, clusterId }) => `${endpoint} is of cluster ${clusterId.toString(16)}`)
      .join(', ');
    throw new EtcdOpsError('ETCD_WRONG_CLUSTER', { message: `The endpoints belong to different clusters: ${found}` });
  }
  return first.clusterId;
}

function rank(status: MemberStatus): number {
  return status.isLeader ? 1 : 0;
}

function newestFirst(left: MemberStatus, right: MemberStatus): number {
  return left.raftAppliedIndex === right.raftAppliedIndex ? 0 : left.raftAppliedIndex > right.raftAppliedIndex ? -1 : 1;
}

function noMember(what: string, failures: readonly unknown[]): EtcdOpsError {
  const known = failures.filter((failure) => isEtcdOpsError(failure));
  const telling = MOST_TELLING.map((code) => known.find((failure) => failure.code === code)).find(
    (failure) => failure !== undefined,
  );
  const code = telling?.code ?? known[0]?.code ?? 'ETCD_UNREACHABLE';
  const details = known.map((failure) => failure.message).join('; ');
  return new EtcdOpsError(code, {
    message: `etcd: ${what}${details === '' ? '' : ` (${details})`}`,
    cause: telling ?? failures[0],
  });
}
