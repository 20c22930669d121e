import type { HeadObjectCommandOutput, UploadPartCommandOutput } from '@aws-sdk/client-s3';
import { EtcdOpsError } from '../base/errors.ts';
import type { ObjectLock } from './object-store.ts';
import type { RemoteObject, RemoteRange } from './remote-bucket.ts';

export function rangeHeader(range: RemoteRange): string {
  if ('last' in range) return `bytes=-${range.last}`;
  return `bytes=${range.from}-${range.to === undefined ? '' : range.to - 1}`;
}

/** `bytes 10-29/3000`; a server that sends the whole object instead names no range. */
export function contentRange(header: string | undefined, length = 0): { start: number; end: number; bytes: number } {
  const [, first, last, bytes] = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/.exec(header ?? '') ?? [];
  if (first === undefined) return { start: 0, end: length, bytes: length };
  return { start: Number(first), end: Number(last) + 1, bytes: Number(bytes) };
}

export function objectOf(
  key: string,
  answer: { ETag?: string | undefined; LastModified?: Date | undefined },
  bytes: number,
): RemoteObject {
  return { key, bytes, modifiedAtMs: answer.LastModified?.getTime() ?? 0, etag: answer.ETag ?? '' };
}

export function replaced(key: string, store: string): EtcdOpsError {
  return new EtcdOpsError('STORE_REFUSED', {
    message: `The object ${key} at ${store} was replaced while it was read`,
    remedy: 'Read it again; nobody but etcd-ops should write to a repository.',
  });
}

export function lockOf(found: HeadObjectCommandOutput): ObjectLock | undefined {
  const { ObjectLockMode, ObjectLockRetainUntilDate, ObjectLockLegalHoldStatus } = found;
  const legalHold = ObjectLockLegalHoldStatus === 'ON';
  if (ObjectLockRetainUntilDate === undefined && !legalHold) return undefined;
  return {
    legalHold,
    ...(ObjectLockRetainUntilDate === undefined ? {} : { retainUntilMs: ObjectLockRetainUntilDate.getTime() }),
    ...(ObjectLockMode === undefined ? {} : { mode: ObjectLockMode === 'COMPLIANCE' ? 'compliance' : 'governance' }),
  };
}

const CHECKSUM_FIELDS = [
  'ChecksumCRC32',
  'ChecksumCRC32C',
  'ChecksumCRC64NVME',
  'ChecksumSHA1',
  'ChecksumSHA256',
] as const;

/** Those of a part, which the server wants to see again when the upload is completed. */
export function checksumsOf(answer: UploadPartCommandOutput): Record<string, string> {
  const found = CHECKSUM_FIELDS.flatMap((field) => {
    const value = answer[field];
    return value === undefined ? [] : [[field, value] as const];
  });
  return Object.fromEntries(found);
}
