import { realpathSync } from 'node:fs';
import { mkdir, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncDirectory } from '../base/atomic-file.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { isNotThere, systemErrorCode } from './local-errors.ts';

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
    if (isNotThere(error)) return undefined;
    throw error;
  }
}

/** The same for callers that cannot wait. */
export function checkedDirectorySync(root: string, relative: string): string | undefined {
  try {
    return assertInside(realpathSync(root), relative, realpathSync(join(root, relative)));
  } catch (error) {
    if (isNotThere(error)) return undefined;
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

/** Makes directories of keys so that they survive a power cut. */
export class DirectoryMaker {
  readonly #root: string;
  /** Directories that this process made durable, or found and synced once: another writer may have died before it could. */
  readonly #durable = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Makes the directory with all that is missing above it, step by step, so that nothing is made behind a symbolic link.
   * Each new entry is synced in its parent: a synced file in a directory that nobody synced is gone after a power cut.
   */
  async make(relative: string): Promise<string> {
    const existing = await checkedDirectory(this.#root, relative);
    if (existing !== undefined && this.#durable.has(relative)) return existing;
    if (relative === '') return await this.#makeRoot();
    const parent = await this.make(parentOf(relative));
    if (existing === undefined) await this.#makeOne(join(parent, basename(relative)));
    await syncDirectory(parent);
    const directory = await checkedDirectory(this.#root, relative);
    if (directory === undefined) {
      throw new EtcdOpsError('STORE_FAILED', {
        message: `${join(parent, basename(relative))} was removed while it was being made`,
      });
    }
    this.#durable.add(relative);
    return directory;
  }

  async #makeRoot(): Promise<string> {
    const firstMade = await mkdir(this.#root, { recursive: true, mode: DIRECTORY_MODE });
    const top = dirname(firstMade ?? this.#root);
    for (let made = this.#root; made !== top; made = dirname(made)) await syncDirectory(dirname(made));
    this.#durable.add('');
    return await realpath(this.#root);
  }

  async #makeOne(path: string): Promise<void> {
    try {
      await mkdir(path, { mode: DIRECTORY_MODE });
    } catch (error) {
      if (systemErrorCode(error) !== 'EEXIST') throw error;
    }
  }
}

/** The part of a key, or of a directory of keys, before the last slash; '' when there is none. */
export function parentOf(relative: string): string {
  const slash = relative.lastIndexOf('/');
  return slash === -1 ? '' : relative.slice(0, slash);
}
