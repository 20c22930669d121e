import type { BoltFile } from '../bolt/bolt-file.ts';
import type { Bucket } from '../bolt/bucket.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { ProtoScanner } from './key-value.ts';
import { decodeRevisionKey, encodeRevisionKey, type Revision } from './revision.ts';
import { RevisionDigest } from './row-block.ts';

/** etcd's bucket of rows. */
export const ROW_BUCKET = 'key';
const ALARM_NAMES = ['NONE', 'NOSPACE', 'CORRUPT'];

export interface StoredAlarm {
  memberId: bigint;
  alarm: string;
}

/** The revisions of a store. */
export interface StoreRevisions {
  /** Main revision of the last row; 0 when there is no row. */
  lastRow: Revision;
  /** Revision of the compaction that was asked for; -1: never. */
  scheduledCompact: Revision;
  /** Revision of the compaction that was finished last; -1: never. etcd resumes a scheduled one at boot. */
  finishedCompact: Revision;
  /** C: rows at or below it may be missing. -1: never compacted. */
  compactRevision: Revision;
  /** S: the store's current revision, 1 for an empty one. May be above `lastRow` when compaction took the newest rows. */
  revision: Revision;
}

/** What a database file says about its store. Read from a handful of pages. */
export interface StoreInfo extends StoreRevisions {
  consistentIndex: bigint;
  /** etcd 3.5 and newer. */
  term: bigint | undefined;
  /** etcd 3.6 and newer. */
  storageVersion: string | undefined;
  clusterVersion: string | undefined;
  /** RevisionDigest of the rows of S; null when S is at or below C or has no rows. */
  lastRevisionDigest: string | null;
  lastRevisionRows: number;
  authRevision: bigint;
  authEnabled: boolean;
  alarms: StoredAlarm[];
}

/** @throws EtcdOpsError MVCC_DAMAGED when the file is sound bbolt but no etcd store, BOLT_DAMAGED when it is not sound. */
export function readStoreInfo(file: BoltFile): StoreInfo {
  const { rows, meta } = storeBuckets(file);
  const revisions = readStoreRevisions(file);
  const digest = digestRows(rows, revisions.revision, revisions.compactRevision);
  const auth = file.bucket('auth');
  return {
    ...revisions,
    consistentIndex: readUint64(meta, 'consistent_index') ?? 0n,
    term: readUint64(meta, 'term'),
    storageVersion: meta.get('storageVersion')?.toString(),
    clusterVersion: file.bucket('cluster')?.get('clusterVersion')?.toString(),
    lastRevisionDigest: digest?.digest ?? null,
    lastRevisionRows: digest?.rows ?? 0,
    authRevision: (auth && readUint64(auth, 'authRevision')) ?? 0n,
    authEnabled: auth?.get('authEnabled')?.[0] === 1,
    alarms: readAlarms(file),
  };
}

/** The revisions alone. @throws EtcdOpsError like `readStoreInfo` */
export function readStoreRevisions(file: BoltFile): StoreRevisions {
  const { rows, meta } = storeBuckets(file);
  const cursor = rows.cursor();
  const lastRow = cursor.last() ? decodeRevisionKey(cursor.key).main : 0;
  const scheduledCompact = readCompactRevision(meta, 'scheduledCompactRev');
  const finishedCompact = readCompactRevision(meta, 'finishedCompactRev');
  const compactRevision = Math.max(scheduledCompact, finishedCompact);
  return {
    lastRow,
    scheduledCompact,
    finishedCompact,
    compactRevision,
    revision: Math.max(lastRow, compactRevision, 1),
  };
}

/** The digest of a revision's rows; null when it has none or compaction may have taken some. */
export function digestOfRevision(file: BoltFile, revision: Revision): { digest: string; rows: number } | null {
  const { compactRevision } = readStoreRevisions(file);
  return digestRows(storeBuckets(file).rows, revision, compactRevision);
}

function storeBuckets(file: BoltFile): { rows: Bucket; meta: Bucket } {
  const rows = file.bucket(ROW_BUCKET);
  const meta = file.bucket('meta');
  if (rows !== undefined && meta !== undefined) return { rows, meta };
  throw damaged(`${file.path} has no bucket ${rows === undefined ? ROW_BUCKET : 'meta'}: it is no etcd database`);
}

function digestRows(
  rows: Bucket,
  revision: Revision,
  compactRevision: Revision,
): { digest: string; rows: number } | null {
  if (revision <= compactRevision) return null;
  const digest = new RevisionDigest();
  const cursor = rows.cursor();
  for (let found = cursor.seek(encodeRevisionKey(revision)); found; found = cursor.next()) {
    if (decodeRevisionKey(cursor.key).main !== revision) break;
    digest.update(cursor.key, cursor.value);
  }
  return digest.rowCount === 0 ? null : { digest: digest.hex(), rows: digest.rowCount };
}

function readCompactRevision(meta: Bucket, name: string): Revision {
  const value = meta.get(name);
  return value === undefined ? -1 : decodeRevisionKey(value).main;
}

function readUint64(bucket: Bucket, name: string): bigint | undefined {
  const value = bucket.get(name);
  if (value === undefined) return undefined;
  if (value.length !== 8) throw damaged(`Bucket ${bucket.name}: ${name} has ${value.length} bytes instead of 8`);
  return value.readBigUInt64BE();
}

/** The key of an alarm is etcdserverpb.AlarmMember {1: member id, 2: alarm}. Source: etcd server/etcdserver/api/v3alarm. */
function readAlarms(file: BoltFile): StoredAlarm[] {
  const alarms: StoredAlarm[] = [];
  const cursor = file.bucket('alarm')?.cursor();
  if (cursor === undefined) return alarms;
  for (let found = cursor.first(); found; found = cursor.next()) {
    const alarm: StoredAlarm = { memberId: 0n, alarm: 'NONE' };
    const scanner = new ProtoScanner(cursor.key);
    while (scanner.nextField()) {
      if (scanner.tag === 1 << 3) alarm.memberId = scanner.takeBigInt();
      else if (scanner.tag === 2 << 3) {
        const type = scanner.takeNumber();
        alarm.alarm = ALARM_NAMES[type] ?? String(type);
      } else scanner.skip();
    }
    alarms.push(alarm);
  }
  return alarms;
}

function damaged(message: string): EtcdOpsError {
  return new EtcdOpsError('MVCC_DAMAGED', { message });
}
