import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isNotThere, throwIfAborted } from './local-errors.ts';
import { TEMPORARY_PREFIX } from './local-paths.ts';

/** Removes the temporary files below a directory that were last written before `modifiedBeforeMs`; returns how many. */
export async function sweepDirectory(
  directory: string,
  modifiedBeforeMs: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  throwIfAborted(signal, 'Sweeping', directory);
  let swept = 0;
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) swept += await sweepDirectory(path, modifiedBeforeMs, signal);
    if (!entry.isFile() || !entry.name.startsWith(TEMPORARY_PREFIX)) continue;
    if (await isUntouchedSince(path, modifiedBeforeMs)) {
      await rm(path, { force: true });
      swept++;
    }
  }
  return swept;
}

/** False also for what its writer has renamed or removed meanwhile. */
async function isUntouchedSince(path: string, modifiedBeforeMs: number): Promise<boolean> {
  try {
    return (await lstat(path)).mtimeMs < modifiedBeforeMs;
  } catch (error) {
    if (isNotThere(error)) return false;
    throw error;
  }
}
