import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { EtcdOpsError } from '../base/errors.ts';
import { writeFully } from '../base/write-fully.ts';
import { SyncBehind } from './sync-behind.ts';

const READ_BYTES_DEFAULT = 512 * 1024;
/** One being read, one being hashed and written, one whose write is awaited, one spare. */
const READ_BUFFERS = 4;
/** etcd appends the SHA-256 of a snapshot to it. */
export const TRAILER_BYTES = 32;

export interface SnapshotHashes {
  bytes: number;
  /** SHA-256 of all bytes, hex. */
  sha256: string;
  /** The last 32 bytes, hex; '' when there are fewer. */
  trailer: string;
  /** SHA-256 of the bytes before the last 32, hex. */
  bodySha256: string;
}

/** Hashes a snapshot of known size in one pass: all of it, and the part that etcd's own trailing SHA-256 covers. */
export class SnapshotHasher {
  readonly #bodyBytes: number;
  readonly #hash: Hash = createHash('sha256');
  #body: Hash | undefined;
  #trailer = '';
  #bytes = 0;

  constructor(totalBytes: number) {
    this.#bodyBytes = totalBytes - TRAILER_BYTES;
  }

  update(chunk: Buffer): void {
    const bodyLeft = this.#bodyBytes - this.#bytes;
    if (bodyLeft >= 0 && chunk.length >= bodyLeft && this.#body === undefined) {
      this.#hash.update(chunk.subarray(0, bodyLeft));
      this.#body = this.#hash.copy();
      const rest = chunk.subarray(bodyLeft);
      this.#hash.update(rest);
      this.#trailer += rest.toString('hex');
    } else {
      this.#hash.update(chunk);
      if (this.#body !== undefined) this.#trailer += chunk.toString('hex');
    }
    this.#bytes += chunk.length;
    if (this.#trailer.length > 2 * TRAILER_BYTES) {
      throw new EtcdOpsError('OBJECT_DAMAGED', { message: 'more bytes than its manifest records' });
    }
  }

  finish(): SnapshotHashes {
    return {
      bytes: this.#bytes,
      sha256: this.#hash.digest('hex'),
      trailer: this.#trailer,
      bodySha256: this.#body?.digest('hex') ?? '',
    };
  }
}

/** Reads a file with one read in flight ahead. A chunk is valid until the third chunk after it is asked for. */
export async function* readAhead(
  file: FileHandle,
  options: { signal?: AbortSignal | undefined; readBytes?: number } = {},
): AsyncGenerator<Buffer, void, undefined> {
  const { signal, readBytes = READ_BYTES_DEFAULT } = options;
  const buffers = Array.from({ length: READ_BUFFERS }, () => Buffer.allocUnsafeSlow(readBytes));
  let position = 0;
  const readAt = (turn: number): Promise<{ bytesRead: number; buffer: Buffer }> => {
    const reading = file.read(buffers[turn % READ_BUFFERS]!, 0, readBytes, position);
    // Its error is thrown where it is awaited; it may come up earlier.
    reading.catch(() => undefined);
    return reading;
  };
  let next = readAt(0);
  try {
    for (let turn = 1; ; turn++) {
      signal?.throwIfAborted();
      const { bytesRead, buffer } = await next;
      if (bytesRead === 0) return;
      position += bytesRead;
      next = readAt(turn);
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await next.catch(() => undefined);
  }
}

/**
 * Appends chunks to a file with one write in flight, so that the caller hashes one chunk while the other is written. With
 * `syncBehind` the disk takes its share meanwhile, too: a sync at the end then has little left to do.
 */
export class WriteBehind implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #syncing: SyncBehind | undefined;
  #pending: Promise<unknown> = Promise.resolve();
  #position = 0;

  private constructor(file: FileHandle, syncBehind: boolean) {
    this.#file = file;
    this.#syncing = syncBehind ? new SyncBehind(file) : undefined;
  }

  static async create(path: string, options: { syncBehind?: boolean } = {}): Promise<WriteBehind> {
    return new WriteBehind(await open(path, 'wx', 0o600), options.syncBehind ?? false);
  }

  get bytes(): number {
    return this.#position;
  }

  /** Resolves when the chunk before this one is written; `chunk` must stay as it is until the call after the next. */
  async write(chunk: Buffer): Promise<void> {
    await this.#pending;
    this.#pending = writeFully(this.#file, chunk, this.#position);
    this.#pending.catch(() => undefined);
    this.#position += chunk.length;
    this.#syncing?.reached(this.#position);
  }

  /** Ends the file at `bytes`. */
  async finish(bytes: number): Promise<void> {
    await this.#pending;
    await this.#syncing?.settle();
    this.#syncing?.throwIfFailed();
    if (bytes !== this.#position) await this.#file.truncate(bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pending.catch(() => undefined);
    await this.#syncing?.settle();
    await this.#file.close();
  }
}
