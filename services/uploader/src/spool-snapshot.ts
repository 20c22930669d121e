import { EtcdOpsError, isEtcdOpsError, writeFully } from '@etcd-ops/core';
import { createHash, type Hash } from 'node:crypto';
import { open, statfs, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

/** etcd ends a snapshot with the SHA-256 of everything before. Source: etcd server/etcdserver/api/v3rpc/maintenance.go. */
const TRAILER_BYTES = 32;

export interface SpooledSnapshot {
  path: string;
  /** With etcd's trailing hash. */
  bytes: number;
  /** Of all of it, lower-case hex. */
  sha256: string;
  /** When the first part had come, in milliseconds since the epoch: every row of the file is at least as old. */
  beganMs: number;
}

export interface SpoolOptions {
  path: string;
  /** What etcd says that its database has; the disk must have room for it. */
  expectedBytes: number;
  bytesMax: number;
  now: () => number;
  onProgress: (bytes: number) => void;
  signal: AbortSignal;
}

/**
 * Writes a snapshot to a file and checks its trailing hash. A blob is not looked at again when the next one was asked for.
 * @throws EtcdOpsError SNAPSHOT_INCOMPLETE (take it again), LIMIT_EXCEEDED, DISK_FAILED, and those of the stream.
 */
export async function spoolSnapshot(blobs: AsyncIterable<Buffer>, options: SpoolOptions): Promise<SpooledSnapshot> {
  const { path, expectedBytes, bytesMax } = options;
  if (expectedBytes > bytesMax) throw tooLarge(path, expectedBytes, bytesMax);
  await assertRoom(path, expectedBytes);
  const file = await open(path, 'wx', 0o600).catch((cause: unknown) => {
    throw diskFailed(path, cause);
  });
  try {
    return await copyAndHash(blobs, file, options);
  } finally {
    await file.close();
  }
}

async function copyAndHash(
  blobs: AsyncIterable<Buffer>,
  file: FileHandle,
  { path, bytesMax, now, onProgress, signal }: SpoolOptions,
): Promise<SpooledSnapshot> {
  const content = createHash('sha256');
  let beganMs = 0;
  let bytes = 0;
  let held: Buffer = Buffer.alloc(0);
  for await (const blob of blobs) {
    if (signal.aborted) {
      throw new EtcdOpsError('CANCELLED', { message: 'The snapshot was cancelled', cause: signal.reason });
    }
    if (bytes === 0) beganMs = now();
    if (bytes + blob.length > bytesMax) throw tooLarge(path, bytes + blob.length, bytesMax);
    // The disk and the hash work at the same time.
    const written = writeFully(file, blob, bytes).catch((cause: unknown) => {
      throw diskFailed(path, cause);
    });
    held = hashBehind(content, held, blob);
    bytes += blob.length;
    await written;
    onProgress(bytes);
  }
  if (held.length < TRAILER_BYTES) throw damaged(`it ended after ${bytes} bytes`);
  const whole = content.copy().update(held);
  if (!content.digest().equals(held)) throw damaged('its trailing SHA-256 does not fit its bytes');
  await file.sync();
  return { path, bytes, sha256: whole.digest('hex'), beganMs };
}

/** The last 32 bytes are not part of what they vouch for: they are held back until the end is known. */
function hashBehind(content: Hash, held: Buffer, blob: Buffer): Buffer {
  const ready = held.length + blob.length - TRAILER_BYTES;
  if (ready <= 0) return Buffer.concat([held, blob]);
  const ofHeld = Math.min(ready, held.length);
  content.update(held.subarray(0, ofHeld)).update(blob.subarray(0, ready - ofHeld));
  return Buffer.concat([held.subarray(ofHeld), blob.subarray(ready - ofHeld)]);
}

async function assertRoom(path: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(path));
  const free = bavail * bsize;
  if (free < bytes) {
    throw new EtcdOpsError('DISK_FAILED', {
      message: `The spool at ${path} has ${free} free bytes, and the snapshot needs ${bytes}`,
      remedy: 'Free some space, or set ETCD_OPS_SPOOL_DIR to a larger disk.',
    });
  }
}

/** Another snapshot may be sound, so this is worth a repetition. */
function damaged(rule: string): EtcdOpsError {
  const cause = new EtcdOpsError('SNAPSHOT_HASH_MISMATCH', { message: `The snapshot is damaged: ${rule}` });
  return new EtcdOpsError('SNAPSHOT_INCOMPLETE', { message: `The snapshot did not arrive whole: ${rule}`, cause });
}

function tooLarge(path: string, bytes: number, bytesMax: number): EtcdOpsError {
  return new EtcdOpsError('LIMIT_EXCEEDED', {
    message: `A snapshot of ${bytes} bytes is larger than the ${bytesMax} that the spool at ${path} may take`,
    remedy: 'Raise ETCD_OPS_SPOOL_BYTES_MAX if the size is right.',
  });
}

function diskFailed(path: string, cause: unknown): EtcdOpsError {
  if (isEtcdOpsError(cause)) return cause;
  const isFull = cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC';
  return new EtcdOpsError('DISK_FAILED', {
    message: isFull ? `The disk of ${path} is full` : `Writing ${path} failed`,
    cause,
  });
}
