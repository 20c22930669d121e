import type { EtcdOpsError } from '@etcd-ops/core';
import type { EtcdAlarm, MemberInfo, MemberStatus, MissingRight } from '@etcd-ops/etcd-client';
import { formatBytes, formatCount } from '../output/table.ts';
import { fail, ok, skip, warn, type CheckFinding } from './check-finding.ts';
import { judgeClock } from './judge-clock.ts';

/** An endpoint, and what the member behind it answered. */
export interface AskedEndpoint {
  endpoint: string;
  status?: MemberStatus;
  failure?: EtcdOpsError;
  /** How far its clock is ahead of ours; undefined when it does not tell. */
  clockAheadMs?: number | undefined;
}

/** What was asked of etcd; an error stands for what could not be. */
export interface EtcdFacts {
  endpoints: AskedEndpoint[];
  /** The revision of a linearizable read. */
  head: number | EtcdOpsError;
  members: MemberInfo[] | EtcdOpsError;
  alarms: EtcdAlarm[] | EtcdOpsError;
  rights: MissingRight[] | EtcdOpsError;
}

/** Without these there is nothing to back up with. */
const NEEDED_CALLS = ['Range', 'Watch', 'Snapshot'];
/** Entries that a sound follower may be behind while the cluster is written to. */
const LAG_ENTRIES_MAX = 5_000n;
const OLDEST_VERSION = [3, 4];

export function judgeEtcd(facts: EtcdFacts): CheckFinding[] {
  const reached = facts.endpoints.flatMap(({ status }) => (status === undefined ? [] : [status]));
  return [
    ...facts.endpoints.map((one) => judgeEndpoint(one, reached.length)),
    judgeQuorum(facts.head),
    ...(reached.length === 0 ? [] : [judgeVersions(reached), judgeLag(facts.endpoints)]),
    judgeMembers(facts.members, facts.endpoints),
    judgeAlarms(facts.alarms, facts.members),
    ...judgeRights(facts.rights),
    ...facts.endpoints
      .filter(({ status }) => status !== undefined)
      .map(({ endpoint, clockAheadMs }) =>
        judgeClock({ id: 'etcd.clock', what: `clock of ${endpoint}`, aheadMs: clockAheadMs, code: 'ETCD_FAILED' }),
      ),
  ];
}

function judgeEndpoint({ endpoint, status, failure }: AskedEndpoint, reached: number): CheckFinding {
  const about = { id: 'etcd.endpoint', what: endpoint };
  if (status !== undefined) {
    const { version, dbBytes, isLeader, isLearner, revision } = status;
    const part = isLearner ? 'learner' : isLeader ? 'leader' : 'follower';
    const size = formatBytes(dbBytes);
    return ok({ ...about, why: `etcd ${version}, ${part}, revision ${formatCount(revision)}, database of ${size}` });
  }
  const found = {
    ...about,
    why: failure?.message ?? 'it did not answer',
    remedy: failure?.remedy ?? 'Check that etcd runs there.',
    code: failure?.code ?? ('ETCD_UNREACHABLE' as const),
  };
  // The others go on; but an endpoint that is wrong for good is a mistake that waits for its day.
  return reached === 0 || failure?.retriable === false ? fail(found) : warn(found);
}

function judgeQuorum(head: EtcdFacts['head']): CheckFinding {
  const about = { id: 'etcd.quorum', what: 'quorum' };
  if (typeof head === 'number') {
    return ok({ ...about, why: `a linearizable read answers, at revision ${formatCount(head)}` });
  }
  const { message, remedy, code } = head;
  return fail({ ...about, why: `no linearizable read: ${message}`, remedy, code });
}

function judgeVersions(reached: readonly MemberStatus[]): CheckFinding {
  const about = { id: 'etcd.version', what: 'versions' };
  const versions = [...new Set(reached.map(({ version }) => version))];
  const old = versions.find((version) => isOlder(version));
  if (old !== undefined) {
    return warn({
      ...about,
      why: `etcd ${old} is older than what etcd-ops is tested with (3.4)`,
      remedy: 'Bring it to 3.4 or newer.',
      code: 'ETCD_FAILED',
    });
  }
  if (versions.length === 1) return ok({ ...about, why: `all that answer are ${versions[0]}` });
  return warn({
    ...about,
    why: `members differ: ${versions.join(', ')}`,
    remedy: 'End the upgrade that is under way.',
    code: 'ETCD_FAILED',
  });
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < OLDEST_VERSION[0]! || (major === OLDEST_VERSION[0] && minor < OLDEST_VERSION[1]!);
}

function judgeLag(endpoints: readonly AskedEndpoint[]): CheckFinding {
  const about = { id: 'etcd.lag', what: 'followers' };
  const known = endpoints.flatMap(({ endpoint, status }) => (status === undefined ? [] : [{ endpoint, status }]));
  const lost = known.find(({ status }) => status.leaderId === 0n);
  if (lost !== undefined) {
    return fail({
      ...about,
      why: `${lost.endpoint} knows no leader`,
      remedy: 'Check the network between the members, and their logs.',
      code: 'ETCD_NO_LEADER',
    });
  }
  const newest = known.reduce((most, { status }) => (status.raftIndex > most ? status.raftIndex : most), 0n);
  const late = known.find(({ status }) => newest - status.raftAppliedIndex > LAG_ENTRIES_MAX);
  if (late === undefined) return ok({ ...about, why: 'none lags' });
  return warn({
    ...about,
    why: `${late.endpoint} has ${newest - late.status.raftAppliedIndex} entries still to apply`,
    remedy: 'Check its disk and its load; snapshots are taken of others meanwhile.',
    code: 'ETCD_FAILED',
  });
}

function judgeMembers(members: EtcdFacts['members'], endpoints: readonly AskedEndpoint[]): CheckFinding {
  const about = { id: 'etcd.members', what: 'members' };
  if (!Array.isArray(members)) return skip({ ...about, why: `their list cannot be read: ${members.message}` });
  const answered = new Set(endpoints.map(({ status }) => status?.memberId));
  const missing = members.filter(({ id }) => !answered.has(id));
  if (missing.length === 0) return ok({ ...about, why: `all ${members.length} answer at the endpoints given` });
  const names = missing.map(({ id, name }) => (name === '' ? id.toString(16) : name)).join(', ');
  return warn({
    ...about,
    why: `${missing.length} of ${members.length} did not answer at any endpoint: ${names}`,
    remedy: 'Give --endpoints of all members: a lost one then keeps nobody from backing up.',
    code: 'ETCD_UNREACHABLE',
  });
}

function judgeAlarms(alarms: EtcdFacts['alarms'], members: EtcdFacts['members']): CheckFinding {
  const about = { id: 'etcd.alarms', what: 'alarms' };
  if (!Array.isArray(alarms)) return skip({ ...about, why: `they cannot be read: ${alarms.message}` });
  if (alarms.length === 0) return ok({ ...about, why: 'none' });
  const nameOf = (id: bigint): string =>
    (Array.isArray(members) ? members.find((member) => member.id === id)?.name : undefined) ?? id.toString(16);
  return fail({
    ...about,
    why: alarms.map(({ kind, memberId }) => `${kind} at ${nameOf(memberId)}`).join(', '),
    remedy: alarms.some(({ kind }) => kind === 'CORRUPT')
      ? 'Find out which member is right (`etcd-ops verify --prove --against-cluster`), and replace the other.'
      : 'NOSPACE: compact, defragment, then `etcdctl alarm disarm`; until then the cluster takes no writes.',
    code: 'ETCD_FAILED',
  });
}

function judgeRights(rights: EtcdFacts['rights']): CheckFinding[] {
  const about = { id: 'etcd.rights', what: 'rights' };
  if (!Array.isArray(rights)) return [skip({ ...about, why: `they cannot be tried: ${rights.message}` })];
  if (rights.length === 0) return [ok({ ...about, why: 'read, watch, leases, snapshot, HashKV, status' })];
  return rights.map(({ calls, error }) => {
    const { message, remedy, code } = error;
    const found = { ...about, why: message, remedy, code };
    return calls.some((call) => NEEDED_CALLS.includes(call)) ? fail(found) : warn(found);
  });
}
