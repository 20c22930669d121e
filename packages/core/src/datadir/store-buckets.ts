import { memberIdHex, memberJson, type Membership } from './membership.ts';
import { RESTORED_TERM } from './raft-files.ts';

/** The etcd release line that will boot the directory; later ones than 3.6 read what 3.6 reads. */
export type EtcdTarget = '3.4' | '3.5' | '3.6';

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

/** Target of a store that an etcd of this version wrote: the release line itself, 3.6 for newer ones. */
export function targetOfVersion(etcdVersion: string): EtcdTarget | undefined {
  const match = /^v?(\d+)\.(\d+)(?:\.|-|$)/.exec(etcdVersion);
  if (match === null || Number(match[1]) < 3) return undefined;
  const minor = Number(match[1]) > 3 ? 6 : Number(match[2]);
  return minor >= 6 ? '3.6' : minor === 5 ? '3.5' : minor === 4 ? '3.4' : undefined;
}

function metaEntries(before: readonly BucketEntry[], membership: Membership, target: EtcdTarget): BucketEntry[] {
  // Only 3.6 knows the storage version; an older etcd must not believe that a newer one has prepared the file.
  const dropped = target === '3.6' ? DECIDED_META_KEYS : [...DECIDED_META_KEYS, 'storageVersion'];
  const kept = before.filter(({ key }) => !dropped.includes(Buffer.from(key).toString('latin1')));
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
  return before.map(({ key, value }) => {
    if (Buffer.from(key).toString('latin1') !== 'clusterVersion') return { key, value };
    const [major = 0, minor = 0] = Buffer.from(value).toString('latin1').split('.').map(Number);
    const [, targetMinor = 0] = target.split('.').map(Number);
    const above = target !== '3.6' && major === 3 && minor > targetMinor;
    return { key, value: above ? Buffer.from(`${target}.0`) : value };
  });
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
