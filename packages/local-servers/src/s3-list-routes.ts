import { element, xmlAnswer } from './oss-answer.ts';
import { S3Refusal, type S3Answer } from './s3-answer.ts';
import type { S3Context, S3Route } from './s3-object-routes.ts';

export const S3_LIST_ROUTES: Readonly<Record<string, S3Route>> = {
  ListObjectsV2: listObjects,
  ListMultipartUploads: listUploads,
  GetBucketVersioning: getVersioning,
  GetObjectLockConfiguration: getObjectLock,
  GetBucketLifecycleConfiguration: getLifecycle,
};

const PAGE_MAX = 1000;

function listObjects({ request, bucket }: S3Context): S3Answer {
  const prefix = request.query.get('prefix') ?? '';
  const token = request.query.get('continuation-token');
  const after = token === undefined ? (request.query.get('start-after') ?? '') : fromToken(token);
  const pageMax = Math.min(PAGE_MAX, Number(request.query.get('max-keys') ?? PAGE_MAX));
  const keys = bucket.keys();
  const page: string[] = [];
  let index = firstAfter(keys, after > prefix ? after : prefix, after < prefix);
  for (; index < keys.length && keys[index]!.startsWith(prefix) && page.length < pageMax; index++) {
    page.push(keys[index]!);
  }
  const truncated = index < keys.length && keys[index]!.startsWith(prefix);
  return xmlAnswer('ListBucketResult', [
    element('Name', bucket.name),
    element('Prefix', prefix),
    element('KeyCount', page.length),
    element('MaxKeys', pageMax),
    element('IsTruncated', String(truncated)),
    ...(truncated ? [element('NextContinuationToken', toToken(page.at(-1)!))] : []),
    ...page.map((key) => {
      const { body, etag, modifiedAtMs } = bucket.object(key)!;
      return `<Contents>${element('Key', key)}${element('LastModified', new Date(modifiedAtMs).toISOString())}${element('ETag', etag)}${element('Size', body.length)}${element('StorageClass', 'STANDARD')}</Contents>`;
    }),
  ]);
}

/** The index of the first key greater than `key`, or equal to it with `orEqual`. Keys of tests are ASCII: byte order is text order. */
function firstAfter(keys: readonly string[], key: string, orEqual: boolean): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const isBefore = orEqual ? keys[middle]! < key : keys[middle]! <= key;
    if (isBefore) low = middle + 1;
    else high = middle;
  }
  return low;
}

function toToken(key: string): string {
  return Buffer.from(key).toString('base64');
}

function fromToken(token: string): string {
  const key = Buffer.from(token, 'base64').toString();
  if (toToken(key) === token) return key;
  throw new S3Refusal(400, 'InvalidArgument', 'The continuation token provided is incorrect');
}

function listUploads({ request, bucket }: S3Context): S3Answer {
  const prefix = request.query.get('prefix') ?? '';
  const keyMarker = request.query.get('key-marker') ?? '';
  const idMarker = request.query.get('upload-id-marker') ?? '';
  const pageMax = Math.min(PAGE_MAX, Number(request.query.get('max-uploads') ?? PAGE_MAX));
  const all = [...bucket.uploads.values()]
    .filter(({ key }) => key.startsWith(prefix))
    .filter(({ key, uploadId }) => key > keyMarker || (key === keyMarker && idMarker !== '' && uploadId > idMarker))
    .sort((left, right) => (left.key + left.uploadId < right.key + right.uploadId ? -1 : 1));
  const page = all.slice(0, pageMax);
  const last = page.at(-1);
  const next = all.length > page.length && last !== undefined;
  return xmlAnswer('ListMultipartUploadsResult', [
    element('Bucket', bucket.name),
    element('IsTruncated', String(next)),
    ...(next ? [element('NextKeyMarker', last.key), element('NextUploadIdMarker', last.uploadId)] : []),
    ...page.map(
      ({ key, uploadId, startedAtMs }) =>
        `<Upload>${element('Key', key)}${element('UploadId', uploadId)}${element('Initiated', new Date(startedAtMs).toISOString())}</Upload>`,
    ),
  ]);
}

function getVersioning({ bucket }: S3Context): S3Answer {
  return xmlAnswer(
    'VersioningConfiguration',
    bucket.versioning === undefined ? [] : [element('Status', bucket.versioning)],
  );
}

function getObjectLock({ bucket }: S3Context): S3Answer {
  const { defaultLock } = bucket;
  if (defaultLock === undefined) {
    const message = 'Object Lock configuration does not exist for this bucket';
    throw new S3Refusal(404, 'ObjectLockConfigurationNotFoundError', message);
  }
  const retention = `${element('Mode', defaultLock.mode)}${element('Days', defaultLock.days)}`;
  return xmlAnswer('ObjectLockConfiguration', [
    element('ObjectLockEnabled', 'Enabled'),
    `<Rule><DefaultRetention>${retention}</DefaultRetention></Rule>`,
  ]);
}

function getLifecycle({ bucket }: S3Context): S3Answer {
  if (bucket.lifecycle.length === 0) {
    throw new S3Refusal(404, 'NoSuchLifecycleConfiguration', 'The lifecycle configuration does not exist');
  }
  const rules = bucket.lifecycle.map(({ id, prefix, expireAfterDays, abortUploadsAfterDays }) => {
    const expiry = expireAfterDays === undefined ? '' : `<Expiration>${element('Days', expireAfterDays)}</Expiration>`;
    const abort =
      abortUploadsAfterDays === undefined
        ? ''
        : `<AbortIncompleteMultipartUpload>${element('DaysAfterInitiation', abortUploadsAfterDays)}</AbortIncompleteMultipartUpload>`;
    return `<Rule>${element('ID', id)}<Filter>${element('Prefix', prefix)}</Filter>${element('Status', 'Enabled')}${expiry}${abort}</Rule>`;
  });
  return xmlAnswer('LifecycleConfiguration', rules);
}
