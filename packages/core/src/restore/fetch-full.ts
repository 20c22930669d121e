import { open, stat, truncate, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createHash } from 'node:crypto';
import { decompressStream } from '../codec/codec-stream.ts';
import { decryptStage } from '../encryption/age-stream.ts';
import type { Identities } from '../encryption/identities.ts';
import type { FullEntry } from '../repository/inventory.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { asUnopened, blaming, DamagedObjectError } from './damaged-object.ts';
import { tryClone } from './clone-file.ts';
import { copyBeside } from './copy-beside.ts';
import { readAhead, SnapshotHasher, TRAILER_BYTES, WriteBehind, type SnapshotHashes } from './copy-with-hash.ts';
import { SyncBehind } from './sync-behind.ts';

/** Below this, a thread costs more (its start: some 30 ms of CPU) than it saves. */
const COPIED_BESIDE_BYTES = 64 * 1024 * 1024;

export interface FetchFullOptions {
  store: ObjectStore;
  full: FullEntry;
  /** The database file to make; it must not exist. */
  path: string;
  /** Check size and SHA-256 of the stored bytes against the manifest. */
  verify: boolean;
  /** Take a file whose own trailing SHA-256 is missing or wrong. */
  skipHashCheck: boolean;
  /** What opens an encrypted full. */
  identities?: Identities | undefined;
  signal?: AbortSignal | undefined;
  /** Called with the stored bytes that were read so far. */
  onBytes?: (bytes: number) => void;
}

export interface FetchedFull {
  /** `cloned`: the file system shares the blocks; `copied`: from a local file; `streamed`: through the store, decrypted, decompressed. */
  method: 'cloned' | 'copied' | 'streamed';
  databaseBytes: number;
}

/**
 * Makes the database file of a full: stored bytes, decrypted, decompressed, checked, etcd's trailing hash cut off. Not yet synced.
 * @throws DamagedObjectError naming the full; EtcdOpsError IDENTITY_MISSING.
 */
export async function fetchFull(options: FetchFullOptions): Promise<FetchedFull> {
  return await blaming(options.full.key, async () => {
    const local = isStoredPlain(options.full) ? options.store.localPath?.(options.full.key) : undefined;
    const { method, hashes } = local === undefined ? await streamFull(options) : await copyLocalFull(local, options);
    const databaseBytes = judgeTrailer(hashes, options);
    await truncate(options.path, databaseBytes);
    return { method, databaseBytes };
  });
}

/** Its stored bytes are the snapshot itself: a local one can be read in place. */
export function isStoredPlain({ manifest }: FullEntry): boolean {
  return manifest.codec === 'none' && manifest.encryption === undefined;
}

async function copyLocalFull(
  local: string,
  options: FetchFullOptions,
): Promise<{ method: 'cloned' | 'copied'; hashes: SnapshotHashes }> {
  const { full, path, signal, onBytes } = options;
  const size = (await stat(local).catch((error: unknown) => missing(options, error))).size;
  if (size !== full.manifest.storedBytes) throw wrongSize(options, size);
  const cloned = await tryClone(local, path);
  const hasher = new SnapshotHasher(size);
  const hashing = options.verify || !options.skipHashCheck;
  if (!cloned || hashing) {
    // What is hashed are the very bytes that the new file gets: a clone is read back, a copy is hashed on its way.
    await using source = cloned
      ? await openForReading(path)
      : await openForReading(local).catch((error: unknown) => missing(options, error));
    let bytes = 0;
    for await (const chunk of cloned ? readAhead(source.file, { signal }) : copied(source.file, size, options)) {
      if (hashing) hasher.update(chunk);
      onBytes?.((bytes += chunk.length));
    }
  }
  const hashes = hasher.finish();
  if (hashing && hashes.bytes !== size) throw wrongSize(options, hashes.bytes);
  if (options.verify && hashes.sha256 !== full.manifest.storedSha256) throw wrongHash(options, hashes.sha256);
  return { method: cloned ? 'cloned' : 'copied', hashes: hashing ? hashes : { ...hashes, bytes: size } };
}

/** Copies a file to `path`, and yields what was written or is about to be. */
async function* copied(
  source: FileHandle,
  size: number,
  { path, signal }: FetchFullOptions,
): AsyncGenerator<Buffer, void, undefined> {
  if (size >= COPIED_BESIDE_BYTES) {
    await using target = await openFile(path, 'wx', 0o600);
    const syncing = new SyncBehind(target.file);
    let bytes = 0;
    try {
      for await (const chunk of copyBeside(source, target.file, { signal })) {
        yield chunk;
        syncing.reached((bytes += chunk.length));
      }
    } finally {
      await syncing.settle();
    }
    return syncing.throwIfFailed();
  }
  await using target = await WriteBehind.create(path, { syncBehind: true });
  for await (const chunk of readAhead(source, { signal })) {
    await target.write(chunk);
    yield chunk;
  }
  await target.finish(target.bytes);
}

async function streamFull(options: FetchFullOptions): Promise<{ method: 'streamed'; hashes: SnapshotHashes }> {
  const { store, full, signal, onBytes } = options;
  const { manifest } = full;
  const stored = createHash('sha256');
  const plain = new SnapshotHasher(manifest.plainBytes);
  let storedBytes = 0;
  async function* source(): AsyncGenerator<Buffer> {
    for await (const chunk of store.stream(full.key, signal === undefined ? {} : { signal })) {
      storedBytes += chunk.length;
      if (storedBytes > manifest.storedBytes) throw wrongSize(options, storedBytes);
      if (options.verify) stored.update(chunk);
      onBytes?.(storedBytes);
      yield chunk;
    }
  }
  await using target = await WriteBehind.create(options.path, { syncBehind: true });
  const sink = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of chunks) {
      await target.write(chunk);
      plain.update(chunk);
    }
  };
  const decompressor = decompressStream(manifest.codec, { plainBytesMax: manifest.plainBytes });
  const aborting = signal === undefined ? {} : { signal };
  if (manifest.encryption === undefined) await pipeline(source, decompressor, sink, aborting);
  else await pipeline(source, decryptStage(full.key, options.identities), decompressor, sink, aborting);
  await target.finish(target.bytes);
  const hashes = plain.finish();
  if (storedBytes !== manifest.storedBytes) throw wrongSize(options, storedBytes);
  if (hashes.bytes !== manifest.plainBytes) {
    throw damaged(options, `it holds ${hashes.bytes} plain bytes, its manifest says ${manifest.plainBytes}`);
  }
  if (options.verify) {
    const storedSha256 = stored.digest('hex');
    if (storedSha256 !== manifest.storedSha256) throw wrongHash(options, storedSha256);
    if (hashes.sha256 !== manifest.plainSha256) throw wrongHash(options, hashes.sha256);
  }
  return { method: 'streamed', hashes };
}

/** Bytes of the database without etcd's trailing SHA-256 (etcdutl/snapshot: a size of 32 above a multiple of 512 has one). */
function judgeTrailer(hashes: SnapshotHashes, { full, skipHashCheck }: FetchFullOptions): number {
  const present = hashes.bytes % 512 === TRAILER_BYTES;
  if (!skipHashCheck && !present) {
    const rule = 'it lacks the SHA-256 that etcd appends (a file out of a data directory?)';
    throw new DamagedObjectError('SNAPSHOT_HASH_MISMATCH', full.key, { rule });
  }
  if (!skipHashCheck && hashes.bodySha256 !== hashes.trailer) {
    const rule = `its SHA-256 is ${hashes.bodySha256}, etcd appended ${hashes.trailer}`;
    throw new DamagedObjectError('SNAPSHOT_HASH_MISMATCH', full.key, { rule });
  }
  return present ? hashes.bytes - TRAILER_BYTES : hashes.bytes;
}

function openForReading(path: string): Promise<{ file: FileHandle } & AsyncDisposable> {
  return openFile(path, 'r');
}

async function openFile(
  path: string,
  ...how: [flags: string, mode?: number]
): Promise<{ file: FileHandle } & AsyncDisposable> {
  const file = await open(path, ...how);
  return { file, [Symbol.asyncDispose]: () => file.close() };
}

function missing({ full }: FetchFullOptions, cause: unknown): never {
  throw asUnopened(full.key, cause);
}

function wrongSize({ full }: FetchFullOptions, bytes: number): DamagedObjectError {
  const rule = `it has ${bytes} bytes, its manifest says ${full.manifest.storedBytes}`;
  return new DamagedObjectError('OBJECT_DAMAGED', full.key, { rule });
}

function wrongHash({ full }: FetchFullOptions, sha256: string): DamagedObjectError {
  return new DamagedObjectError('OBJECT_DAMAGED', full.key, {
    rule: `its SHA-256 is ${sha256}, not what its manifest says`,
  });
}

function damaged({ full }: FetchFullOptions, rule: string): DamagedObjectError {
  return new DamagedObjectError('OBJECT_DAMAGED', full.key, { rule });
}
