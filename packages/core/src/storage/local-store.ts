import { randomBytes } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { lstat, open, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { syncDirectory } from '../base/atomic-file.ts';
import { EtcdOpsError } from '../base/errors.ts';
import { assertKey, assertPrefix } from './key-rules.ts';
import { copyIntoFile, syncFile, writeStream } from './local-copy.ts';
import { storeError, isNotThere, throwIfAborted } from './local-errors.ts';
import {
  linkIfAbsent,
  notFound,
  openObject,
  readFully,
  renameOnDevice,
  replaceFile,
  unlinkIfThere,
  type OpenObject,
} from './local-files.ts';
import { listDirectory } from './local-list.ts';
import { checkedDirectory, checkedDirectorySync, DirectoryMaker, parentOf, TEMPORARY_PREFIX } from './local-paths.ts';
import { sweepDirectory } from './local-sweep.ts';
import type {
  ObjectInfo,
  ObjectStore,
  ReadOptions,
  StreamWriteOptions,
  SweepOptions,
  WriteOptions,
} from './object-store.ts';

const GET_BYTES_MAX_DEFAULT = 64 * 1024 * 1024;
const STREAM_CHUNK_BYTES = 1024 * 1024;
const FILE_MODE = 0o600;

/**
 * Objects as files below a directory. A write goes to a hidden temporary file in the object's own directory, is synced,
 * renamed (or linked, when it must not exist) and the directory synced: an object is there whole and durable, or not at all.
 */
export class LocalStore implements ObjectStore {
  readonly capabilities = { conditionalPut: true, multipart: false, objectLock: false };
  /** Absolute path of the bucket directory. It is made by the first write. */
  readonly root: string;
  readonly #directories: DirectoryMaker;

  /** A relative bucket is meant from the working directory. */
  constructor(bucket: string) {
    this.root = resolve(bucket);
    this.#directories = new DirectoryMaker(this.root);
  }

  get description(): string {
    return `Local ${this.root}`;
  }

  async put(
    key: string,
    body: Uint8Array,
    options: WriteOptions & { ifAbsent?: boolean } = {},
  ): Promise<'created' | 'exists'> {
    return await this.#run('Writing', key, options.signal, async () => {
      return await this.#withTemporary(key, async (temporary, target) => {
        const file = await open(temporary, 'wx', FILE_MODE);
        try {
          await file.writeFile(body, { signal: options.signal });
          await file.sync();
        } finally {
          await file.close();
        }
        throwIfAborted(options.signal, 'Writing', key);
        const outcome =
          options.ifAbsent === true ? await linkIfAbsent(temporary, target) : await replaceFile(temporary, target);
        options.onProgress?.(body.length);
        return outcome;
      });
    });
  }

  async putFile(key: string, path: string, options: WriteOptions & { move?: boolean } = {}): Promise<void> {
    await this.#run('Writing', key, options.signal, async () => {
      const bytes = await syncFile(path, options.move === true ? FILE_MODE : undefined);
      if (options.move === true && (await this.#move(path, key))) return options.onProgress?.(bytes);
      await this.#withTemporary(key, async (temporary, target) => {
        await copyIntoFile(path, temporary, FILE_MODE, options);
        throwIfAborted(options.signal, 'Writing', key);
        return await replaceFile(temporary, target);
      });
      if (options.move === true) await rm(path, { force: true });
    });
  }

  async putStream(key: string, source: AsyncIterable<Uint8Array>, options: StreamWriteOptions = {}): Promise<number> {
    return await this.#run('Writing', key, options.signal, async () => {
      let bytes = 0;
      await this.#withTemporary(key, async (temporary, target) => {
        bytes = await writeStream(source, temporary, FILE_MODE, options);
        throwIfAborted(options.signal, 'Writing', key);
        return await replaceFile(temporary, target);
      });
      return bytes;
    });
  }

  async get(key: string, options: ReadOptions & { bytesMax?: number } = {}): Promise<Buffer> {
    return await this.#run('Reading', key, options.signal, async () => {
      await using object = await this.#open(key);
      const { start, end } = rangeOf(object.bytes, options);
      const bytesMax = options.bytesMax ?? GET_BYTES_MAX_DEFAULT;
      if (end - start > bytesMax) {
        throw new EtcdOpsError('LIMIT_EXCEEDED', {
          message: `${key}: ${end - start} bytes are more than the ${bytesMax} that may be read at once`,
        });
      }
      const bytes = Buffer.allocUnsafe(end - start);
      await readFully(object.file, bytes, start, key);
      return bytes;
    });
  }

  async *stream(key: string, options: ReadOptions = {}): AsyncGenerator<Buffer> {
    const object = await this.#run('Reading', key, options.signal, async () => await this.#open(key));
    try {
      const { start, end } = rangeOf(object.bytes, options);
      for (let offset = start; offset < end;) {
        const chunk = Buffer.allocUnsafe(Math.min(STREAM_CHUNK_BYTES, end - offset));
        await this.#run('Reading', key, options.signal, async () => await readFully(object.file, chunk, offset, key));
        offset += chunk.length;
        yield chunk;
      }
    } finally {
      await object.file.close();
    }
  }

  async stat(key: string): Promise<ObjectInfo | undefined> {
    return await this.#run('Reading', key, undefined, async () => {
      const path = await this.#find(key);
      if (path === undefined) return undefined;
      try {
        const found = await lstat(path);
        return found.isFile() ? { key, bytes: found.size, modifiedAtMs: Math.floor(found.mtimeMs) } : undefined;
      } catch (error) {
        if (isNotThere(error)) return undefined;
        throw error;
      }
    });
  }

  async *list(prefix: string, options: { after?: string; signal?: AbortSignal } = {}): AsyncGenerator<ObjectInfo> {
    assertPrefix(prefix);
    try {
      const directory = await checkedDirectory(this.root, prefix.slice(0, -1));
      if (directory !== undefined) {
        yield* listDirectory({ directory, prefix, after: options.after, signal: options.signal });
      }
    } catch (error) {
      throw storeError('Listing', `${this.description}/${prefix}`, error);
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    const directories = new Map<string, string>();
    for (const key of keys) {
      await this.#run('Deleting', key, undefined, async () => {
        const path = await this.#find(key);
        if (path !== undefined && (await unlinkIfThere(path))) directories.set(dirname(path), key);
      });
    }
    for (const [directory, key] of directories) {
      await this.#run('Deleting', key, undefined, async () => await syncDirectory(directory));
    }
  }

  localPath(key: string): string | undefined {
    assertKey(key);
    const directory = checkedDirectorySync(this.root, parentOf(key));
    if (directory === undefined) return undefined;
    const path = join(directory, basename(key));
    return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true ? path : undefined;
  }

  async sweepAbandoned(prefix: string, options: SweepOptions): Promise<number> {
    assertPrefix(prefix);
    try {
      const directory = await checkedDirectory(this.root, prefix.slice(0, -1));
      return directory === undefined
        ? 0
        : await sweepDirectory(directory, options.nowMs - options.olderThanMs, options.signal);
    } catch (error) {
      throw storeError('Sweeping', `${this.description}/${prefix}`, error);
    }
  }

  /** False when the file lies on another device and must be copied. */
  async #move(path: string, key: string): Promise<boolean> {
    const directory = await this.#directories.make(parentOf(key));
    return await renameOnDevice(path, join(directory, basename(key)));
  }

  async #withTemporary<T>(key: string, write: (temporary: string, target: string) => Promise<T>): Promise<T> {
    const directory = await this.#directories.make(parentOf(key));
    const temporary = join(directory, `${TEMPORARY_PREFIX}${process.pid}-${randomBytes(9).toString('base64url')}`);
    try {
      return await write(temporary, join(directory, basename(key)));
    } finally {
      // After a rename there is nothing left of that name. A failure to remove must not hide the failure to write.
      await rm(temporary, { force: true }).catch(() => undefined);
    }
  }

  async #find(key: string): Promise<string | undefined> {
    const directory = await checkedDirectory(this.root, parentOf(key));
    return directory === undefined ? undefined : join(directory, basename(key));
  }

  async #open(key: string): Promise<OpenObject> {
    const path = await this.#find(key);
    if (path === undefined) throw notFound(key);
    return await openObject(path, key);
  }

  async #run<T>(action: string, key: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    assertKey(key);
    throwIfAborted(signal, action, key);
    try {
      return await work();
    } catch (error) {
      throw storeError(action, key, error);
    }
  }
}

/** The bytes [start, end) that were asked for; a range is clipped to the object. */
function rangeOf(bytes: number, { offset = 0, length = Infinity }: ReadOptions): { start: number; end: number } {
  const start = offset < 0 ? Math.max(0, bytes + offset) : Math.min(offset, bytes);
  return { start, end: Math.min(bytes, start + length) };
}
