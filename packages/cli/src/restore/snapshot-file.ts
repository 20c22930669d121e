import { createReadStream, statSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  BoltFile,
  EtcdOpsError,
  readStoreInfo,
  recogniseFile,
  targetOfStore,
  type EtcdTarget,
  type FullEntry,
  type ObjectStore,
  type RestorePlan,
  type StoreInfo,
} from '@etcd-ops/core';

const TRAILER_BYTES = 32;
const UNKNOWN_SHA256 = '0'.repeat(64);

export interface SnapshotFile {
  store: ObjectStore;
  plan: RestorePlan;
  /** The release line that wrote it, as far as the file tells. */
  target: EtcdTarget;
}

/**
 * A file of `etcdctl snapshot save` (or, with `skipHashCheck`, a copied `member/snap/db`) as a store of one full and the plan that
 * restores it.
 * @throws EtcdOpsError STORE_NOT_FOUND, SNAPSHOT_HASH_MISMATCH, BOLT_DAMAGED, MVCC_DAMAGED, REVISION_NOT_RESTORABLE.
 */
export function planSnapshotFile(
  file: string,
  options: { revision?: number | undefined; skipHashCheck: boolean },
): SnapshotFile {
  const path = resolve(file);
  const bytes = sizeOf(path);
  refusePacked(file, path);
  if (!options.skipHashCheck && bytes % 512 !== TRAILER_BYTES) {
    throw new EtcdOpsError('SNAPSHOT_HASH_MISMATCH', {
      message: `${file} does not end with the SHA-256 that \`snapshot save\` appends`,
      remedy:
        'If it is a db file copied out of a data directory, say so with --skip-hash-check; nothing else can vouch for it then.',
    });
  }
  const info = readInfo(path);
  const revision = options.revision ?? info.revision;
  const lowest = Math.max(info.compactRevision, 1);
  if (revision > info.revision || revision < lowest) {
    throw new EtcdOpsError('REVISION_NOT_RESTORABLE', {
      message: `${file} holds the revisions ${lowest} to ${info.revision}, not ${revision}`,
      remedy: 'Leave --revision away for its newest state.',
    });
  }
  const full = entryOf(path, { bytes, info });
  const warnings = options.skipHashCheck ? ['No hash was checked: only the structure of the file vouches for it.'] : [];
  const plan: RestorePlan = {
    cluster: full.manifest.cluster,
    timeline: 1,
    revision,
    full,
    cutFull: revision < info.revision,
    deltas: [],
    bytesToFetch: bytes,
    expectedDbBytes: bytes,
    warnings,
  };
  return { store: oneFileStore(path), plan, target: targetOfStore(info) };
}

/** A file is read in place, so it has to be plain. */
function refusePacked(file: string, path: string): void {
  const { codec, encryption } = recogniseFile(path);
  if (codec === 'none' && encryption === undefined) return;
  const what = encryption === undefined ? `compressed (${codec})` : 'encrypted';
  throw new EtcdOpsError('USAGE', {
    message: `${file} is ${what}, and --from-file reads a plain snapshot`,
    remedy:
      'Unpack it first: `age --decrypt -i key.txt`, then `gzip -dc` or `zstd -dc`; or restore from its repository by --snapshot.',
  });
}

function sizeOf(path: string): number {
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts?.isFile() === true) return facts.size;
  throw new EtcdOpsError('STORE_NOT_FOUND', {
    message: facts === undefined ? `There is no file ${path}` : `${path} is not a file`,
    remedy: 'Name the file that `etcdctl snapshot save` wrote.',
  });
}

function readInfo(path: string): StoreInfo {
  using file = BoltFile.open(path);
  return readStoreInfo(file);
}

/** What a manifest would say. Its SHA-256 is unknown, so `verify` must be off; etcd's own hash at the end is checked. */
function entryOf(path: string, { bytes, info }: { bytes: number; info: StoreInfo }): FullEntry {
  const createdAtMs = Math.round(statSync(path).mtimeMs);
  const at = new Date(createdAtMs).toISOString();
  return {
    key: path,
    timeline: 1,
    revision: info.revision,
    createdAtMs,
    bytes,
    modifiedAtMs: createdAtMs,
    manifest: {
      version: 1,
      kind: 'full',
      cluster: 'file',
      timeline: 1,
      revision: info.revision,
      compactRevision: info.compactRevision,
      lastRevisionDigest: info.lastRevisionDigest,
      lastRevisionRows: info.lastRevisionRows,
      clusterId: '0',
      memberId: '0',
      etcdVersion: `${targetOfStore(info)}.0`,
      createdAt: at,
      finishedAt: at,
      codec: 'none',
      plainBytes: bytes,
      plainSha256: UNKNOWN_SHA256,
      storedBytes: bytes,
      storedSha256: UNKNOWN_SHA256,
      cause: 'file',
    },
  };
}

/** Reads one file and nothing else; it is never written. */
function oneFileStore(path: string): ObjectStore {
  const refuse = (): Promise<never> =>
    Promise.reject(new EtcdOpsError('STORE_FAILED', { message: `${path} is only read` }));
  return {
    description: path,
    capabilities: { conditionalPut: false, multipart: false, objectLock: false },
    put: refuse,
    putFile: refuse,
    putStream: refuse,
    delete: refuse,
    get: refuse,
    stream: () => createReadStream(path),
    stat: () => Promise.resolve(undefined),
    async *list() {},
    localPath: () => path,
  };
}
