import { EtcdOpsError } from '@etcd-ops/core';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, stat, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { directoryName, isAbandoned, thisOwner, TOUCH_EVERY_MS, type SpoolOwner } from './spool-owner.ts';

/** Where snapshots lie on their way from etcd to the store: a directory of this process, removed with it. */
export class Spool implements AsyncDisposable {
  readonly directory: string;
  readonly #touching: NodeJS.Timeout;

  private constructor(root: string, directory: string, owner: SpoolOwner) {
    this.directory = directory;
    // What others leave behind later goes as well: one that runs for months would keep it all that time.
    const touch = async (): Promise<void> => {
      await utimes(directory, new Date(), new Date());
      await sweep(root, owner);
    };
    this.#touching = setInterval(() => void touch().catch(() => undefined), TOUCH_EVERY_MS).unref();
  }

  /**
   * Removes what processes that are gone left below `root`, and makes a directory for this one. `root` may be shared by processes in
   * several containers.
   * @throws EtcdOpsError DISK_FAILED
   */
  static async open(root: string): Promise<Spool> {
    const owner = await thisOwner();
    const directory = join(root, directoryName(owner, randomUUID()));
    try {
      await mkdir(root, { recursive: true, mode: 0o700 });
      await sweep(root, owner);
      await mkdir(directory, { mode: 0o700 });
    } catch (cause) {
      throw new EtcdOpsError('DISK_FAILED', { message: `The spool directory ${directory} cannot be made`, cause });
    }
    return new Spool(root, directory, owner);
  }

  /** A path for one file that is removed with its scope. */
  file(name: string): SpoolFile {
    return new SpoolFile(join(this.directory, `${randomUUID()}-${name}`));
  }

  /** What lies in it now, and what its file system could still take. */
  async usage(): Promise<{ bytes: number; freeBytes: number }> {
    const names = await readdir(this.directory);
    const sizes = await Promise.all(
      names.map(async (name) => {
        // A file that went meanwhile takes no space.
        const facts = await stat(join(this.directory, name)).catch(() => undefined);
        return facts?.size ?? 0;
      }),
    );
    const { bavail, bsize } = await statfs(this.directory);
    return { bytes: sizes.reduce((sum, size) => sum + size, 0), freeBytes: bavail * bsize };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#touching);
    await rm(this.directory, { recursive: true, force: true });
  }
}

export class SpoolFile implements AsyncDisposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { force: true });
  }
}

async function sweep(root: string, owner: SpoolOwner): Promise<void> {
  for (const name of await readdir(root)) {
    const path = join(root, name);
    if (await isAbandoned(name, path, owner, Date.now())) await rm(path, { recursive: true, force: true });
  }
}
