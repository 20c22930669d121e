import { constants, copyFile, open, rm, type FileHandle } from 'node:fs/promises';
import { readAhead, WriteBehind } from './copy-with-hash.ts';

/** Copies a file for its owner alone (0600): as a clone where the file system can, else byte by byte. Not synced. */
export async function cloneOrCopy(source: string, target: string, signal?: AbortSignal): Promise<void> {
  if (await tryClone(source, target)) return;
  const file = await open(source, 'r');
  try {
    await using copy = await WriteBehind.create(target);
    for await (const chunk of readAhead(file, { signal })) await copy.write(chunk);
    await copy.finish(copy.bytes);
  } finally {
    await file.close();
  }
}

/** A clone shares its blocks with its source until one of them is written: nothing is copied. False where that cannot be. */
export async function tryClone(source: string, target: string): Promise<boolean> {
  try {
    await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    // The copy has the mode of its source.
    await withFile(target, (file) => file.chmod(0o600));
    return true;
  } catch {
    await rm(target, { force: true });
    return false;
  }
}

export async function syncFile(path: string): Promise<void> {
  await withFile(path, (file) => file.sync());
}

async function withFile(path: string, work: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await work(file);
  } finally {
    await file.close();
  }
}
