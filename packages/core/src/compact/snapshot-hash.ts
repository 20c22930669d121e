import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { EtcdOpsError } from '../base/errors.ts';
import type { BoltFile } from '../bolt/bolt-file.ts';
import { SNAPSHOT_TRAILER_BYTES } from '../bolt/format.ts';
import { readAhead } from '../restore/copy-with-hash.ts';
import { hashInWorker } from './hash-in-worker.ts';
import type { PhaseProgress } from './phase-progress.ts';

/** A check of the source that goes on while it is used: nothing made of it may be published before `settle`. */
export interface HashCheck {
  /** @throws EtcdOpsError SNAPSHOT_HASH_MISMATCH when the snapshot is not what etcd hashed. */
  settle(): Promise<void>;
}

/** Begins to hash a snapshot on another thread. An error, or an abort, is told by `settle` alone. */
export function checkSnapshotHash(source: BoltFile, signal: AbortSignal | undefined): HashCheck {
  const hashing = hashInWorker({ path: source.path, bytes: source.fileBytes }, signal);
  hashing.catch(() => undefined);
  return {
    settle: async () => {
      const [found, stored] = [await hashing, await readTrailer(source)];
      if (found.equals(stored)) return;
      throw new EtcdOpsError('SNAPSHOT_HASH_MISMATCH', {
        message: `${source.path}: its SHA-256 is ${found.toString('hex')}, etcd appended ${stored.toString('hex')}`,
      });
    },
  };
}

/** Appends the SHA-256 of a file to it, as etcd does with a snapshot, and makes all of it durable. */
export async function appendSnapshotHash(path: string, progress: PhaseProgress): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    const [hash] = await Promise.all([sha256Of(file, size, progress), file.sync()]);
    await file.write(hash, 0, SNAPSHOT_TRAILER_BYTES, size);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function readTrailer(source: BoltFile): Promise<Buffer> {
  const file = await open(source.path, 'r');
  try {
    const trailer = Buffer.alloc(SNAPSHOT_TRAILER_BYTES);
    await file.read(trailer, 0, trailer.length, source.fileBytes);
    return trailer;
  } finally {
    await file.close();
  }
}

async function sha256Of(file: FileHandle, bytes: number, progress: PhaseProgress): Promise<Buffer> {
  const hash = createHash('sha256');
  let left = bytes;
  for await (const chunk of readAhead(file, { signal: progress.signal })) {
    hash.update(chunk.subarray(0, left));
    left = Math.max(0, left - chunk.length);
    if (progress.due(chunk.length)) await progress.turn();
  }
  return hash.digest();
}
