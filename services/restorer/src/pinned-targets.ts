import { constants } from 'node:fs';
import { mkdir, open, rmdir, stat, type FileHandle } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { EtcdOpsError, isEtcdOpsError } from '@etcd-ops/core';
import { assertBelowRoots, refused, type PlaceBelowRoot } from './restore-roots.ts';

/** Linux names what a process has opened; such a name leads to that very directory, wherever names lead meanwhile. */
const OPENED = '/proc/self/fd';
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

export interface Target {
  member: string;
  dataDir: string;
  walDir?: string;
}

/** Real paths that restores of this process write to: by their pinned names they would not know of each other. */
const inUse = new Set<string>();

/**
 * Calls `work` with names of the targets that stay what they are. A path that was checked and is then opened by its name may lead
 * elsewhere by then: somebody who can write below a root could put a link in its place. So each directory from the root down is opened in
 * the one before it, never through a link, and made there if need be; `work` gets the opened directory itself. Errors name the real path.
 *
 * @throws EtcdOpsError TARGET_REFUSED, TARGET_OCCUPIED, and what `work` throws.
 */
export async function withPinnedTargets<Result>(
  targets: readonly Target[],
  roots: readonly string[],
  work: (pinned: Target[]) => Promise<Result>,
): Promise<Result> {
  await using pins = new AsyncDisposableStack();
  const names = new Map<string, string>();
  const pin = async (path: string): Promise<string> => {
    const place = await assertBelowRoots(path, roots);
    if (!(await canPin())) return place.path;
    const pinned = await openPlace(place, pins);
    names.set(pinned, place.path);
    return pinned;
  };
  const pinned: Target[] = [];
  for (const { member, dataDir, walDir } of targets) {
    const data = await pin(dataDir);
    pinned.push({ member, dataDir: data, ...(walDir === undefined ? {} : { walDir: await pin(walDir) }) });
  }
  try {
    return await work(pinned);
  } catch (error) {
    throw withRealNames(error, names);
  }
}

async function canPin(): Promise<boolean> {
  return stat(OPENED).then(
    () => true,
    () => false,
  );
}

async function openPlace({ root, path }: PlaceBelowRoot, pins: AsyncDisposableStack): Promise<string> {
  if (inUse.has(path)) {
    throw new EtcdOpsError('TARGET_OCCUPIED', { message: `${path}: another restore of this process works on it` });
  }
  inUse.add(path);
  pins.defer(() => void inUse.delete(path));
  let at = await keep(open(root, DIRECTORY), root, pins);
  for (const name of relative(root, path).split(sep)) {
    const next = join(OPENED, String(at.fd), name);
    const made = await makeOrFind(next, path);
    // What was made and stayed empty goes again; what a restore has filled stays.
    if (made) pins.defer(() => rmdir(next).catch(() => undefined));
    at = await keep(open(next, DIRECTORY), path, pins);
  }
  return join(OPENED, String(at.fd));
}

async function makeOrFind(path: string, target: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw new EtcdOpsError('DISK_FAILED', {
      message: `Cannot make ${target}: ${codeOf(error) ?? 'failed'}`,
      cause: error,
    });
  }
}

async function keep(opening: Promise<FileHandle>, path: string, pins: AsyncDisposableStack): Promise<FileHandle> {
  try {
    return pins.use(await opening);
  } catch (error) {
    if (codeOf(error) === 'ELOOP') throw refused(path, 'a link took the place of a directory on the way to it');
    if (codeOf(error) === 'ENOTDIR') {
      // With O_DIRECTORY, a link and a file are told alike.
      throw refused(path, 'something that is no directory is on the way to it, or is it');
    }
    throw new EtcdOpsError('DISK_FAILED', {
      message: `Cannot open ${path}: ${codeOf(error) ?? 'failed'}`,
      cause: error,
    });
  }
}

/** People know the paths that they asked for. */
function withRealNames(error: unknown, names: ReadonlyMap<string, string>): unknown {
  if (!isEtcdOpsError(error)) return error;
  let { message } = error;
  for (const [pinned, real] of names) {
    message = message.replaceAll(new RegExp(`${pinned}(?!\\d)`, 'g'), () => real);
  }
  if (message === error.message) return error;
  return new EtcdOpsError(error.code, { message, remedy: error.remedy, cause: error });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
