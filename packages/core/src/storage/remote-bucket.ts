import type { BucketFacts, ObjectInfo, ObjectLock } from './object-store.ts';

/** What one kind of server can take. */
export interface BucketLimits {
  /** The smallest part of a multipart upload, save the last. */
  partBytesMin: number;
  partBytesMax: number;
  partsMax: number;
  /** Keys that one call of `deleteBatch` takes. */
  deleteKeysMax: number;
}

export interface RemoteObject extends ObjectInfo {
  /** Changes when the object is replaced. */
  etag: string;
}

/** The bytes [start, end) of an object, as one answer brings them. */
export interface RemoteRead {
  object: RemoteObject;
  start: number;
  end: number;
  /** May end early, with or without an error: the caller counts. */
  body: AsyncIterable<Uint8Array>;
  /** Gives the connection up when the body is not read to its end. */
  discard(): void;
}

/** `from` counts from 0 and `to` is exclusive; `last` asks for that many bytes of the end. */
export type RemoteRange = { from: number; to?: number } | { last: number };

export interface PartReceipt {
  /** Counted from 1. */
  partNumber: number;
  etag: string;
  /** Checksums of the part that the server wants to see again when the upload is completed. */
  checksums?: Readonly<Record<string, string>>;
}

export interface UnfinishedUpload {
  key: string;
  uploadId: string;
  startedAtMs: number;
}

export interface DeleteFailure {
  key: string;
  /** In the server's words. */
  reason: string;
  /** Later will not help. */
  denied: boolean;
}

export interface RequestOptions {
  signal?: AbortSignal | undefined;
}

/**
 * A bucket of an object storage service, request by request: what an adapter of one service (S3, OSS) implements, and what the
 * decorators retry and limit. `RemoteStore` makes an ObjectStore of it.
 *
 * - Each call MUST send one request, once: no retries, no paging, no splitting. Retries, parts, pages and key rules are not the adapter's.
 * - Keys here are the whole keys of the bucket. `prefix` is '' or ends in `/`.
 * - Errors MUST be EtcdOpsError, named as `store-failures.ts` names them, `retriable` exactly when the same request may succeed later.
 */
export interface RemoteBucket {
  /** For people: `S3 backups at https://s3.example.com`. Holds no secret. */
  readonly description: string;
  readonly limits: BucketLimits;
  /** The server is said to make `put` with `ifAbsent` atomic. It is tried before it is believed. */
  readonly conditionalPut: boolean;

  /** With `ifAbsent`: `exists` when the server refused because of it, `unsupported` when it refused the condition as such. */
  put(
    key: string,
    body: Uint8Array,
    options: RequestOptions & { ifAbsent?: boolean },
  ): Promise<'created' | 'exists' | 'unsupported'>;
  /**
   * A range beyond the end is clipped; one that begins at or after the end, and any of an empty object, is empty.
   * With `etag`, STORE_FAILED when the object has been replaced meanwhile.
   * @throws EtcdOpsError STORE_NOT_FOUND
   */
  read(key: string, range: RemoteRange, options: RequestOptions & { etag?: string }): Promise<RemoteRead>;
  stat(key: string, options: RequestOptions): Promise<RemoteObject | undefined>;
  /** One page in ascending byte order, of keys greater than `after`. `next`, when there are further pages, asks for the following one. */
  listPage(
    prefix: string,
    options: RequestOptions & { after?: string | undefined; next?: string | undefined },
  ): Promise<{ objects: ObjectInfo[]; next?: string | undefined }>;
  /** At most `limits.deleteKeysMax`. @returns the keys that could not be deleted, with the server's reasons; absent keys are no failure. */
  deleteBatch(keys: readonly string[], options: RequestOptions): Promise<DeleteFailure[]>;

  startUpload(key: string, options: RequestOptions): Promise<string>;
  uploadPart(
    part: { key: string; uploadId: string; partNumber: number; body: Uint8Array },
    options: RequestOptions,
  ): Promise<PartReceipt>;
  /** Receipts in ascending order of their numbers. @throws EtcdOpsError STORE_NOT_FOUND when there is no such upload (any more). */
  completeUpload(
    upload: { key: string; uploadId: string; parts: readonly PartReceipt[] },
    options: RequestOptions,
  ): Promise<void>;
  /** An upload that is not there (any more) is no failure. */
  abortUpload(upload: { key: string; uploadId: string }, options: RequestOptions): Promise<void>;
  /** One page of uploads that were neither completed nor aborted. `next` continues after it. */
  listUploads(
    prefix: string,
    options: RequestOptions & { next?: string | undefined },
  ): Promise<{ uploads: UnfinishedUpload[]; next?: string | undefined }>;

  /** One page of when the parts of an unfinished upload arrived, in milliseconds. @throws EtcdOpsError STORE_NOT_FOUND when there is no such upload. */
  listPartTimes(
    upload: { key: string; uploadId: string },
    options: RequestOptions & { next?: string | undefined },
  ): Promise<{ partsMs: number[]; next?: string | undefined }>;

  /** Where the service knows object lock. */
  objectLock?(key: string, options: RequestOptions): Promise<ObjectLock | undefined>;
  bucketFacts?(options: RequestOptions): Promise<BucketFacts>;
  close(): void;
}
