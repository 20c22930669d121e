import { existsSync } from 'node:fs';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { renameDurably, syncDirectory } from '../base/atomic-file.ts';
import { brokenName } from './broken-name.ts';

export interface MovedAside {
  /** Where what was moved lies now; nothing is ever deleted. */
  to: string;
  undo(): Promise<void>;
}

/**
 * Makes room: `<path>` becomes `<path>.broken-<time>`. A directory that cannot be renamed (a mounted volume) stays, and what etcd has
 * in it goes into `<what>.broken-<time>` inside: `member` of a data directory, the segments of a log of its own.
 */
export async function moveAside(path: string, options: { what: 'member' | 'wal'; stamp: string }): Promise<MovedAside> {
  const directory = resolve(path);
  const target = freeName(`${directory}.broken-${options.stamp}`);
  try {
    await renameDurably(directory, target);
    return { to: target, undo: () => renameDurably(target, directory) };
  } catch (error) {
    if (!isMountPoint(error)) throw error;
  }
  const inside = freeName(join(directory, `${options.what}.broken-${options.stamp}`));
  if (options.what === 'member') {
    await renameDurably(join(directory, 'member'), inside);
    return { to: inside, undo: () => renameDurably(inside, join(directory, 'member')) };
  }
  await mkdir(inside, { mode: 0o700 });
  const names = (await readdir(directory)).filter((name) => name !== 'lost+found' && !brokenName.test(name));
  await moveAll(names, directory, inside);
  return { to: inside, undo: () => moveAll(names, inside, directory) };
}

async function moveAll(names: readonly string[], from: string, to: string): Promise<void> {
  for (const name of names) await rename(join(from, name), join(to, name));
  await syncDirectory(to);
  await syncDirectory(from);
}

/** Busy: it is mounted here. Another device or a refusal: the directory above is not ours to change. */
function isMountPoint(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    ['EBUSY', 'EXDEV', 'EACCES', 'EPERM', 'EROFS'].includes(String(error.code))
  );
}

/** Two in one second must not meet. */
function freeName(path: string): string {
  for (let number = 0; ; number++) {
    const candidate = number === 0 ? path : join(dirname(path), `${basename(path)}-${number}`);
    if (!existsSync(candidate)) return candidate;
  }
}
