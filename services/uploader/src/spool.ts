import { EtcdOpsError } from '@etcd-ops/core';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';

const PREFIX = 'uploader-';
/** Directories of earlier processes look like this: `uploader-<pid>-<start of the process, ms>-<random>`. */
const OWN_NAME = /^uploader-(?<pid>\d+)-(?<startedMs>\d+)-[0-9a-f-]+$/;

/** Where snapshots lie on their way from etcd to the store: a directory of this process, removed with it. */
export class Spool implements AsyncDisposable {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /**
   * Removes what processes that are gone left below `root`, and makes a directory for this one.
   * @throws EtcdOpsError DISK_FAILED
   */
  static async open(root: string): Promise<Spool> {
    const directory = join(root, `${PREFIX}${process.pid}-${processStartedMs()}-${randomUUID()}`);
    try {
      await mkdir(root, { recursive: true, mode: 0o700 });
      await sweep(root);
      await mkdir(directory, { mode: 0o700 });
    } catch (cause) {
      throw new EtcdOpsError('DISK_FAILED', { message: `The spool directory ${directory} cannot be made`, cause });
    }
    return new Spool(directory);
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

async function sweep(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    const facts = OWN_NAME.exec(name)?.groups;
    if (facts !== undefined && !isAlive(Number(facts['pid']), Number(facts['startedMs']))) {
      await rm(join(root, name), { recursive: true, force: true });
    }
  }
}

function isAlive(pid: number, startedMs: number): boolean {
  // In a container every process of a service has the same id: the start tells them apart.
  if (pid === process.pid) return startedMs === processStartedMs();
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function processStartedMs(): number {
  return Math.round(performance.timeOrigin);
}
