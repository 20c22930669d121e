import { lstatSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describeError, isEtcdOpsError } from '../base/errors.ts';
import { BoltFile } from '../bolt/bolt-file.ts';
import { checkBoltFile } from '../bolt/check.ts';
import { digestOfRevision, readStoreInfo } from '../mvcc/store-info.ts';
import type { Revision } from '../mvcc/revision.ts';
import { brokenName } from './broken-name.ts';
import { findLockHolder } from './file-locks.ts';
import { listSnapFiles, type SnapFile } from './snap-files.ts';
import { scanWal, type WalSummary } from './scan-wal.ts';
import { listWalSegments, type WalSegment } from './wal-segments.ts';

/** What a sound data directory holds. */
export interface DataDirFacts {
  memberId: bigint;
  clusterId: bigint;
  /** Of the database file as it is; entries of the log behind it are applied when etcd starts. */
  revision: Revision;
  compactRevision: Revision;
  consistentIndex: bigint;
  /** Entries of the log that the database does not have yet: each may add a revision. */
  entriesAhead: number;
  members: number;
  databaseBytes: number;
  walBytes: number;
  /** Digest of the rows of the revision that was asked about; null when the file has none of them. */
  digest: string | null | undefined;
}

/**
 * `missing`: nothing there, or an empty directory. `foreign`: something else than an etcd data directory. `running`: an etcd has it open.
 * `broken`: etcd would not start from it, or start with less than it had.
 */
export type DataDirState =
  | { kind: 'missing' }
  | { kind: 'foreign'; reason: string }
  | { kind: 'running'; path: string; pid: number | undefined }
  | { kind: 'broken'; reason: string; clusterId: bigint | undefined }
  | { kind: 'healthy'; facts: DataDirFacts; warnings: string[] };

export interface InspectOptions {
  dataDir: string;
  walDir?: string | undefined;
  /** Also read every page of the database; true unless told. */
  checkPages?: boolean;
  /** Compute the digest of this revision's rows, to compare it with a backup's. */
  digestOf?: Revision | undefined;
  signal?: AbortSignal | undefined;
}

/** What may lie beside `member` without making the directory somebody else's. */
const IGNORED = new Set(['lost+found', '.etcd-ops.part']);
/** Inside of `member`: etcd makes a log as `wal.tmp` first, and tries whether it may write with `.touch`. */
const MEMBER_ENTRY = /^(?:snap|wal|\.touch)/;

/** Judges a data directory the way etcd will when it starts from it; reads only. @throws EtcdOpsError DISK_FAILED, CANCELLED. */
export async function inspectDataDir(options: InspectOptions): Promise<DataDirState> {
  const dataDir = resolve(options.dataDir);
  const walDir = options.walDir === undefined ? join(dataDir, 'member', 'wal') : resolve(options.walDir);
  const snapDir = join(dataDir, 'member', 'snap');
  const shape = shapeOf(dataDir, options.walDir === undefined ? undefined : walDir);
  if (shape !== undefined) return shape;
  const databasePath = join(snapDir, 'db');
  const segments = attempt(() => (isDirectory(walDir) ? listWalSegments(walDir) : []));
  const walPaths = segments.ok ? segments.value.map(({ path }) => path) : [];
  const holder = await findLockHolder([databasePath, ...walPaths.toReversed()]);
  if (holder !== undefined) return { kind: 'running', ...holder };
  if (!segments.ok) return { kind: 'broken', reason: segments.reason, clusterId: undefined };
  let clusterId: bigint | undefined;
  try {
    if (segments.value.length === 0) throw new Broken(`${walDir} holds no write-ahead log`);
    const wal = await scanWal(segments.value, options.signal);
    clusterId = wal.clusterId;
    return await inspectMember({ snapDir, databasePath, wal, segments: segments.value }, options);
  } catch (error) {
    const reason = brokenReason(error);
    if (reason === undefined) throw error;
    return { kind: 'broken', reason, clusterId };
  }
}

class Broken extends Error {}

/** What makes a directory broken; undefined for failures that say nothing about it. */
function brokenReason(error: unknown): string | undefined {
  if (error instanceof Broken) return error.message;
  if (!isEtcdOpsError(error)) return undefined;
  return error.exitCode === 4 ? describeError(error) : undefined;
}

async function inspectMember(
  found: { snapDir: string; databasePath: string; wal: WalSummary; segments: readonly WalSegment[] },
  options: InspectOptions,
): Promise<DataDirState> {
  const { snapDir, databasePath, wal } = found;
  const warnings: string[] = [];
  if (wal.torn !== undefined) {
    warnings.push(`${wal.torn.path}: the last record was not written whole (${wal.torn.rule}); etcd cuts it off`);
  }
  const snaps = isDirectory(snapDir) ? listSnapFiles(snapDir) : { usable: [], damaged: [] };
  warnings.push(...snaps.damaged.map(({ path, rule }) => `${path} is damaged (${rule}); etcd takes the one before`));
  const start = startOf(wal, snaps.usable);
  const lastIndex = checkLog(wal, start, found.segments);
  if (!isFile(databasePath)) throw new Broken(`${databasePath} is missing`);
  using file = BoltFile.open(databasePath);
  if (options.checkPages !== false) await checkBoltFile(file, { signal: options.signal });
  const info = readStoreInfo(file);
  if (info.consistentIndex > BigInt(lastIndex)) {
    throw new Broken(`the database has applied entry ${info.consistentIndex}, and the log ends at ${lastIndex}`);
  }
  if (info.consistentIndex < BigInt(start.index) && !isFile(snapDatabase(snapDir, start.index))) {
    throw new Broken(
      `the database has applied entry ${info.consistentIndex}, and the raft snapshot begins at ${start.index}`,
    );
  }
  const digest = options.digestOf === undefined ? undefined : digestFrom(file, options.digestOf);
  const facts: DataDirFacts = {
    memberId: wal.memberId,
    clusterId: wal.clusterId,
    revision: info.revision,
    compactRevision: info.compactRevision,
    consistentIndex: info.consistentIndex,
    entriesAhead: lastIndex - Number(info.consistentIndex),
    members: countMembers(file),
    databaseBytes: file.fileBytes,
    walBytes: wal.bytes,
    digest,
  };
  return { kind: 'healthy', facts, warnings };
}

/** Where etcd begins to read: the newest usable snapshot that the log knows as committed, else the very beginning. */
function startOf(wal: WalSummary, snaps: readonly SnapFile[]): { index: number; term: number } {
  const commit = wal.hardState?.commit ?? 0;
  const marks = wal.snapshots.filter(({ index }) => index <= commit);
  const chosen = snaps.find((snap) => marks.some(({ index, term }) => index === snap.index && term === snap.term));
  return chosen ?? { index: 0, term: 0 };
}

/** The raft index of the end of the log, which must reach from the start to what was committed. */
function checkLog(wal: WalSummary, start: { index: number }, segments: readonly WalSegment[]): number {
  const first = segments[0]!;
  if (first.firstIndex > start.index) {
    throw new Broken(`the log begins at entry ${first.firstIndex}, and no usable raft snapshot reaches it`);
  }
  const lastIndex = Math.max(wal.lastIndex ?? 0, start.index);
  if (wal.entriesFrom !== undefined && wal.lastIndex! > start.index && wal.entriesFrom > start.index + 1) {
    throw new Broken(`entries ${start.index + 1} to ${wal.entriesFrom - 1} are missing in the log`);
  }
  if (wal.hardState !== undefined && wal.hardState.commit > lastIndex) {
    throw new Broken(`the log says that entry ${wal.hardState.commit} is committed, and ends at ${lastIndex}`);
  }
  return lastIndex;
}

/** A leader that sends its database leaves it as `<index>.snap.db` until the raft snapshot is applied. */
function snapDatabase(snapDir: string, index: number): string {
  return join(snapDir, `${index.toString(16).padStart(16, '0')}.snap.db`);
}

function digestFrom(file: BoltFile, revision: Revision): string | null {
  return digestOfRevision(file, revision)?.digest ?? null;
}

function countMembers(file: BoltFile): number {
  let members = 0;
  const cursor = file.bucket('members')?.cursor();
  if (cursor === undefined) return 0;
  for (let found = cursor.first(); found; found = cursor.next()) members++;
  return members;
}

/** What can be said without opening a file; undefined for what looks like a data directory. */
function shapeOf(dataDir: string, separateWalDir: string | undefined): DataDirState | undefined {
  const names = entriesOf(dataDir);
  const walNames = separateWalDir === undefined ? [] : entriesOf(separateWalDir);
  if (names === 'file') return { kind: 'foreign', reason: `${dataDir} is not a directory` };
  if (walNames === 'file') return { kind: 'foreign', reason: `${separateWalDir} is not a directory` };
  if (names.includes('member') && isDirectory(join(dataDir, 'member'))) {
    const inside = entriesOf(join(dataDir, 'member'));
    const known = inside !== 'file' && inside.every((name) => MEMBER_ENTRY.test(name));
    if (!known) return { kind: 'foreign', reason: `${dataDir}/member holds what no etcd writes` };
    return inside.length === 0 && walNames.length === 0 ? { kind: 'missing' } : undefined;
  }
  if (names.length > 0) return { kind: 'foreign', reason: `${dataDir} holds '${names[0]}' and no 'member'` };
  if (walNames.length > 0) {
    return { kind: 'broken', reason: `${separateWalDir} holds a log, and ${dataDir} no data`, clusterId: undefined };
  }
  return { kind: 'missing' };
}

function entriesOf(path: string): string[] | 'file' {
  try {
    return readdirSync(path).filter((name) => !IGNORED.has(name) && !brokenName.test(name));
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR') return 'file';
    throw error;
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function isFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function attempt<T>(work: () => T): { ok: true; value: T } | { ok: false; reason: string } {
  try {
    return { ok: true, value: work() };
  } catch (error) {
    const reason = brokenReason(error);
    if (reason === undefined) throw error;
    return { ok: false, reason };
  }
}
