import { link, lstat, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { renameDurably, syncDirectory } from '../base/atomic-file.ts';
import { EtcdOpsError } from '../base/errors.ts';

/** What a file system without hard links says. */
const NO_LINKS: readonly unknown[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];
let names = 0;

/** A file that appears under its name whole and durable, or not at all. It never replaces one that is there. */
export class NewFile implements AsyncDisposable {
  readonly path: string;
  /** Write here. Whoever writes it sees to it that its bytes are on disk. */
  readonly workPath: string;

  private constructor(path: string) {
    this.path = path;
    this.workPath = `${path}.${process.pid}-${++names}.part`;
  }

  /** What killed runs left behind beside it is removed. @throws EtcdOpsError TARGET_OCCUPIED, DISK_FAILED */
  static async create(path: string): Promise<NewFile> {
    if ((await lstat(path).catch(() => undefined)) !== undefined) throw occupied(path);
    try {
      await removeStale(path);
    } catch (cause) {
      throw new EtcdOpsError('DISK_FAILED', { message: `Cannot prepare ${path}`, cause });
    }
    return new NewFile(path);
  }

  async publish(): Promise<void> {
    try {
      // Unlike a rename, a link does not replace what somebody else has put there meanwhile.
      await link(this.workPath, this.path);
      await rm(this.workPath);
      await syncDirectory(dirname(this.path));
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EEXIST') throw occupied(this.path);
      if (NO_LINKS.includes(code)) return await renameDurably(this.workPath, this.path);
      throw new EtcdOpsError('DISK_FAILED', { message: `Cannot publish ${this.path}`, cause: error });
    }
  }

  /** Removes what was not published. */
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.workPath, { force: true });
  }
}

/** Another run may be at work on the same target: its file is left alone. */
async function removeStale(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(prefix)) continue;
    const owner = /^(\d{1,10})-\d+\.part$/.exec(name.slice(prefix.length))?.[1];
    if (owner !== undefined && !isAlive(Number(owner))) await rm(join(dirname(path), name), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

function occupied(path: string): EtcdOpsError {
  return new EtcdOpsError('TARGET_OCCUPIED', { message: `${path} exists already` });
}
