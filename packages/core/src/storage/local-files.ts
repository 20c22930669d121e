import { constants } from 'node:fs';
import { link, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { syncDirectory } from '../base/atomic-file.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { isNotThere, systemErrorCode } from './local-errors.ts';

/** An object that is open for reading. */
export interface OpenObject extends AsyncDisposable {
  file: FileHandle;
  bytes: number;
}

/** @throws EtcdOpsError STORE_NOT_FOUND when it is no ordinary file, STORE_FAILED when it is a symbolic link. */
export async function openObject(path: string, key: string): Promise<OpenObject> {
  const file = await openNoFollow(path, key);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw notFound(key);
    return { file, bytes: found.size, [Symbol.asyncDispose]: async () => await file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

export function notFound(key: string): EtcdOpsError {
  return new EtcdOpsError('STORE_NOT_FOUND', { message: `The object ${key} does not exist` });
}

async function openNoFollow(path: string, key: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (isNotThere(error)) throw notFound(key);
    if (systemErrorCode(error) !== 'ELOOP') throw error;
    throw new EtcdOpsError('STORE_FAILED', {
      message: `The object ${key} is a symbolic link, which is not followed`,
      cause: error,
    });
  }
}

export async function readFully(file: FileHandle, target: Buffer, position: number, key: string): Promise<void> {
  for (let read = 0; read < target.length;) {
    const { bytesRead } = await file.read(target, read, target.length - read, position + read);
    if (bytesRead === 0) {
      throw new EtcdOpsError('STORE_FAILED', { message: `The object ${key} became shorter while it was read` });
    }
    read += bytesRead;
  }
}

/** Puts a synced file into its place, over an old one if there is one. */
export async function replaceFile(temporary: string, target: string): Promise<'created'> {
  await rename(temporary, target);
  await syncDirectory(dirname(target));
  return 'created';
}

/** link(2) fails when the name exists: the only atomic way to create a file that already has its content. */
export async function linkIfAbsent(temporary: string, target: string): Promise<'created' | 'exists'> {
  try {
    await link(temporary, target);
    return 'created';
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'EEXIST') return 'exists';
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) throw error;
    throw new EtcdOpsError('STORE_FAILED', {
      message: `The file system of ${dirname(target)} has no hard links, which a conditional write needs`,
      remedy: 'Put the bucket on a file system with hard links (ext4, xfs, btrfs, zfs, NFS), or use an object store.',
      cause: error,
    });
  } finally {
    // Also when it exists: its writer may not have come to this yet, and our caller will rely on it.
    await syncDirectory(dirname(target));
  }
}

/** Moves a synced file into its place; false when it lies on another device and must be copied. */
export async function renameOnDevice(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    await syncDirectory(dirname(to));
    await syncDirectory(dirname(resolve(from)));
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'EXDEV') return false;
    throw error;
  }
}

/** False when there was nothing of that name. */
export async function unlinkIfThere(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (isNotThere(error)) return false;
    throw error;
  }
}
