import { realpathSync } from 'node:fs';
import { mkdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../base/atomic-file.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { systemErrorCode } from './local-errors.ts';

/** Files of one writer that are not objects yet. They begin with a dot, and no part of a key does. */
export const TEMPORARY_PREFIX = '.etcd-ops-tmp-';
const DIRECTORY_MODE = 0o700;

/**
 * The directory of a key, checked: below the root nothing may be a symbolic link, else a link planted in the bucket would
 * let backups be read from, or written to, anywhere. (The root itself may be one.)
 * @returns undefined when it does not exist.
 * @throws EtcdOpsError STORE_FAILED when a link is in the way.
 */
export async function checkedDirectory(root: string, relative: string): Promise<string | undefined> {
  try {
    const [realRoot, real] = await Promise.all([realpath(root), realpath(join(root, relative))]);
    return assertInside(realRoot, relative, real);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error))) return undefined;
    throw error;
  }
}

/** The same for callers that cannot wait. */
export function checkedDirectorySync(root: string, relative: string): string | undefined {
  try {
    return assertInside(realpathSync(root), relative, realpathSync(join(root, relative)));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error))) return undefined;
    throw error;
  }
}

function assertInside(realRoot: string, relative: string, real: string): string {
  if (real === join(realRoot, relative)) return real;
  throw new EtcdOpsError('STORE_FAILED', {
    message: `${join(realRoot, relative)} leads through a symbolic link to ${real}`,
    remedy: 'Links are not followed inside a bucket: make the bucket itself the link, or mount the other disk there.',
  });
}

/**
 * Makes the directory of a key with all that is missing above it, and each new entry durable in its parent: after a
 * power cut a synced file in a directory that nobody synced is gone.
 */
export async function makeDirectoryDurably(root: string, relative: string): Promise<string> {
  const existing = await checkedDirectory(root, relative);
  if (existing !== undefined) return existing;
  const path = join(root, relative);
  const firstMade = await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
  if (firstMade !== undefined) {
    const top = dirname(firstMade);
    for (let made = path; made !== top; made = dirname(made)) await syncDirectory(dirname(made));
  }
  const directory = await checkedDirectory(root, relative);
  if (directory !== undefined) return directory;
  throw new EtcdOpsError('STORE_FAILED', { message: `${path} was removed while it was being made` });
}
