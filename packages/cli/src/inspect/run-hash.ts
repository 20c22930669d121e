import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  BoltFile,
  EtcdOpsError,
  hashKV,
  inspectDataDir,
  readStoreInfo,
  recogniseFile,
  type HashKVResult,
  type StoreInfo,
} from '@etcd-ops/core';
import { identitiesOf, type IdentityOptions } from '../options/packing-options.ts';
import { cancelOnSignal } from '../output/cancel-on-signal.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { ProgressLine, type ProgressMode } from '../output/progress-line.ts';
import { renderTable } from '../output/table.ts';
import { asDiskFailure } from './disk-failure.ts';
import { plainDatabase } from './plain-database.ts';

export interface HashOptions extends IdentityOptions {
  revision?: number;
  compactRevision?: number;
  tempDir?: string;
  output: 'table' | 'json';
  progress: ProgressMode;
}

/** @throws EtcdOpsError USAGE, REVISION_NOT_RESTORABLE, BOLT_DAMAGED, MVCC_DAMAGED, STORE_NOT_FOUND, DATA_DIR_IN_USE. */
export async function runHash(options: HashOptions, file: string): Promise<void> {
  using cancel = cancelOnSignal();
  const path = await databaseOf(resolve(file), cancel.signal);
  const line = new ProgressLine(process.stderr, options.progress);
  try {
    const result = await hashOf(path, options, cancel.signal, line);
    line.clear();
    emit(path, result, options.output);
  } catch (error) {
    throw asDiskFailure(error, path);
  } finally {
    line.clear();
  }
}

async function hashOf(
  path: string,
  options: HashOptions,
  signal: AbortSignal,
  line: ProgressLine,
): Promise<HashKVResult> {
  const { revision, compactRevision, tempDir } = options;
  const onProgress = (phase: string, done: number, total: number): void => line.update(phase, done, total);
  const identities = await identitiesOf(options);
  const { kind, codec, encryption, bytes } = recogniseFile(path);
  if (kind !== 'database') {
    throw new EtcdOpsError('USAGE', {
      message: `${path} is a ${kind}: only a database has a HashKV`,
      remedy: 'Name a full, a copied db or a data directory.',
    });
  }
  await using plain = await plainDatabase(path, { codec, encryption, identities, bytes, tempDir, signal, onProgress });
  using database = BoltFile.open(plain.path);
  checkHashRange(path, readStoreInfo(database), { revision, compactRevision });
  onProgress('hash', 0, 0);
  return await hashKV(database, { revision, compactRevision, signal });
}

/** The database of a data directory is read only while no etcd writes it. */
async function databaseOf(path: string, signal: AbortSignal): Promise<string> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return path;
  const database = join(path, 'member', 'snap', 'db');
  if (!existsSync(database)) {
    throw new EtcdOpsError('STORE_NOT_FOUND', {
      message: `${path} holds no database (member/snap/db)`,
      remedy: 'Check the path.',
    });
  }
  const state = await inspectDataDir({ dataDir: path, checkPages: false, signal });
  if (state.kind !== 'running') return database;
  throw new EtcdOpsError('DATA_DIR_IN_USE', {
    message: `An etcd has ${state.path} open`,
    remedy: 'Ask it (`etcdctl endpoint hashkv`), or stop it first.',
  });
}

/**
 * A hash of other rows than etcd's would only mislead.
 * @throws EtcdOpsError USAGE for a compact revision that the file cannot stand in for, REVISION_NOT_RESTORABLE.
 */
export function checkHashRange(
  path: string,
  info: Pick<StoreInfo, 'revision' | 'compactRevision'>,
  wanted: { revision: number | undefined; compactRevision: number | undefined },
): void {
  const lowest = Math.max(info.compactRevision, 1);
  // 0 is the current one, as for etcdctl.
  const revision = wanted.revision || info.revision;
  if (revision < lowest || revision > info.revision) {
    throw new EtcdOpsError('REVISION_NOT_RESTORABLE', {
      message: `${path} holds the revisions ${lowest} to ${info.revision}, not ${revision}`,
      remedy: 'Leave --revision away for its newest one.',
    });
  }
  const { compactRevision } = wanted;
  if (compactRevision === undefined || (compactRevision >= info.compactRevision && compactRevision <= revision)) return;
  throw new EtcdOpsError('USAGE', {
    message: `--compact-revision ${compactRevision} is not between ${Math.max(info.compactRevision, 0)}, where ${path} is compacted, and the revision ${revision}`,
    remedy: 'Rows that compaction took cannot be hashed; leave --compact-revision away for the hash as the file is.',
  });
}

function emit(path: string, result: HashKVResult, output: 'table' | 'json'): void {
  const { hash, revision, compactRevision } = result;
  if (output === 'json') return emitJson({ path, hash, revision, compactRevision });
  const row = [String(hash), String(revision), String(compactRevision)];
  emitText(renderTable(['hash', 'revision', 'compact revision'], [row]));
}
