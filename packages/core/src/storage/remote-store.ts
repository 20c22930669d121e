import { open, rm, type FileHandle } from 'node:fs/promises';
import { EtcdOpsError } from '../base/errors.ts';
import { assertKey, assertPrefix } from './key-rules.ts';
import { storeError, throwIfAborted } from './local-errors.ts';
import { ConditionalPuts } from './conditional-puts.ts';
import { partBytesFor, uploadInParts } from './multipart-upload.ts';
import type {
  BucketFacts,
  ObjectInfo,
  ObjectLock,
  ObjectStore,
  ReadOptions,
  StoreCapabilities,
  StreamWriteOptions,
  SweepOptions,
  WriteOptions,
} from './object-store.ts';
import { fileParts, withStreamParts, type PartReader } from './part-reader.ts';
import type { DeleteFailure, RemoteBucket } from './remote-bucket.ts';
import { listKeys } from './remote-list.ts';
import { readRange } from './remote-read.ts';
import { sweepUploads } from './remote-sweep.ts';

const GET_BYTES_MAX_DEFAULT = 64 * 1024 * 1024;
const DENIED_SHOWN_MAX = 3;

export interface RemoteStoreOptions {
  /** '' or ending in `/`: where all keys of this store lie in the bucket. */
  prefix: string;
  partBytes: number;
  partsInFlightMax: number;
}

/** A bucket of an object storage service as an ObjectStore: key rules, ranges, parts and pages over its single requests. */
export class RemoteStore implements ObjectStore {
  readonly #bucket: RemoteBucket;
  readonly #options: RemoteStoreOptions;
  readonly #conditionalPuts: ConditionalPuts;

  constructor(bucket: RemoteBucket, options: RemoteStoreOptions) {
    assertPrefix(options.prefix);
    this.#bucket = bucket;
    this.#options = options;
    this.#conditionalPuts = new ConditionalPuts(bucket);
  }

  get description(): string {
    const { prefix } = this.#options;
    return prefix === '' ? this.#bucket.description : `${this.#bucket.description}, folder ${prefix}`;
  }

  get capabilities(): StoreCapabilities {
    return {
      conditionalPut: this.#conditionalPuts.supported,
      multipart: true,
      objectLock: this.#bucket.objectLock !== undefined,
    };
  }

  async put(
    key: string,
    body: Uint8Array,
    options: WriteOptions & { ifAbsent?: boolean } = {},
  ): Promise<'created' | 'exists'> {
    const { signal, ifAbsent = false } = options;
    const whole = this.#enter('Writing', key, signal);
    const outcome = ifAbsent
      ? await this.#conditionalPuts.put(whole, body, signal)
      : await this.#bucket.put(whole, body, { signal });
    options.onProgress?.(body.length);
    return outcome === 'exists' ? 'exists' : 'created';
  }

  async putFile(key: string, path: string, options: WriteOptions & { move?: boolean } = {}): Promise<void> {
    const whole = this.#enter('Writing', key, options.signal);
    const { file, bytes } = await openSource(path);
    try {
      await this.#upload(whole, fileParts(file, path, bytes), bytes, options);
    } finally {
      await file.close();
    }
    if (options.move === true) await rm(path, { force: true });
  }

  async putStream(key: string, source: AsyncIterable<Uint8Array>, options: StreamWriteOptions = {}): Promise<number> {
    const whole = this.#enter('Writing', key, options.signal);
    return await withStreamParts(source, options, async (parts, bytesMax) => {
      await this.#upload(whole, parts, bytesMax, options);
      return parts.bytes;
    });
  }

  async get(key: string, options: ReadOptions & { bytesMax?: number } = {}): Promise<Buffer> {
    const whole = this.#enter('Reading', key, options.signal);
    const chunks: Uint8Array[] = [];
    const bytesMax = options.bytesMax ?? GET_BYTES_MAX_DEFAULT;
    for await (const chunk of readRange(this.#bucket, whole, { ...options, bytesMax })) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async *stream(key: string, options: ReadOptions = {}): AsyncGenerator<Buffer> {
    const whole = this.#enter('Reading', key, options.signal);
    yield* readRange(this.#bucket, whole, options);
  }

  async stat(key: string): Promise<ObjectInfo | undefined> {
    const found = await this.#bucket.stat(this.#enter('Reading', key), {});
    return found === undefined ? undefined : { key, bytes: found.bytes, modifiedAtMs: found.modifiedAtMs };
  }

  async *list(prefix: string, options: { after?: string; signal?: AbortSignal } = {}): AsyncGenerator<ObjectInfo> {
    assertPrefix(prefix);
    throwIfAborted(options.signal, 'Listing', prefix);
    const { prefix: above } = this.#options;
    const after = options.after === undefined ? undefined : above + options.after;
    for await (const object of listKeys(this.#bucket, above + prefix, { after, signal: options.signal })) {
      yield { ...object, key: object.key.slice(above.length) };
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    const whole = keys.map((key) => this.#enter('Deleting', key));
    const { deleteKeysMax } = this.#bucket.limits;
    const failures: DeleteFailure[] = [];
    // One after the other: callers rely on the order of what they delete.
    for (let start = 0; start < whole.length; start += deleteKeysMax) {
      failures.push(...(await this.#bucket.deleteBatch(whole.slice(start, start + deleteKeysMax), {})));
    }
    if (failures.length > 0) throw notDeleted(failures, this.description);
  }

  async sweepAbandoned(prefix: string, options: SweepOptions): Promise<number> {
    assertPrefix(prefix);
    return await sweepUploads(this.#bucket, this.#options.prefix + prefix, options);
  }

  async objectLock(key: string): Promise<ObjectLock | undefined> {
    return await this.#bucket.objectLock?.(this.#enter('Reading', key), {});
  }

  async bucketFacts({ signal }: { signal?: AbortSignal } = {}): Promise<BucketFacts> {
    const facts = await this.#bucket.bucketFacts?.({ signal });
    return facts ?? { unreadable: [`${this.description} does not tell how it is set up`] };
  }

  close(): Promise<void> {
    this.#bucket.close();
    return Promise.resolve();
  }

  /** A small object in one piece, a large one in parts. */
  async #upload(key: string, parts: PartReader, bytesMax: number, options: WriteOptions): Promise<void> {
    const { signal, onProgress } = options;
    const bucket = this.#bucket;
    const partBytes = partBytesFor(bytesMax, this.#options.partBytes, bucket.limits);
    // One byte more than what is known to come tells a file that grew from one that did not.
    const body = await parts.whole(Buffer.allocUnsafeSlow(Math.min(bytesMax + 1, partBytes)), signal);
    if (body === undefined) {
      const { partsInFlightMax } = this.#options;
      await uploadInParts({ bucket, key, parts, partBytes, partsInFlightMax, ...options });
      return;
    }
    await bucket.put(key, body, { signal });
    onProgress?.(body.length);
  }

  /** @returns the key in the bucket. */
  #enter(action: string, key: string, signal?: AbortSignal): string {
    assertKey(key);
    throwIfAborted(signal, action, key);
    return this.#options.prefix + key;
  }
}

async function openSource(path: string): Promise<{ file: FileHandle; bytes: number }> {
  try {
    const file = await open(path, 'r');
    const found = await file.stat();
    if (found.isFile()) return { file, bytes: found.size };
    await file.close();
  } catch (error) {
    throw new EtcdOpsError('STORE_FAILED', {
      message: `The file ${path} cannot be read`,
      cause: storeError('Reading', path, error),
    });
  }
  throw new EtcdOpsError('STORE_FAILED', { message: `${path} is not an ordinary file` });
}

function notDeleted(failures: readonly DeleteFailure[], store: string): EtcdOpsError {
  const shown = failures.slice(0, DENIED_SHOWN_MAX).map(({ key, reason }) => `${key} (${reason})`);
  const rest = failures.length > shown.length ? ` and ${failures.length - shown.length} more` : '';
  return new EtcdOpsError(failures.some(({ denied }) => denied) ? 'STORE_DENIED' : 'STORE_FAILED', {
    message: `Deleting failed at ${store}: ${shown.join(', ')}${rest}`,
  });
}
