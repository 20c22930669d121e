import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  type HeadObjectCommandOutput,
} from '@aws-sdk/client-s3';
import { Readable } from 'node:stream';
import { EtcdOpsError } from '../base/errors.ts';
import type { BucketFacts, ObjectInfo, ObjectLock } from './object-store.ts';
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
import { readBucketFacts } from './s3-bucket-facts.ts';
import { checksumsOf, contentRange, lockOf, objectOf, rangeHeader, replaced } from './s3-answers.ts';
import { encryptionOf } from './s3-client.ts';
import { S3Connection } from './s3-connection.ts';
import { readListHere, sdkListPage } from './s3-list.ts';
import { readS3Failure } from './s3-errors.ts';
import type { Environment } from './s3-settings.ts';
import { awsEnvironment } from './s3-env.ts';
import type { S3StoreSpec } from './store-spec.ts';

const MEBIBYTE = 1024 ** 2;
/** A server that does not know the header at all. */
const UNKNOWN_CONDITION = ['NotImplemented', 'UnsupportedOperation'];

/** A bucket of S3 or of a server that speaks its language, over the SDK's client. */
export class S3Bucket implements RemoteBucket {
  readonly limits: BucketLimits = {
    partBytesMin: 5 * MEBIBYTE,
    partBytesMax: 5 * 1024 * MEBIBYTE,
    partsMax: 10_000,
    deleteKeysMax: 1000,
  };
  readonly conditionalPut: boolean;
  readonly #spec: S3StoreSpec;
  readonly #connection: S3Connection;

  constructor(spec: S3StoreSpec, environment: Environment = awsEnvironment()) {
    this.#spec = spec;
    this.conditionalPut = spec.conditionalPut ?? true;
    this.#connection = new S3Connection(spec, environment);
  }

  get description(): string {
    return this.#connection.description;
  }

  async put(
    key: string,
    body: Uint8Array,
    options: RequestOptions & { ifAbsent?: boolean },
  ): Promise<'created' | 'exists' | 'unsupported'> {
    const command = new PutObjectCommand({
      ...this.#at(key),
      ...encryptionOf(this.#spec),
      Body: body,
      ContentLength: body.length,
      ...(options.ifAbsent === true ? { IfNoneMatch: '*' } : {}),
    });
    return await this.#connection.run(`Writing ${key}`, options, async (send) => {
      try {
        await send((client, request) => client.send(command, request));
        return 'created';
      } catch (error) {
        const { status, reason } = readS3Failure(error);
        if (options.ifAbsent !== true) throw error;
        if (status === 412) return 'exists';
        if (UNKNOWN_CONDITION.includes(reason)) return 'unsupported';
        throw error;
      }
    });
  }

  async read(key: string, range: RemoteRange, options: RequestOptions & { etag?: string }): Promise<RemoteRead> {
    if ('to' in range && range.to !== undefined && range.to <= range.from) return await this.#readNothing(key, options);
    const command = new GetObjectCommand({
      ...this.#at(key),
      Range: rangeHeader(range),
      ...(options.etag === undefined ? {} : { IfMatch: options.etag }),
    });
    const answer = await this.#connection.run(`Reading ${key}`, options, async (send) => {
      try {
        return await send((client, request) => client.send(command, request));
      } catch (error) {
        const { status } = readS3Failure(error);
        if (status === 416) return undefined;
        if (status === 412) throw replaced(key, this.description);
        throw error;
      }
    });
    if (answer === undefined) return await this.#readNothing(key, options);
    const body = answer.Body as unknown as Readable;
    const stop = (): void => void body.destroy();
    options.signal?.addEventListener('abort', stop, { once: true });
    body.once('close', () => options.signal?.removeEventListener('abort', stop));
    const { bytes, ...part } = contentRange(answer.ContentRange, answer.ContentLength);
    return { object: objectOf(key, answer, bytes), ...part, body, discard: stop };
  }

  async stat(key: string, options: RequestOptions): Promise<RemoteObject | undefined> {
    const found = await this.#head(key, options);
    return found === undefined ? undefined : objectOf(key, found, found.ContentLength ?? 0);
  }

  async listPage(
    prefix: string,
    options: RequestOptions & { after?: string | undefined; next?: string | undefined },
  ): Promise<{ objects: ObjectInfo[]; next?: string | undefined }> {
    const command = new ListObjectsV2Command({
      Bucket: this.#spec.bucket,
      Prefix: prefix,
      ...(options.next === undefined ? {} : { ContinuationToken: options.next }),
      ...(options.after === undefined || options.next !== undefined ? {} : { StartAfter: options.after }),
    });
    const read = readListHere(command);
    const page = await this.#connection.request(`Listing ${prefix}`, options, (client, request) =>
      client.send(command, request),
    );
    return read.page ?? sdkListPage(page, { prefix, store: this.description });
  }

  async deleteBatch(keys: readonly string[], options: RequestOptions): Promise<DeleteFailure[]> {
    if (keys.length === 0) return [];
    const command = new DeleteObjectsCommand({
      Bucket: this.#spec.bucket,
      Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true },
    });
    const answer = await this.#connection.request(
      `Deleting ${keys[0]}${keys.length > 1 ? ` and ${keys.length - 1} more` : ''}`,
      options,
      (client, request) => client.send(command, request),
    );
    return (answer.Errors ?? [])
      .filter(({ Code }) => Code !== 'NoSuchKey')
      .map(({ Key, Code, Message }) => ({
        key: Key ?? '',
        reason: Code ?? Message ?? 'no reason given',
        denied: !['InternalError', 'SlowDown', 'ServiceUnavailable', 'OperationAborted'].includes(Code ?? ''),
      }));
  }

  async startUpload(key: string, options: RequestOptions): Promise<string> {
    const command = new CreateMultipartUploadCommand({ ...this.#at(key), ...encryptionOf(this.#spec) });
    const { UploadId } = await this.#connection.request(`Writing ${key}`, options, (client, request) =>
      client.send(command, request),
    );
    if (UploadId !== undefined) return UploadId;
    throw new EtcdOpsError('STORE_REFUSED', { message: `Writing ${key}: ${this.description} gave the upload no id` });
  }

  async uploadPart(
    part: { key: string; uploadId: string; partNumber: number; body: Uint8Array },
    options: RequestOptions,
  ): Promise<PartReceipt> {
    const { key, uploadId: UploadId, partNumber, body } = part;
    const command = new UploadPartCommand({
      ...this.#at(key),
      UploadId,
      PartNumber: partNumber,
      Body: body,
      ContentLength: body.length,
    });
    const answer = await this.#connection.request(`Writing part ${partNumber} of ${key}`, options, (client, request) =>
      client.send(command, request),
    );
    return { partNumber, etag: answer.ETag ?? '', checksums: checksumsOf(answer) };
  }

  async completeUpload(
    upload: { key: string; uploadId: string; parts: readonly PartReceipt[] },
    options: RequestOptions,
  ): Promise<void> {
    const command = new CompleteMultipartUploadCommand({
      ...this.#at(upload.key),
      UploadId: upload.uploadId,
      MultipartUpload: {
        Parts: upload.parts.map(({ partNumber, etag, checksums }) => ({
          PartNumber: partNumber,
          ETag: etag,
          ...checksums,
        })),
      },
    });
    await this.#connection.request(`Writing ${upload.key}`, options, (client, request) =>
      client.send(command, request),
    );
  }

  async abortUpload({ key, uploadId }: { key: string; uploadId: string }, options: RequestOptions): Promise<void> {
    const command = new AbortMultipartUploadCommand({ ...this.#at(key), UploadId: uploadId });
    await this.#connection.run(`Dropping the upload of ${key}`, options, async (send) => {
      try {
        await send((client, request) => client.send(command, request));
      } catch (error) {
        if (readS3Failure(error).status !== 404) throw error;
      }
    });
  }

  async listUploads(
    prefix: string,
    options: RequestOptions & { next?: string | undefined },
  ): Promise<{ uploads: UnfinishedUpload[]; next?: string | undefined }> {
    const [KeyMarker, UploadIdMarker] = options.next === undefined ? [] : (JSON.parse(options.next) as string[]);
    const command = new ListMultipartUploadsCommand({
      Bucket: this.#spec.bucket,
      Prefix: prefix,
      ...(KeyMarker === undefined ? {} : { KeyMarker }),
      ...(UploadIdMarker === undefined ? {} : { UploadIdMarker }),
    });
    const page = await this.#connection.request(
      `Listing the unfinished uploads below ${prefix}`,
      options,
      (client, request) => client.send(command, request),
    );
    const uploads = (page.Uploads ?? []).map(({ Key, UploadId, Initiated }) => ({
      key: Key ?? '',
      uploadId: UploadId ?? '',
      startedAtMs: Initiated?.getTime() ?? Date.now(),
    }));
    const more = page.IsTruncated === true;
    return {
      uploads,
      next: more ? JSON.stringify([page.NextKeyMarker ?? '', page.NextUploadIdMarker ?? '']) : undefined,
    };
  }

  async listPartTimes(
    { key, uploadId: UploadId }: { key: string; uploadId: string },
    { next, ...options }: RequestOptions & { next?: string | undefined },
  ): Promise<{ partsMs: number[]; next?: string | undefined }> {
    const from = next === undefined ? {} : { PartNumberMarker: next };
    const command = new ListPartsCommand({ ...this.#at(key), UploadId, ...from });
    const page = await this.#connection.request(`Listing the parts of ${key}`, options, (client, request) =>
      client.send(command, request),
    );
    const partsMs = (page.Parts ?? []).map(({ LastModified }) => LastModified?.getTime() ?? Date.now());
    return { partsMs, next: page.IsTruncated === true ? page.NextPartNumberMarker : undefined };
  }

  async objectLock(key: string, options: RequestOptions): Promise<ObjectLock | undefined> {
    const found = await this.#head(key, options);
    return found === undefined ? undefined : lockOf(found);
  }

  async bucketFacts(options: RequestOptions): Promise<BucketFacts> {
    const facts = await readBucketFacts(async (what, work) => {
      return await this.#connection.request(what, options, (client, request) =>
        work(client, this.#spec.bucket, request),
      );
    });
    return {
      ...facts,
      ...(this.#connection.clockAheadMs === undefined ? {} : { clockAheadMs: this.#connection.clockAheadMs }),
    };
  }

  close(): void {
    this.#connection.close();
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#spec.bucket, Key: key };
  }

  async #head(key: string, options: RequestOptions): Promise<HeadObjectCommandOutput | undefined> {
    const command = new HeadObjectCommand(this.#at(key));
    return await this.#connection.run(`Reading ${key}`, options, async (send) => {
      try {
        return await send((client, request) => client.send(command, request));
      } catch (error) {
        const { status, reason } = readS3Failure(error);
        if (status === 404 && reason !== 'NoSuchBucket') return undefined;
        throw error;
      }
    });
  }

  /** There are no bytes in the range, but there has to be an object. */
  async #readNothing(key: string, options: RequestOptions): Promise<RemoteRead> {
    const object = await this.stat(key, options);
    if (object === undefined) {
      throw new EtcdOpsError('STORE_NOT_FOUND', { message: `The object ${key} does not exist at ${this.description}` });
    }
    return { object, start: 0, end: 0, body: Readable.from([]), discard: () => {} };
  }
}
