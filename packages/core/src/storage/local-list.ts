import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isKeyPart } from './key-rules.ts';
import { isNotThere, throwIfAborted } from './local-errors.ts';
import type { ObjectInfo } from './object-store.ts';

/** Files of one directory that are looked at side by side. */
const STAT_PARALLEL = 32;

export interface ListRequest {
  /** Absolute path of the directory to list. */
  directory: string;
  /** Key prefix of that directory: empty or ending in `/`. */
  prefix: string;
  after: string | undefined;
  signal: AbortSignal | undefined;
}

/**
 * Walks a directory so that keys come in ascending byte order, holding the names of one directory per level in memory.
 * Left out: names that are no keys (temporary files among them), symbolic links, and whatever vanishes meanwhile.
 */
export async function* listDirectory(request: ListRequest): AsyncGenerator<ObjectInfo> {
  const { directory, prefix, after, signal } = request;
  throwIfAborted(signal, 'Listing', prefix);
  const names = (await readEntries(directory)).map(sortName).filter((name) => isWanted(prefix + name, after));
  // `a-b` comes before `a/b` and that before `a0`: a directory sorts with its slash. Keys are ASCII, so this is byte order.
  names.sort((left, right) => (left < right ? -1 : 1));
  for (let index = 0; index < names.length;) {
    throwIfAborted(signal, 'Listing', prefix);
    const files = filesFrom(names, index);
    for (const found of await Promise.all(files.map((name) => statObject(directory, prefix, name)))) {
      if (found !== undefined) yield found;
    }
    index += files.length;
    const folder = names[index];
    if (folder === undefined || !folder.endsWith('/')) continue;
    yield* listDirectory({ directory: join(directory, folder), prefix: prefix + folder, after, signal });
    index++;
  }
}

function filesFrom(names: readonly string[], start: number): string[] {
  const files: string[] = [];
  for (
    let index = start;
    index < names.length && files.length < STAT_PARALLEL && !names[index]!.endsWith('/');
    index++
  ) {
    files.push(names[index]!);
  }
  return files;
}

async function readEntries(directory: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => (entry.isFile() || entry.isDirectory()) && isKeyPart(entry.name));
  } catch (error) {
    if (isNotThere(error)) return [];
    throw error;
  }
}

function sortName(entry: Dirent): string {
  return entry.isDirectory() ? `${entry.name}/` : entry.name;
}

function isWanted(key: string, after: string | undefined): boolean {
  if (after === undefined || key > after) return true;
  // A folder that sorts below `after` still holds later keys when `after` lies inside of it.
  return key.endsWith('/') && after.startsWith(key);
}

async function statObject(directory: string, prefix: string, name: string): Promise<ObjectInfo | undefined> {
  try {
    const found = await lstat(join(directory, name));
    if (!found.isFile()) return undefined;
    return { key: prefix + name, bytes: found.size, modifiedAtMs: Math.floor(found.mtimeMs) };
  } catch (error) {
    if (isNotThere(error)) return undefined;
    throw error;
  }
}
