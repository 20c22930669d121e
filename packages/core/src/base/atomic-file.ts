import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

let temporaryNames = 0;

/**
 * Writes a small file so that after a crash either the old or the new content is there, whole: temporary file beside it,
 * fsync, rename, fsync of the directory. The mode is 0600. Errors are those of node:fs.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}-${temporaryNames++}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await renameDurably(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Renames within one file system and makes the change of both directories durable. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncDirectory(dirname(to));
  if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from));
}

/** Makes the entries of a directory durable: a new or renamed file is not until its directory is synced. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
