import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { EtcdOpsError } from '../base/errors.ts';
import type { BoltFile } from '../bolt/bolt-file.ts';
import { SNAPSHOT_TRAILER_BYTES } from '../bolt/format.ts';
import { readAhead } from '../restore/copy-with-hash.ts';
import type { PhaseProgress } from './phase-progress.ts';

/** @throws EtcdOpsError SNAPSHOT_HASH_MISMATCH when a snapshot is not what etcd hashed. */
export async function checkSnapshotHash(source: BoltFile, progress: PhaseProgress): Promise<void> {
  const file = await open(source.path, 'r');
  try {
    const stored = Buffer.alloc(SNAPSHOT_TRAILER_BYTES);
    await file.read(stored, 0, stored.length, source.fileBytes);
    const found = await sha256Of(file, source.fileBytes, progress);
    if (found.equals(stored)) return;
    throw new EtcdOpsError('SNAPSHOT_HASH_MISMATCH', {
      message: `${source.path}: its SHA-256 is ${found.toString('hex')}, etcd appended ${stored.toString('hex')}`,
    });
  } finally {
    await file.close();
  }
}

/** Appends the SHA-256 of a file to it, as etcd does with a snapshot, and syncs it. */
export async function appendSnapshotHash(path: string, progress: PhaseProgress): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    await file.write(await sha256Of(file, size, progress), 0, SNAPSHOT_TRAILER_BYTES, size);
    await file.sync();
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
