import { EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import { throwIfAborted } from './local-errors.ts';
import type { WriteOptions } from './object-store.ts';
import type { PartReader } from './part-reader.ts';
import type { PartReceipt, RemoteBucket, RemoteObject } from './remote-bucket.ts';

/** How long the removal of what a failed upload left may take; what stays is the sweep's. */
const ABORT_TIMEOUT_MS = 30_000;

export interface MultipartUpload extends WriteOptions {
  bucket: RemoteBucket;
  /** The whole key in the bucket. */
  key: string;
  parts: PartReader;
  partBytes: number;
  partsInFlightMax: number;
}

/**
 * Uploads parts side by side, each worker with one buffer of its own: memory is `partBytes` times `partsInFlightMax`, whatever the size.
 * Becomes visible only when all parts arrived and their source ended well; whatever fails ends the others, drops the upload and is thrown.
 * @returns how many bytes the object has.
 */
export async function uploadInParts(upload: MultipartUpload): Promise<number> {
  const { bucket, key, signal } = upload;
  const before = await bucket.stat(key, { signal });
  const uploadId = await bucket.startUpload(key, { signal });
  try {
    const parts = await sendParts(upload, uploadId);
    throwIfAborted(signal, 'Writing', key);
    await complete(upload, { uploadId, parts, before });
    return upload.parts.bytes;
  } catch (error) {
    await bucket
      .abortUpload({ key, uploadId }, { signal: AbortSignal.timeout(ABORT_TIMEOUT_MS) })
      .catch(() => undefined);
    throw error;
  }
}

async function sendParts(upload: MultipartUpload, uploadId: string): Promise<PartReceipt[]> {
  const { bucket, key, parts } = upload;
  const failed = new AbortController();
  const signal = upload.signal === undefined ? failed.signal : AbortSignal.any([upload.signal, failed.signal]);
  const receipts: PartReceipt[] = [];
  let sentBytes = 0;

  async function work(): Promise<void> {
    const buffer = Buffer.allocUnsafeSlow(upload.partBytes);
    for (;;) {
      const part = await parts.next(buffer, signal);
      if (part === undefined) return;
      if (part.partNumber > bucket.limits.partsMax) throw tooManyParts(upload);
      receipts.push(await bucket.uploadPart({ key, uploadId, ...part }, { signal }));
      sentBytes += part.body.length;
      upload.onProgress?.(sentBytes);
    }
  }

  // All workers must have ended before the upload is dropped: a part that arrives after it would stay, and cost.
  let failure: { error: unknown } | undefined;
  const guarded = async (): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failure ??= { error };
      failed.abort(error);
    }
  };
  await Promise.all(Array.from({ length: upload.partsInFlightMax }, guarded));
  if (failure !== undefined) throw failure.error;
  return receipts.toSorted((left, right) => left.partNumber - right.partNumber);
}

async function complete(
  { bucket, key, parts: { bytes }, signal }: MultipartUpload,
  done: { uploadId: string; parts: PartReceipt[]; before: RemoteObject | undefined },
): Promise<void> {
  let answerLost: unknown;
  try {
    await bucket.completeUpload({ key, uploadId: done.uploadId, parts: done.parts }, { signal });
  } catch (error) {
    // Gone may mean that an earlier attempt completed it and only its answer was lost.
    if (!isEtcdOpsError(error, 'STORE_NOT_FOUND')) throw error;
    answerLost = error;
  }
  const found = await bucket.stat(key, { signal });
  if (found?.bytes === bytes && (answerLost === undefined || found.etag !== done.before?.etag)) return;
  throw new EtcdOpsError('STORE_FAILED', {
    message: `Writing ${key} failed at ${bucket.description}: the upload was completed, but there is ${found === undefined ? 'no such object' : `an object of ${found.bytes} bytes`} instead of ${bytes} bytes`,
    ...(answerLost === undefined ? {} : { cause: answerLost }),
  });
}

function tooManyParts({ key, partBytes, bucket }: MultipartUpload): EtcdOpsError {
  return new EtcdOpsError('LIMIT_EXCEEDED', {
    message: `${key} is larger than ${bucket.limits.partsMax} parts of ${partBytes} bytes`,
    remedy: 'Raise --min-chunk-size.',
  });
}

/** The size of parts for an object that may become `bytesMax` long: whole MiB, as small as the number of parts allows. */
export function partBytesFor(bytesMax: number, partBytesWanted: number, limits: RemoteBucket['limits']): number {
  const mebibyte = 1024 * 1024;
  const needed = Math.ceil(bytesMax / limits.partsMax / mebibyte) * mebibyte;
  return Math.min(limits.partBytesMax, Math.max(needed, partBytesWanted, limits.partBytesMin));
}
