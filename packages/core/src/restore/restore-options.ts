import { join, resolve } from 'node:path';
import { EtcdOpsError } from '../base/errors.ts';
import type { MemberSpec } from '../datadir/initial-cluster.ts';
import { computeMembership, memberByName, type Member, type Membership } from '../datadir/membership.ts';
import { ETCD_TARGETS, targetOfVersion, type EtcdTarget } from '../datadir/store-buckets.ts';
import type { Identities } from '../encryption/identities.ts';
import type { Revision } from '../mvcc/revision.ts';
import type { DeltaEntry, LeaseEntry } from '../repository/inventory.ts';
import type { RestorePlan } from '../repository/plan-restore.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { checkPlaces } from './target-places.ts';

/** What a restore is busy with, in order. */
export const RESTORE_PHASES = ['full', 'rows', 'leases', 'finish', 'members', 'publish'] as const;
export type RestorePhase = (typeof RESTORE_PHASES)[number];

export interface RestoreMember {
  /** Its name in the initial cluster. */
  member: string;
  dataDir: string;
  /** For the write-ahead log, when it lives elsewhere than in `<dataDir>/member/wal`. */
  walDir?: string | undefined;
}

export interface RestoreOptions {
  store: ObjectStore;
  plan: RestorePlan;
  /** What opens encrypted objects; without it, a plan that needs one fails with IDENTITY_MISSING. */
  identities?: Identities | undefined;
  /** The members whose directories are made here; the others of the cluster are restored on their own hosts. */
  dataDirs: readonly RestoreMember[];
  /** All members of the new cluster: the same for every host. */
  initialCluster: readonly MemberSpec[];
  token: string;
  /** The etcd that will boot the directories; unless told, the one that made the full. */
  target?: EtcdTarget | undefined;
  /** TTL of a lease that a key needs and nobody learned the TTL of; 60 unless told. */
  leaseUnknownTtlSeconds?: number;
  /** Deltas that may know TTLs of leases that are missing otherwise: only their lease records are read, and only if needed. */
  leaseDeltas?: readonly DeltaEntry[];
  /** Lease objects outside of the plan, for the same. */
  leaseObjects?: readonly LeaseEntry[];
  /**
   * `renew` (unless told): every lease has its whole TTL again. `keep`: leases out of the full go on with what a checkpoint
   * left them, if there was one. `drop`: none is written, and keys that had one stay for ever.
   */
  leases?: LeaseMode | undefined;
  /**
   * etcdutl's `--bump-revision N --mark-compacted`: the store's revision becomes N higher than what is restored, and all
   * below counts as compacted, so that no watcher goes on with what it remembers of another history.
   */
  bumpRevision?: number | undefined;
  /** Drop alarms: NOSPACE would keep the new cluster read-only. */
  dropAlarms?: boolean;
  /** How many deltas are fetched ahead; 4 unless told. */
  fetchersMax?: number;
  /** Check the full's stored bytes against its manifest; true unless told. Deltas are always checked. */
  verify?: boolean;
  /** Take a full whose own trailing SHA-256 is missing or wrong. */
  skipHashCheck?: boolean;
  /** Compute HashKV of the result for the report: one or two passes over the rows. */
  hashKv?: boolean;
  signal?: AbortSignal | undefined;
  onProgress?: (phase: RestorePhase, bytesDone: number, bytesTotal: number) => void;
}

export const LEASE_MODES = ['keep', 'renew', 'drop'] as const;
export type LeaseMode = (typeof LEASE_MODES)[number];

export interface RestoreReport {
  cluster: string;
  timeline: number;
  revision: Revision;
  /** When that had certainly been reached, in milliseconds since the epoch; absent when nobody recorded it. */
  latestObservedMs?: number;
  /** -1: never compacted. */
  compactRevision: Revision;
  target: EtcdTarget;
  clusterId: bigint;
  members: { name: string; id: bigint; dataDir: string; walDir: string }[];
  full: { key: string; method: 'cloned' | 'copied' | 'streamed'; cut: boolean };
  deltas: number;
  rowsAppended: number;
  rowBytesAppended: number;
  bytesFetched: number;
  databaseBytes: number;
  leases: { kept: number; fromDeltas: number; unknown: bigint[] };
  /** The revision that the store has after the bump, and that counts as compacted. */
  bumped?: { by: number; revision: Revision };
  hashKv?: { hash: number; revision: Revision; compactRevision: Revision };
  phaseMs: Record<RestorePhase, number>;
  warnings: string[];
}

/** Options with their defaults and with all that follows from them. */
export interface RestoreSettings {
  membership: Membership;
  members: { member: Member; dataDir: string; walDir: string | undefined }[];
  target: EtcdTarget;
  leaseUnknownTtlSeconds: number;
  leases: LeaseMode;
  /** The row that a bump writes last, and its compact revision. */
  bumpedRevision: Revision | undefined;
  fetchersMax: number;
  verify: boolean;
  skipHashCheck: boolean;
}

const FETCHERS_DEFAULT = 4;
const FETCHERS_MAX = 64;
const LEASE_TTL_SECONDS_MAX = 9_000_000_000;

/** @throws EtcdOpsError USAGE naming what is wrong. Reads links, and touches no file. */
export function settleOptions(options: RestoreOptions): RestoreSettings {
  const membership = computeMembership(options.initialCluster, options.token);
  if (options.dataDirs.length === 0) throw usage('No data directory is named');
  const members = options.dataDirs.map((wanted) => settleMember(wanted, membership));
  const directories = members.flatMap(({ dataDir, walDir }) => (walDir === undefined ? [dataDir] : [dataDir, walDir]));
  checkPlaces(directories, options);
  if (new Set(members.map(({ member }) => member.id)).size !== members.length) {
    throw usage('A member has two data directories');
  }
  const { etcdVersion } = options.plan.full.manifest;
  const target = options.target ?? targetOfVersion(etcdVersion);
  if (target === undefined) {
    throw usage(
      `The full was made by etcd '${etcdVersion}': name the target release line (${ETCD_TARGETS.join(', ')})`,
    );
  }
  return {
    membership,
    members,
    target,
    leaseUnknownTtlSeconds: bounded(
      'leaseUnknownTtlSeconds',
      options.leaseUnknownTtlSeconds ?? 60,
      LEASE_TTL_SECONDS_MAX,
    ),
    leases: options.leases ?? 'renew',
    bumpedRevision: bumpedRevision(options),
    fetchersMax: bounded('fetchersMax', options.fetchersMax ?? FETCHERS_DEFAULT, FETCHERS_MAX),
    verify: options.verify ?? true,
    skipHashCheck: options.skipHashCheck ?? false,
  };
}

function settleMember(wanted: RestoreMember, membership: Membership): RestoreSettings['members'][number] {
  const dataDir = resolve(wanted.dataDir);
  const walDir = wanted.walDir === undefined ? undefined : resolve(wanted.walDir);
  const isDefault = walDir === undefined || walDir === join(dataDir, 'member', 'wal');
  return { member: memberByName(membership, wanted.member), dataDir, walDir: isDefault ? undefined : walDir };
}

function bumpedRevision({ bumpRevision, plan }: RestoreOptions): Revision | undefined {
  if (bumpRevision === undefined) return undefined;
  return plan.revision + bounded('bumpRevision', bumpRevision, Number.MAX_SAFE_INTEGER - plan.revision);
}

function bounded(name: string, value: number, max: number): number {
  if (!Number.isSafeInteger(value) || value < 1 || value > max) {
    throw usage(`${name} must be a whole number from 1 to ${max}, not ${value}`);
  }
  return value;
}

function usage(message: string): EtcdOpsError {
  return new EtcdOpsError('USAGE', { message });
}
