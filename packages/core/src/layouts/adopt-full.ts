import { createHash, randomUUID } from 'node:crypto';
import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EtcdOpsError } from '../base/errors.ts';
import { BoltFile } from '../bolt/bolt-file.ts';
import { checkBoltFile } from '../bolt/check.ts';
import { targetOfVersion, type EtcdTarget } from '../datadir/store-buckets.ts';
import { sealDigest } from '../encryption/sealed-digest.ts';
import { readStoreInfo, type StoreInfo } from '../mvcc/store-info.ts';
import { encodeManifest, type FullManifest } from '../repository/full-manifest.ts';
import { fullKey, manifestKey } from '../repository/object-key.ts';
import { encryptionOfPacking, packFile } from '../repository/packing.ts';
import { cloneOrCopy } from '../restore/clone-file.ts';
import { readAhead, SnapshotHasher, TRAILER_BYTES, type SnapshotHashes } from '../restore/copy-with-hash.ts';
import { blaming } from '../restore/damaged-object.ts';
import type { AdoptTarget, ImportSource } from './adopt-delta.ts';
import { writePlain } from './foreign-bytes.ts';
import type { ForeignCodec } from './snapshot-name.ts';

const NEVER = new AbortController().signal;

/** A snapshot that somebody else took, whatever it is called. */
export interface ForeignFull {
  key: string;
  timeline: number;
  createdAtMs: number;
  codec: ForeignCodec;
}

export interface AdoptedFull {
  key: string;
  manifest: FullManifest;
}

/**
 * Puts a foreign full into a native repository: decompressed, checked (etcd's trailing SHA-256, every page), its true S and C read out
 * of it, stored with a manifest as any other full.
 * @throws DamagedObjectError naming the foreign full; EtcdOpsError STORE_..., CANCELLED.
 */
export async function adoptFull(source: ImportSource, full: ForeignFull, target: AdoptTarget): Promise<AdoptedFull> {
  const { signal, scratchDir } = target;
  const path = join(scratchDir, `full-${randomUUID()}`);
  try {
    const checked = await blaming(full.key, async () => {
      await fetch(source, full, path, signal);
      return await checkFull(path, signal);
    });
    return await storeFull(path, full, checked, target);
  } finally {
    await rm(path, { force: true });
    await rm(`${path}.packed`, { force: true });
  }
}

/** What marks a full as the copy of a foreign one, in `taskId`: so that it is not copied twice. */
export function importIdOf(key: string): string {
  return `import-${createHash('sha256').update(key).digest('hex').slice(0, 32)}`;
}

/** The release line that wrote a file: 3.6 writes its storage version, 3.5 the raft term; the cluster version is the lowest of all members'. */
export function targetOfStore(info: Pick<StoreInfo, 'storageVersion' | 'clusterVersion' | 'term'>): EtcdTarget {
  const written = info.storageVersion ?? info.clusterVersion;
  const known = written === undefined ? undefined : targetOfVersion(written);
  if (known !== undefined && (known !== '3.4' || info.term === undefined)) return known;
  return info.term === undefined ? '3.4' : '3.5';
}

async function fetch(
  source: ImportSource,
  full: ForeignFull,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const local = full.codec === 'none' ? source.localPath?.(full.key) : undefined;
  if (local !== undefined) return await cloneOrCopy(local, path, signal);
  const chunks = source.stream(full.key, signal === undefined ? {} : { signal });
  await writePlain(chunks, path, { codec: full.codec, signal });
}

interface CheckedFull {
  hashes: SnapshotHashes;
  info: StoreInfo;
}

async function checkFull(path: string, signal: AbortSignal | undefined): Promise<CheckedFull> {
  const { size } = await stat(path);
  if (size % 512 !== TRAILER_BYTES) {
    throw new EtcdOpsError('SNAPSHOT_HASH_MISMATCH', {
      message: 'it lacks the SHA-256 that etcd appends (a file out of a data directory?)',
    });
  }
  const hasher = new SnapshotHasher(size);
  {
    await using file = await open(path, 'r');
    for await (const chunk of readAhead(file, { signal })) hasher.update(chunk);
  }
  const hashes = hasher.finish();
  if (hashes.bodySha256 !== hashes.trailer) {
    throw new EtcdOpsError('SNAPSHOT_HASH_MISMATCH', {
      message: `its SHA-256 is ${hashes.bodySha256}, etcd appended ${hashes.trailer}`,
    });
  }
  using file = BoltFile.open(path);
  await checkBoltFile(file, { signal });
  return { hashes, info: readStoreInfo(file) };
}

async function storeFull(
  path: string,
  { key: foreignKey, timeline, createdAtMs }: ForeignFull,
  { hashes, info }: CheckedFull,
  { store, cluster, clusterId, packing, signal = NEVER }: AdoptTarget,
): Promise<AdoptedFull> {
  const plain = { path, bytes: hashes.bytes, sha256: hashes.sha256 };
  const stored = await packFile(plain, { target: `${path}.packed`, packing, signal });
  const { codec, recipients } = packing;
  const { revision, compactRevision, lastRevisionDigest: digest, lastRevisionRows } = info;
  const facts = { cluster, timeline, revision, codec };
  const taken = { ...facts, createdAtMs, ...encryptionOfPacking(packing) };
  // Names know seconds only: two of one revision and second differ in their milliseconds, and none goes over another.
  while ((await store.stat(manifestKey(fullKey(taken)))) !== undefined) taken.createdAtMs++;
  const key = fullKey(taken);
  const manifest: FullManifest = {
    ...{ version: 1, kind: 'full', ...facts, compactRevision, lastRevisionRows },
    lastRevisionDigest: recipients === undefined || digest === null ? digest : await sealDigest(digest),
    clusterId: clusterId.toString(16),
    memberId: '0',
    etcdVersion: info.storageVersion ?? `${targetOfStore(info)}.0`,
    createdAt: new Date(taken.createdAtMs).toISOString(),
    finishedAt: new Date(taken.createdAtMs).toISOString(),
    ...(recipients === undefined ? {} : { encryption: { format: 'age', recipients: [...recipients.fingerprints] } }),
    ...{ plainBytes: plain.bytes, plainSha256: plain.sha256, storedBytes: stored.bytes, storedSha256: stored.sha256 },
    authRevision: Number(info.authRevision),
    cause: 'import',
    taskId: importIdOf(foreignKey),
  };
  const encoded = encodeManifest(manifest);
  await store.putFile(key, stored.path, { move: true, signal });
  await store.put(manifestKey(key), encoded, { signal });
  return { key, manifest };
}
