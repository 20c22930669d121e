import { link, lstat, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { renameDurably, syncDirectory } from '../base/atomic-file.ts';
import { EtcdOpsError } from '../base/errors.ts';

/** What a file system without hard links says. */
const NO_LINKS: readonly unknown[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/** A file that appears under its name whole and durable, or not at all. It never replaces one that is there. */
export class NewFile implements AsyncDisposable {
  readonly path: string;
  /** Write here. Whoever writes it sees to it that its bytes are on disk. */
  readonly workPath: string;

  private constructor(path: string) {
    this.path = path;
    this.workPath = `${path}.part`;
  }

  /** What a killed run left behind as `<path>.part` is removed. @throws EtcdOpsError TARGET_OCCUPIED, DISK_FAILED */
  static async create(path: string): Promise<NewFile> {
    if ((await lstat(path).catch(() => undefined)) !== undefined) throw occupied(path);
    const file = new NewFile(path);
    await rm(file.workPath, { force: true }).catch((cause: unknown) => {
      throw new EtcdOpsError('DISK_FAILED', { message: `Cannot remove ${file.workPath}`, cause });
    });
    return file;
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

function occupied(path: string): EtcdOpsError {
  return new EtcdOpsError('TARGET_OCCUPIED', { message: `${path} exists already` });
}
