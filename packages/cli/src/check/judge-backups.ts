import type { EtcdOpsError, NewestOpens } from '@etcd-ops/core';
import { formatCount, formatDuration } from '../output/table.ts';
import { fail, ok, skip, warn, type CheckFinding } from './check-finding.ts';

/** What the repository tells. */
export interface BackupFacts {
  cluster: string;
  nowMs: number;
  /** Undefined: there is none. `timeMs`: when the cluster was seen in that state; 0 when nobody knows. */
  newestFull?: { key: string; revision: number; timeMs: number; clusterId: string } | undefined;
  /** The end of what can be restored, and when it was captured; 0 when nobody knows. */
  end?: { revision: number; timeMs: number } | undefined;
  gaps: number;
  /** What was captured behind the end and cannot be restored. */
  later?: string | undefined;
  damaged: { key: string; reason: string }[];
  /** Undefined: no encrypted backup, or no full at all. */
  opens?: (NewestOpens & { hasIdentity: boolean }) | undefined;
  /** `to`: up to where the cluster vouched for the chain that begins with this full. */
  proven?: { full: string; to: number; timeMs: number } | undefined;
  /** The newest proof of a full that failed, while no newer one of it is well. */
  failedProof?: { full: string; problem: string } | undefined;
  /** Of the living cluster, where it was asked and answered. */
  living?: { headRevision: number; clusterId: string } | undefined;
}

export interface AgeLimits {
  maxAgeMs?: number | undefined;
  maxDeltaAgeMs?: number | undefined;
  maxProofAgeMs?: number | undefined;
}

export function judgeBackups(facts: BackupFacts, limits: AgeLimits): CheckFinding[] {
  const { newestFull, cluster } = facts;
  if (newestFull === undefined) {
    return [
      fail({
        id: 'backup.full',
        what: 'newest full',
        why: `there is none of ${cluster}`,
        remedy: 'Check --bucket and --cluster-name; start `etcd-ops snapshot` if it never ran.',
        code: 'NO_BACKUP',
      }),
    ];
  }
  return [
    judgeFull(facts, newestFull, limits.maxAgeMs),
    judgeEnd(facts, limits.maxDeltaAgeMs),
    judgeWhole(facts),
    ...judgeOrigin(facts, newestFull),
    ...judgeKey(facts),
    judgeProof(facts, limits.maxProofAgeMs),
  ];
}

function judgeFull(
  { nowMs }: BackupFacts,
  { key, revision, timeMs }: NonNullable<BackupFacts['newestFull']>,
  maxAgeMs: number | undefined,
): CheckFinding {
  const about = { id: 'backup.full', what: 'newest full' };
  const age = timeMs === 0 ? 'of an unknown age' : `${formatDuration(Math.max(0, nowMs - timeMs))} old`;
  const why = `${age}, revision ${formatCount(revision)}: ${key}`;
  if (maxAgeMs === undefined || nowMs - timeMs <= maxAgeMs) return ok({ ...about, why });
  return fail({
    ...about,
    why: timeMs === 0 ? why : `${why}; older than ${formatDuration(maxAgeMs)}`,
    remedy: 'Look at `etcd-ops status`: it tells whether the daemon runs, and what it complains of.',
    code: 'BACKUP_STALE',
  });
}

/** A cluster that nobody writes to makes no deltas: where etcd says that nothing is missing, no age is too high. */
function judgeEnd({ end, nowMs, living }: BackupFacts, maxAgeMs: number | undefined): CheckFinding {
  const about = { id: 'backup.end', what: 'newest change' };
  if (end === undefined) return skip({ ...about, why: 'nothing can be restored' });
  const at = `up to revision ${formatCount(end.revision)}`;
  const missing = living === undefined ? undefined : living.headRevision - end.revision;
  if (missing !== undefined && missing <= 0) return ok({ ...about, why: `${at}: all that etcd holds` });
  const age = end.timeMs === 0 ? undefined : Math.max(0, nowMs - end.timeMs);
  const old = age === undefined ? 'at a time that nobody recorded' : `${formatDuration(age)} ago`;
  const behind = missing === undefined ? '' : `; etcd is ${formatCount(missing)} revisions further`;
  const why = `${at}, captured ${old}${behind}`;
  if (maxAgeMs === undefined || (age !== undefined && age <= maxAgeMs)) return ok({ ...about, why });
  return fail({
    ...about,
    why: `${why}; older than ${formatDuration(maxAgeMs)}`,
    remedy: 'Look at `etcd-ops status`: it tells whether the cluster is watched, and whether deltas are written.',
    code: 'BACKUP_STALE',
  });
}

function judgeWhole({ gaps, damaged, later, end }: BackupFacts): CheckFinding {
  const about = { id: 'backup.whole', what: 'chains' };
  if (damaged.length > 0) {
    const [first] = damaged;
    return fail({
      ...about,
      why: `${damaged.length} damaged, among them ${first!.key}: ${first!.reason}`,
      remedy: '`etcd-ops verify` names all and says what can be restored without them.',
      code: 'OBJECT_DAMAGED',
    });
  }
  if (later !== undefined) {
    return fail({
      ...about,
      why: `they end at revision ${formatCount(end?.revision ?? 0)}, but more was captured: ${later}`,
      remedy: 'Bring the missing objects back, or take a full (`etcd-ops snapshot --once`) while the cluster lives.',
      code: 'NEWEST_NOT_RESTORABLE',
    });
  }
  if (gaps === 0) return ok({ ...about, why: 'without a gap' });
  return warn({
    ...about,
    why: `${gaps} ${gaps === 1 ? 'gap' : 'gaps'}: revisions in there cannot be restored`,
    remedy: '`etcd-ops list` shows them; a new full ends what follows from one.',
    code: 'REVISION_NOT_RESTORABLE',
  });
}

function judgeOrigin({ living }: BackupFacts, { clusterId }: NonNullable<BackupFacts['newestFull']>): CheckFinding[] {
  if (living === undefined) return [];
  const about = { id: 'backup.origin', what: 'cluster of the backups' };
  if (living.clusterId === clusterId) return [ok({ ...about, why: `is the one at the endpoints, ${clusterId}` })];
  return [
    fail({
      ...about,
      why: `the newest full is of the cluster ${clusterId}, at the endpoints is ${living.clusterId}`,
      remedy: 'Check --endpoints and --cluster-name; give each cluster a repository of its own.',
      code: 'ETCD_WRONG_CLUSTER',
    }),
  ];
}

function judgeKey({ opens }: BackupFacts): CheckFinding[] {
  if (opens === undefined || !opens.encrypted) return [];
  const about = { id: 'backup.key', what: 'key' };
  if (opens.opens) return [ok({ ...about, why: 'opens the newest backup' })];
  if (!opens.hasIdentity) {
    const why = `the newest backup is encrypted to ${opens.recipients.join(', ')}; no --identity-file to try`;
    return [skip({ ...about, why })];
  }
  return [
    fail({
      ...about,
      why: opens.reason ?? 'it does not open the newest backup',
      remedy: 'Find the identity of a recipient named before you need it; without one these backups are lost.',
      code: 'IDENTITY_MISSING',
    }),
  ];
}

function judgeProof({ proven, failedProof, nowMs }: BackupFacts, maxAgeMs: number | undefined): CheckFinding {
  const about = { id: 'backup.proof', what: 'proof' };
  if (failedProof !== undefined) {
    return fail({
      ...about,
      why: `the proof of ${failedProof.full} failed: ${failedProof.problem}`,
      remedy: 'See "A proof failed" in docs/OPERATIONS.md.',
      code: 'PROOF_FAILED',
    });
  }
  if (proven === undefined) {
    const found = {
      ...about,
      why: 'no chain was ever proven',
      remedy: 'Run a restorer with proofs on, or `etcd-ops verify --prove --newest --record`.',
      code: 'BACKUP_STALE' as const,
    };
    return maxAgeMs === undefined ? warn(found) : fail(found);
  }
  const age = Math.max(0, nowMs - proven.timeMs);
  const why = `the chain of ${proven.full} was proven to revision ${formatCount(proven.to)}, ${formatDuration(age)} ago`;
  if (maxAgeMs === undefined || age <= maxAgeMs) return ok({ ...about, why });
  return fail({
    ...about,
    why: `${why}; longer ago than ${formatDuration(maxAgeMs)}`,
    remedy: 'See `etcd-ops status` for the last proof; `etcd-ops verify --prove --newest --record` makes one.',
    code: 'BACKUP_STALE',
  });
}

/** What cannot be known because the store cannot be read. */
export function unknownBackups(error: EtcdOpsError): CheckFinding[] {
  return [skip({ id: 'backup.full', what: 'backups', why: `they cannot be read: ${error.message}` })];
}
