import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TEMPORARY_PREFIX } from './local-paths.ts';

/** Removes the temporary files below a directory that were last written before `modifiedBeforeMs`; returns how many. */
export async function sweepDirectory(directory: string, modifiedBeforeMs: number): Promise<number> {
  let swept = 0;
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) swept += await sweepDirectory(path, modifiedBeforeMs);
    if (!entry.isFile() || !entry.name.startsWith(TEMPORARY_PREFIX)) continue;
    if ((await lstat(path)).mtimeMs >= modifiedBeforeMs) continue;
    await rm(path, { force: true });
    swept++;
  }
  return swept;
}
