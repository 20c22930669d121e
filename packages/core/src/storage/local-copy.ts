import { constants } from 'node:fs';
import { copyFile, lstat, open, type FileHandle } from 'node:fs/promises';
import { EtcdOpsError } from '../base/errors.ts';
import { systemErrorCode, throwIfAborted } from './local-errors.ts';
import { withStreamParts } from './part-reader.ts';
import type { StreamWriteOptions, WriteOptions } from './object-store.ts';

const COPY_CHUNK_BYTES = 4 * 1024 * 1024;

/**
 * Makes the content of an ordinary file durable, before a rename could make its name so: a rename that survives a power
 * cut while the bytes do not is the classic empty file.
 * With `mode`, its permissions are set as well.
 * @returns its size.
 */
export async function syncFile(path: string, mode: number | undefined): Promise<number> {
  const found = await lstat(path).catch((error: unknown) => {
    throw new EtcdOpsError('STORE_FAILED', {
      message: `The file ${path} cannot be read (${systemErrorCode(error)})`,
      cause: error,
    });
  });
  if (!found.isFile()) throw new EtcdOpsError('STORE_FAILED', { message: `${path} is not an ordinary file` });
  const file = await open(path, 'r');
  try {
    if (mode !== undefined) await file.chmod(mode);
    await file.sync();
  } finally {
    await file.close();
  }
  return found.size;
}

/** Copies a file and syncs the copy. File systems that can share blocks between files (btrfs, xfs) do so, in no time. */
export async function copyIntoFile(from: string, to: string, mode: number, options: WriteOptions): Promise<void> {
  const cloned = await clone(from, to);
  const target = await open(to, cloned ? 'r+' : 'wx', mode);
  try {
    if (cloned) await target.chmod(mode);
    else await copyBytes(from, target, options);
    await target.sync();
    if (cloned) options.onProgress?.((await target.stat()).size);
  } finally {
    await target.close();
  }
}

/** Writes what comes into a new file and syncs it. @returns how many bytes came. */
export async function writeStream(
  source: AsyncIterable<Uint8Array>,
  to: string,
  mode: number,
  options: StreamWriteOptions,
): Promise<number> {
  const target = await open(to, 'wx', mode);
  try {
    const bytes = await withStreamParts(source, options, async (parts) => {
      const buffer = Buffer.allocUnsafe(COPY_CHUNK_BYTES);
      for (let part = await parts.next(buffer, options.signal); part !== undefined;) {
        await target.appendFile(part.body);
        options.onProgress?.(parts.bytes);
        part = await parts.next(buffer, options.signal);
      }
      return parts.bytes;
    });
    await target.sync();
    return bytes;
  } finally {
    await target.close();
  }
}

async function clone(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    // Whatever the reason (other device, no such feature), the plain copy tells it better or succeeds.
    return false;
  }
}

async function copyBytes(from: string, target: FileHandle, options: WriteOptions): Promise<void> {
  const source = await open(from, 'r');
  try {
    const chunk = Buffer.allocUnsafe(COPY_CHUNK_BYTES);
    for (let copied = 0; ;) {
      throwIfAborted(options.signal, 'Copying', from);
      const { bytesRead } = await source.read(chunk, 0, chunk.length, copied);
      if (bytesRead === 0) return;
      await target.appendFile(chunk.subarray(0, bytesRead));
      copied += bytesRead;
      options.onProgress?.(copied);
    }
  } finally {
    await source.close();
  }
}
