import { createHash } from 'node:crypto';
import { EtcdOpsError } from '../base/errors.ts';
import type { BucketFacts, ObjectInfo, ObjectLock } from './object-store.ts';
import { ossBucketFacts, wormOf } from './oss-bucket-facts.ts';
import type { OssCalls } from './oss-calls.ts';
import { combineCrc64, crc64 } from './oss-crc64.ts';
import { decodeUrlName, parseListPage } from './list-page.ts';
import { ossRead } from './oss-read.ts';
import type {
  BucketLimits,
  DeleteFailure,
  PartReceipt,
  RemoteBucket,
  RemoteObject,
  RemoteRange,
  RemoteRead,
  RequestOptions,
  UnfinishedUpload,
} from './remote-bucket.ts';

const PAGE_KEYS = '1000';

export interface OssEncryption {
  mode: 'AES256' | 'KMS';
  kmsKeyId?: string;
}

/** A bucket of Alibaba Cloud's OSS, request by request. */
export class OssBucket implements RemoteBucket {
  readonly description: string;
  readonly conditionalPut: boolean;
  readonly limits: BucketLimits = {
    partBytesMin: 100 * 1024,
    partBytesMax: 5 * 1024 ** 3,
    partsMax: 10_000,
    deleteKeysMax: 1000,
  };
  readonly #bucket: string;
  readonly #calls: OssCalls;
  readonly #sseHeaders: Record<string, string>;

  constructor(
    calls: OssCalls,
    { bucket, sse, conditionalPut }: { bucket: string; sse?: OssEncryption | undefined; conditionalPut: boolean },
  ) {
    this.#bucket = bucket;
    this.#calls = calls;
    this.description = `OSS ${bucket} at ${calls.endpointUrl}`;
    this.conditionalPut = conditionalPut;
    this.#sseHeaders = {
      ...(sse === undefined ? {} : { 'x-oss-server-side-encryption': sse.mode }),
      ...(sse?.kmsKeyId === undefined ? {} : { 'x-oss-server-side-encryption-key-id': sse.kmsKeyId }),
    };
  }

  /** The SDK sends the MD5 of what it was given along, so that OSS refuses what arrives as something else. */
  async put(
    key: string,
    body: Uint8Array,
    { ifAbsent = false, signal }: RequestOptions & { ifAbsent?: boolean },
  ): Promise<'created' | 'exists'> {
    const headers = { ...this.#sseHeaders, ...(ifAbsent ? { 'x-oss-forbid-overwrite': 'true' } : {}) };
    const bytes = asBuffer(body);
    const done = await this.#calls.run(
      { action: 'Writing', key, signal, expected: ifAbsent ? ['FileAlreadyExists'] : [] },
      async (sdk) => await sdk.put(key, bytes, { headers }),
    );
    if (done === 'FileAlreadyExists') return 'exists';
    // A conditional put that is repeated would meet the damaged object, and take it for somebody else's.
    this.#checkCrc(key, done.res.headers['x-oss-hash-crc64ecma'], crc64(bytes), { again: !ifAbsent });
    return 'created';
  }

  async read(key: string, range: RemoteRange, options: RequestOptions & { etag?: string }): Promise<RemoteRead> {
    return await ossRead(this.#calls, { key, range, ...options, stat: async () => await this.stat(key, options) });
  }

  async stat(key: string, { signal }: RequestOptions): Promise<RemoteObject | undefined> {
    const found = await this.#calls.run(
      { action: 'Looking at', key, signal, expected: ['NoSuchKey'] },
      async (sdk) => await sdk.head(key, {}),
    );
    return found === 'NoSuchKey' ? undefined : remoteObject(key, found.res.headers);
  }

  /** Names come encoded: XML cannot carry each character that somebody else's object may have in its name. */
  async listPage(
    prefix: string,
    { after, next, signal }: RequestOptions & { after?: string | undefined; next?: string | undefined },
  ): Promise<{ objects: ObjectInfo[]; next?: string | undefined }> {
    const from = next === undefined ? { 'start-after': after } : { 'continuation-token': next };
    const query = queryOf({ prefix, 'max-keys': PAGE_KEYS, 'encoding-type': 'url', ...from });
    const page = await this.#calls.run(
      { action: 'Listing', key: prefix, signal, readsBody: true },
      async (sdk, exchange) => {
        await sdk.listV2(query);
        return parseListPage(exchange.answer?.body ?? Buffer.alloc(0), 'url');
      },
    );
    return page;
  }

  /** The answer names what is gone; what it does not name is not. */
  async deleteBatch(keys: readonly string[], { signal }: RequestOptions): Promise<DeleteFailure[]> {
    const { deleted } = await this.#calls.run(
      { action: 'Deleting', key: keys[0] ?? '', signal },
      async (sdk) => await sdk.deleteMulti([...keys], { quiet: false }),
    );
    const gone = new Set(deleted.map(({ Key }) => Key));
    return keys
      .filter((key) => !gone.has(key))
      .map((key) => ({ key, reason: 'OSS kept it: it may be under retention', denied: true }));
  }

  async startUpload(key: string, { signal }: RequestOptions): Promise<string> {
    const { uploadId } = await this.#calls.run(
      { action: 'Starting the upload of', key, signal },
      async (sdk) => await sdk.initMultipartUpload(key, { headers: { ...this.#sseHeaders } }),
    );
    return uploadId;
  }

  async uploadPart(
    { key, uploadId, partNumber, body }: { key: string; uploadId: string; partNumber: number; body: Uint8Array },
    { signal }: RequestOptions,
  ): Promise<PartReceipt> {
    const bytes = asBuffer(body);
    const headers = { 'Content-MD5': createHash('md5').update(bytes).digest('base64') };
    const done = await this.#calls.run(
      { action: `Uploading part ${partNumber} of`, key, signal },
      async (sdk) => await sdk.uploadPart(key, uploadId, partNumber, bytes, 0, bytes.length, { headers }),
    );
    const own = crc64(bytes);
    this.#checkCrc(key, done.res.headers['x-oss-hash-crc64ecma'], own, { again: true });
    return { partNumber, etag: done.etag, checksums: { crc64: own, bytes: String(bytes.length) } };
  }

  /** The whole is compared with its parts. A connection that breaks now says nothing: OSS goes on without it. */
  async completeUpload(
    { key, uploadId, parts }: { key: string; uploadId: string; parts: readonly PartReceipt[] },
    { signal }: RequestOptions,
  ): Promise<void> {
    const list = parts.map(({ partNumber, etag }) => ({ number: partNumber, etag }));
    const done = await this.#calls.run(
      { action: 'Completing the upload of', key, signal },
      async (sdk) => await sdk.completeMultipartUpload(key, uploadId, list, {}),
    );
    this.#checkCrc(key, done.res.headers['x-oss-hash-crc64ecma'], crcOfParts(parts), { again: false });
  }

  async abortUpload({ key, uploadId }: { key: string; uploadId: string }, { signal }: RequestOptions): Promise<void> {
    const expected = ['NoSuchUpload'] as const;
    await this.#calls.run(
      { action: 'Aborting the upload of', key, signal, expected },
      async (sdk) => await sdk.abortMultipartUpload(key, uploadId),
    );
  }

  async listUploads(
    prefix: string,
    { next, signal }: RequestOptions & { next?: string | undefined },
  ): Promise<{ uploads: UnfinishedUpload[]; next?: string | undefined }> {
    const [keyMarker, uploadIdMarker] = next === undefined ? [] : (JSON.parse(next) as [string, string]);
    const query = queryOf({
      prefix,
      'max-uploads': PAGE_KEYS,
      'encoding-type': 'url',
      'key-marker': keyMarker,
      'upload-id-marker': uploadIdMarker,
    });
    const page = await this.#calls.run(
      { action: 'Listing the uploads of', key: prefix, signal },
      async (sdk) => await sdk.listUploads(query),
    );
    const uploads = page.uploads.map(({ name, uploadId, initiated }) => ({
      key: decodeUrlName(name),
      uploadId,
      startedAtMs: Date.parse(initiated),
    }));
    if (!page.isTruncated) return { uploads };
    return { uploads, next: JSON.stringify([decodeUrlName(page.nextKeyMarker ?? ''), page.nextUploadIdMarker ?? '']) };
  }

  async listPartTimes(
    { key, uploadId }: { key: string; uploadId: string },
    { next, signal }: RequestOptions & { next?: string | undefined },
  ): Promise<{ partsMs: number[]; next?: string | undefined }> {
    const page = await this.#calls.run(
      { action: 'Listing the parts of', key, signal },
      async (sdk) => await sdk.listParts(key, uploadId, queryOf({ 'part-number-marker': next })),
    );
    const partsMs = [page.parts].flat().map(({ LastModified }) => Date.parse(LastModified));
    return { partsMs, next: page.isTruncated === 'true' ? page.nextPartNumberMarker : undefined };
  }

  /** A retention policy of OSS is one of the whole bucket: so many days from when an object was written. */
  async objectLock(key: string, options: RequestOptions): Promise<ObjectLock | undefined> {
    const worm = await wormOf(this.#calls, this.#bucket, options);
    if (worm === undefined) return undefined;
    const object = await this.stat(key, options);
    if (object === undefined) return undefined;
    return { retainUntilMs: object.modifiedAtMs + worm.days * 86_400_000, mode: 'compliance', legalHold: false };
  }

  async bucketFacts(options: RequestOptions): Promise<BucketFacts> {
    return await ossBucketFacts(this.#calls, this.#bucket, options);
  }

  close(): void {
    this.#calls.close();
  }

  /** @throws EtcdOpsError when OSS holds something else than it was sent. A server that states no checksum is believed. */
  #checkCrc(key: string, stated: string | string[] | undefined, own: string, { again }: { again: boolean }): void {
    if (typeof stated !== 'string' || stated === own) return;
    throw new EtcdOpsError(again ? 'STORE_FAILED' : 'OBJECT_DAMAGED', {
      message: `${this.description} holds other bytes of ${key} than were sent: their CRC-64 is ${stated}, not ${own}`,
      remedy:
        'Something between here and the store changes what it passes on: look for a proxy, and for faulty memory.',
    });
  }
}

function crcOfParts(parts: readonly PartReceipt[]): string {
  return parts.reduce(
    (whole, { checksums }) => combineCrc64(whole, checksums?.['crc64'] ?? '0', Number(checksums?.['bytes'] ?? 0)),
    '0',
  );
}

export function remoteObject(
  key: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): RemoteObject {
  const text = (name: string): string => String(headers[name] ?? '');
  return {
    key,
    bytes: Number(text('content-length')),
    modifiedAtMs: Date.parse(text('last-modified')),
    etag: text('etag'),
  };
}

/** The SDK signs an empty value otherwise than OSS does: what is empty is left out. */
function queryOf(query: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(query).filter((entry): entry is [string, string] => (entry[1] ?? '') !== ''),
  );
}

/** The same memory, not a copy. */
function asBuffer(body: Uint8Array): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.length);
}
