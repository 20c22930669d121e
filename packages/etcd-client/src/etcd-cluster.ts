import { EtcdOpsError, isEtcdOpsError, type ErrorCode } from '@etcd-ops/core';
import { CONNECT_TIMEOUT_DEFAULT_MS, type EtcdAccess } from './access.ts';
import { EtcdMember } from './etcd-member.ts';
import { openTlsFiles, type CallOptions } from './grpc/connection.ts';
import { checkRights, type MissingRight } from './rights-check.ts';
import { orderForSnapshot, type SnapshotCandidate, type SnapshotChoice } from './snapshot-choice.ts';
import type { EtcdAlarm, MemberInfo, ResponseHeader } from './wire/responses.ts';

/** What a person should see first when every endpoint failed in its own way. */
const MOST_TELLING: readonly ErrorCode[] = [
  'CANCELLED',
  'ETCD_WRONG_CLUSTER',
  'ETCD_AUTH',
  'ETCD_TLS',
  'ETCD_NO_LEADER',
  'ETCD_TIMEOUT',
];

/** Not mended by trying again, but another member may be well. */
const OF_ONE_MEMBER: readonly ErrorCode[] = ['ETCD_WRONG_CLUSTER', 'ETCD_TLS'];

/** How long members may take that do not answer together with the first one; later they are checked as they answer. */
const OTHERS_MS_MAX = 1_000;

export interface PickOptions extends CallOptions {
  /** Also a member that cannot prove that it is up to date: the last backup of a cluster without a quorum. */
  allowStale?: boolean;
}

export interface WatchChoice {
  member: EtcdMember;
  /** What it answered: the cluster's head at a moment after it was asked. */
  head: ResponseHeader;
}

/** The members behind the endpoints given. Each is spoken to directly: an endpoint is a member, never a balancer. */
export class EtcdCluster implements AsyncDisposable {
  readonly clusterId: bigint;
  readonly #members: readonly EtcdMember[];
  readonly #access: EtcdAccess;

  private constructor(clusterId: bigint, members: readonly EtcdMember[], access: EtcdAccess) {
    this.clusterId = clusterId;
    this.#members = members;
    this.#access = access;
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
      const files = openTlsFiles(endpoints, access);
      for (const endpoint of new Set(endpoints)) members.push(new EtcdMember(endpoint, access, files));
      const answers = await greetAll(members, { signal: options.signal, timeoutMs: connectTimeoutMs });
      const { clusterId, endpoint } = oneCluster(members, answers);
      for (const member of members) member.expectCluster(clusterId, endpoint);
      return new EtcdCluster(clusterId, members, access);
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

  /** The member of `chooseForSnapshot` alone. */
  async pickForSnapshot(options: PickOptions = {}): Promise<EtcdMember> {
    return (await this.chooseForSnapshot(options)).member;
  }

  /**
   * The member that a snapshot burdens least: a healthy follower, else the leader; never a learner or a member with a CORRUPT alarm.
   * A linearizable read on it proves that it is up to date (a lagging follower does not know that it lags). Without a quorum,
   * `allowStale` takes the member with the highest revision.
   */
  async chooseForSnapshot({ allowStale = false, ...options }: PickOptions = {}): Promise<SnapshotChoice> {
    const callOptions = this.#withTimeout(options);
    const failures: unknown[] = [];
    const answers = await Promise.all(
      this.#members.map(async (member): Promise<SnapshotCandidate[]> => {
        try {
          return [{ member, status: await member.status(callOptions) }];
        } catch (error) {
          failures.push(error);
          this.#warnOfStranger(error);
          return [];
        }
      }),
    );
    const candidates = orderForSnapshot(answers.flat());
    for (const { member, status } of candidates) {
      try {
        const { revision } = await member.linearizableRead(callOptions);
        return { member, status, headRevision: revision, stale: false };
      } catch (error) {
        failures.push(error);
      }
    }
    const newest = candidates.toSorted((left, right) => right.status.revision - left.status.revision)[0];
    if (allowStale && newest !== undefined) return { ...newest, headRevision: newest.status.revision, stale: true };
    throw noMember('no member can serve a snapshot', failures);
  }

  /** The member of `chooseForWatch` alone. */
  async pickForWatch(options: CallOptions = {}): Promise<EtcdMember> {
    return (await this.chooseForWatch(options)).member;
  }

  /** The member that answers a linearizable read first, and that answer. */
  async chooseForWatch(options: CallOptions = {}): Promise<WatchChoice> {
    const callOptions = this.#withTimeout(options);
    try {
      return await Promise.any(
        this.#members.map(async (member) => {
          try {
            return { member, head: await member.linearizableRead(callOptions) };
          } catch (error) {
            this.#warnOfStranger(error);
            throw error;
          }
        }),
      );
    } catch (error) {
      throw noMember('no member can serve a watch', error instanceof AggregateError ? error.errors : [error]);
    }
  }

  /** Which rights the credentials lack, each tried once on one member. @throws EtcdOpsError when no member can be asked. */
  async checkRights(options: CallOptions = {}): Promise<MissingRight[]> {
    return await checkRights(await this.#anyMember(options), this.#withTimeout(options));
  }

  /**
   * Moves with each change of users, roles and passwords; a backup holds them only as the last full does. Undefined on etcd 3.4.
   * @throws EtcdOpsError ETCD_AUTH without the role `root`.
   */
  async authRevision(options: CallOptions = {}): Promise<number | undefined> {
    return (await this.#firstOf((member, callOptions) => member.authStatus(callOptions), options))?.authRevision;
  }

  async #anyMember(options: CallOptions): Promise<EtcdMember> {
    return await this.#firstOf(async (member, callOptions) => {
      // MemberList needs no more than a login on any version; a refusal shows as well that the member is there.
      await member.memberList(callOptions).catch((error: unknown) => {
        if (!isEtcdOpsError(error, 'ETCD_AUTH')) throw error;
      });
      return member;
    }, options);
  }

  /** The others go on: one endpoint that was given to another cluster must not stop the backup of this one. */
  #warnOfStranger(error: unknown): void {
    if (isEtcdOpsError(error, 'ETCD_WRONG_CLUSTER')) this.#access.onWarning?.(error);
  }

  #withTimeout(options: CallOptions): CallOptions {
    return { timeoutMs: this.#access.connectTimeoutMs ?? CONNECT_TIMEOUT_DEFAULT_MS, ...options };
  }

  async #firstOf<T>(ask: (member: EtcdMember, options: CallOptions) => Promise<T>, options: CallOptions): Promise<T> {
    const failures: unknown[] = [];
    for (const member of this.#members) {
      try {
        return await ask(member, this.#withTimeout(options));
      } catch (error) {
        this.#warnOfStranger(error);
        if (!isEtcdOpsError(error) || !(error.retriable || OF_ONE_MEMBER.includes(error.code))) throw error;
        failures.push(error);
      }
    }
    throw noMember('no member answers', failures);
  }
}

/** A host that went takes nobody's time but its own: once one member has answered, the others get a moment more. */
async function greetAll(
  members: readonly EtcdMember[],
  { signal, timeoutMs }: CallOptions,
): Promise<PromiseSettledResult<Pick<ResponseHeader, 'clusterId'>>[]> {
  const late = new AbortController();
  const options = { signal: signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]), timeoutMs };
  let timer: NodeJS.Timeout | undefined;
  const asked = members.map(async (member) => {
    const answer = await greet(member, options);
    timer ??= setTimeout(() => late.abort(), OTHERS_MS_MAX);
    return answer;
  });
  try {
    return await Promise.allSettled(asked);
  } finally {
    clearTimeout(timer);
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
): { clusterId: bigint; endpoint: string } {
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
    throw new EtcdOpsError('ETCD_WRONG_CLUSTER', {
      message: `The endpoints belong to different clusters: ${found}`,
      facts: { endpoint: members.map(({ endpoint }) => endpoint).join(', ') },
    });
  }
  return first;
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
    facts: telling?.facts ?? known[0]?.facts ?? {},
    cause: telling ?? failures[0],
  });
}
