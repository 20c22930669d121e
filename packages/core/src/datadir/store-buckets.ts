import { memberIdHex, memberJson, type Membership } from './membership.ts';
import { RESTORED_TERM } from './raft-files.ts';

/** The release lines of etcd that a directory can be written for; later ones than 3.7 are taken to read what 3.7 reads. */
export const ETCD_TARGETS = ['3.4', '3.5', '3.6', '3.7'] as const;

/** The etcd release line that will boot the directory. */
export type EtcdTarget = (typeof ETCD_TARGETS)[number];

export interface BucketEntry {
  key: Uint8Array;
  value: Uint8Array;
}

/** What is read of a store before its buckets are written anew; BoltFile has it. */
export interface BucketSource {
  bucketEntries(bucket: string): BucketEntry[];
}

/** What writes them; BoltWriter has it. */
export interface BucketSink {
  /** Entries in ascending order of their keys. */
  replaceBucket(name: string, entries: readonly BucketEntry[]): void;
}

export interface StoreBucketsOptions {
  membership: Membership;
  target: EtcdTarget;
  /** All rows of the bucket `lease`, ascending. */
  leases: readonly BucketEntry[];
  /** An alarm in the snapshot (NOSPACE) would keep the restored cluster read-only. */
  dropAlarms?: boolean;
}

/** Keys of the bucket `meta` that this function decides; all others (the compact revisions) stay. */
const DECIDED_META_KEYS = ['consistent_index', 'term', 'confState'];

/**
 * Gives a store the membership of a new cluster (etcd server/storage/schema): `meta`, `members`, `members_removed`,
 * `cluster` and `lease` are written anew; `auth*` and `alarm` stay as they are.
 */
export function rewriteStoreBuckets(source: BucketSource, sink: BucketSink, options: StoreBucketsOptions): void {
  const { membership, target } = options;
  sink.replaceBucket('meta', metaEntries(source.bucketEntries('meta'), membership, target));
  sink.replaceBucket(
    'members',
    sorted(membership.members.map((member) => entry(memberIdHex(member.id), Buffer.from(memberJson(member))))),
  );
  sink.replaceBucket('members_removed', []);
  sink.replaceBucket('cluster', clusterEntries(source.bucketEntries('cluster'), target));
  sink.replaceBucket('lease', options.leases);
  if (options.dropAlarms === true) sink.replaceBucket('alarm', []);
}

/** Target of a store that an etcd of this version wrote: the release line itself, 3.7 for newer ones. */
export function targetOfVersion(etcdVersion: string): EtcdTarget | undefined {
  const match = /^v?(\d+)\.(\d+)(?:\.|-|$)/.exec(etcdVersion);
  if (match === null || Number(match[1]) < 3) return undefined;
  const minor = Number(match[1]) > 3 ? Number.MAX_SAFE_INTEGER : Number(match[2]);
  return ETCD_TARGETS.findLast((target) => minorOf(target) <= minor);
}

function metaEntries(before: readonly BucketEntry[], membership: Membership, target: EtcdTarget): BucketEntry[] {
  // Only 3.6 and newer know the storage version: an older etcd must not believe that a newer one has prepared the file.
  const dropped = minorOf(target) >= 6 ? DECIDED_META_KEYS : [...DECIDED_META_KEYS, 'storageVersion'];
  const kept = before
    .filter(({ key }) => !dropped.includes(nameOf(key)))
    // 3.6 refuses to boot from a file of 3.7, which differs from its own in nothing but this number.
    .map((row) => (nameOf(row.key) === 'storageVersion' ? notAbove(target, row) : row));
  const entries = [...kept, entry('consistent_index', uint64(membership.members.length))];
  if (target !== '3.4') {
    const voters = membership.members.map(({ id }) => id.toString()).join(',');
    entries.push(entry('term', uint64(RESTORED_TERM)));
    entries.push(entry('confState', Buffer.from(`{"voters":[${voters}],"auto_leave":false}`)));
  }
  return sorted(entries);
}

/** A cluster version above the target's would be refused at boot as a downgrade, so it falls with the target. */
function clusterEntries(before: readonly BucketEntry[], target: EtcdTarget): BucketEntry[] {
  return before.map((row) => (nameOf(row.key) === 'clusterVersion' ? notAbove(target, row) : row));
}

/** A row whose value is a version (`3.7.0`): the target's own when it is of a later release line, except behind the last that we know. */
function notAbove(target: EtcdTarget, { key, value }: BucketEntry): BucketEntry {
  const [major = 0, minor = 0] = Buffer.from(value).toString('latin1').split('.').map(Number);
  const above = target !== ETCD_TARGETS.at(-1) && major === 3 && minor > minorOf(target);
  return { key, value: above ? Buffer.from(`${target}.0`) : value };
}

function minorOf(target: EtcdTarget): number {
  return Number(target.slice('3.'.length));
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString('latin1');
}

function entry(key: string, value: Buffer): BucketEntry {
  return { key: Buffer.from(key, 'latin1'), value };
}

function sorted(entries: BucketEntry[]): BucketEntry[] {
  return entries.sort((left, right) => Buffer.compare(left.key, right.key));
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
