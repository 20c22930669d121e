import { EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import { Yielder } from '../base/yielding.ts';
import { BoltFile } from '../bolt/bolt-file.ts';
import { checkBoltFile, type BoltCheckReport } from '../bolt/check.ts';
import type { LeafView } from '../bolt/page.ts';
import { checkSnapshotHash } from '../compact/snapshot-hash.ts';
import { hashKV, type HashKVResult } from '../mvcc/hash-kv.ts';
import { scanKeyValue, type KeyValue } from '../mvcc/key-value.ts';
import { readLeases } from '../mvcc/leases.ts';
import type { Revision } from '../mvcc/revision.ts';
import { isTombstoneRow, rowMain } from '../mvcc/row-key.ts';
import { readStoreInfo, ROW_BUCKET, type StoreInfo } from '../mvcc/store-info.ts';

export interface InspectedStore {
  info: StoreInfo;
  /** Without a trailing hash. */
  databaseBytes: number;
  pageSize: number;
  pages: BoltCheckReport;
  /** `right`: the SHA-256 that `snapshot save` appends fits. `absent`, or not looked at: only the structure vouches for the file. */
  trailingHash: 'right' | 'absent';
  rows: RowCounts;
  leases: number;
  members: StoredMember[];
  hash: HashKVResult;
}

export interface RowCounts {
  count: number;
  tombstones: number;
  /** Of keys and values as they are stored. */
  bytes: number;
  firstRevision: Revision | undefined;
}

export interface StoredMember {
  /** Lower-case hex. */
  id: string;
  name: string;
  peerUrls: string[];
}

export interface InspectStoreOptions {
  /** Look at the SHA-256 that `snapshot save` appended; true unless told. A file with a wrong one may still be a sound store. */
  checkHash?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((phase: 'pages' | 'rows' | 'hash', bytesDone: number, bytesTotal: number) => void) | undefined;
}

/**
 * Reads all of a database file and checks all of it: the hash that etcd appended, every page, every row, HashKV.
 * Memory is bounded, but for HashKV's table of keys in a compacted store.
 * @throws EtcdOpsError SNAPSHOT_HASH_MISMATCH, BOLT_DAMAGED, MVCC_DAMAGED, CANCELLED.
 */
export async function inspectStore(path: string, options: InspectStoreOptions = {}): Promise<InspectedStore> {
  const { signal, onProgress, checkHash = true } = options;
  using file = BoltFile.open(path);
  const { fileBytes, pageSize } = file;
  const hashing = file.trailerBytes === 0 || !checkHash ? undefined : checkSnapshotHash(file, signal);
  try {
    onProgress?.('pages', 0, 0);
    const pages = await checkBoltFile(file, { signal });
    const info = readStoreInfo(file);
    const leases = readLeases(file).size;
    const rows = await countRows(file, options);
    onProgress?.('hash', 0, 0);
    const hash = await hashKV(file, { signal });
    const facts = { info, databaseBytes: fileBytes, pageSize, pages, rows, leases, members: membersOf(file), hash };
    return { ...facts, trailingHash: hashing === undefined ? 'absent' : 'right' };
  } catch (error) {
    throw namingFile(path, error);
  } finally {
    // A wrong hash counts more than whatever rule its bytes broke.
    await hashing?.settle();
  }
}

/** Who reads the rows knows no path; who reads the error needs one. */
function namingFile(path: string, error: unknown): unknown {
  if (!isEtcdOpsError(error, 'MVCC_DAMAGED') || error.message.startsWith(path)) return error;
  return new EtcdOpsError('MVCC_DAMAGED', { message: `${path}: ${error.message}`, facts: { path }, cause: error });
}

async function countRows(file: BoltFile, { signal, onProgress }: InspectStoreOptions): Promise<RowCounts> {
  const counts: RowCounts = { count: 0, tombstones: 0, bytes: 0, firstRevision: undefined };
  const yielder = new Yielder({ signal });
  for (const leaf of file.bucket(ROW_BUCKET)!.leaves()) {
    for (let entry = 0; entry < leaf.count; entry++) countRow(leaf, entry, counts);
    if (!yielder.due(leaf.byteLength)) continue;
    onProgress?.('rows', counts.bytes, file.fileBytes);
    await yielder.turn();
  }
  return counts;
}

function countRow(leaf: LeafView, entry: number, counts: RowCounts): void {
  const revision = rowMain(leaf, entry);
  const value = leaf.value(entry);
  const tombstone = isTombstoneRow(leaf, entry);
  const { key, modRevision } = scanRow(leaf, entry);
  counts.firstRevision ??= revision;
  counts.count++;
  if (tombstone) counts.tombstones++;
  counts.bytes += leaf.keyLength(entry) + value.length;
  // What --bump-revision writes has no value at all.
  if (value.length === 0) return;
  const rule =
    key.length === 0
      ? 'names no key'
      : !tombstone && modRevision !== revision
        ? `says that it is of ${modRevision}`
        : undefined;
  if (rule === undefined) return;
  throw new EtcdOpsError('MVCC_DAMAGED', {
    message: `Bucket key, page ${leaf.id}, entry ${entry}: the row of revision ${revision} ${rule}`,
  });
}

function scanRow(leaf: LeafView, entry: number): KeyValue {
  try {
    return scanKeyValue(leaf.value(entry));
  } catch (error) {
    if (!isEtcdOpsError(error, 'MVCC_DAMAGED')) throw error;
    const place = `Bucket key, page ${leaf.id}, entry ${entry}`;
    throw new EtcdOpsError('MVCC_DAMAGED', {
      message: `${place}: the row of revision ${rowMain(leaf, entry)} has no mvccpb.KeyValue for a value: ${error.message}`,
    });
  }
}

/** Source: etcd server/storage/schema/membership.go: the id in hex -> JSON. */
function membersOf(file: BoltFile): StoredMember[] {
  const members: StoredMember[] = [];
  const cursor = file.bucket('members')?.cursor();
  if (cursor === undefined) return members;
  for (let found = cursor.first(); found; found = cursor.next()) {
    const id = cursor.key.toString('latin1').replace(/^0+(?=.)/, '');
    members.push({ id, ...memberFrom(cursor.value, id) });
  }
  return members;
}

function memberFrom(value: Buffer, id: string): Omit<StoredMember, 'id'> {
  try {
    const parsed = JSON.parse(value.toString('utf8')) as { name?: unknown; peerURLs?: unknown };
    const peerUrls = Array.isArray(parsed.peerURLs) ? parsed.peerURLs.map(String) : [];
    return { name: typeof parsed.name === 'string' ? parsed.name : '', peerUrls };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new EtcdOpsError('MVCC_DAMAGED', { message: `Bucket members: member ${id} is no JSON`, cause: error });
  }
}
