import { element, OssRefusal, xmlAnswer, type OssAnswer } from './oss-answer.ts';
import type { OssContext, OssRoute } from './oss-object-routes.ts';
import type { OssUpload } from './oss-state.ts';

export const LIST_ROUTES: Readonly<Record<string, OssRoute>> = {
  ListObjectsV2: listObjects,
  ListMultipartUploads: listUploads,
  GetBucketInfo: bucketInfo,
  GetBucketVersioning: ({ bucket }) =>
    xmlAnswer('VersioningConfiguration', bucket.versioning === undefined ? [] : [element('Status', bucket.versioning)]),
  GetBucketWorm: bucketWorm,
  GetBucketLifecycle: bucketLifecycle,
};

function listObjects({ request, bucket }: OssContext): OssAnswer {
  const prefix = request.query.get('prefix') ?? '';
  const limit = pageSize(request.query.get('max-keys'), 100);
  const token = request.query.get('continuation-token');
  const after = request.query.get('start-after') ?? '';
  const keys = bucket.keys();
  // A token stands for the first key of the next page.
  const from = token === undefined ? firstIndex(keys, (key) => isAfter(key, after)) : tokenIndex(keys, token);
  const page: string[] = [];
  let next: string | undefined;
  for (
    let index = Math.max(
      from,
      firstIndex(keys, (key) => !isAfter(prefix, key)),
    );
    index < keys.length;
    index++
  ) {
    const key = keys[index]!;
    if (!key.startsWith(prefix)) break;
    if (page.length === limit) {
      next = key;
      break;
    }
    page.push(key);
  }
  const name = nameEncoder(request.query.get('encoding-type'));
  return xmlAnswer('ListBucketResult', [
    element('Name', bucket.name),
    element('Prefix', name(prefix)),
    ...(after === '' ? [] : [element('StartAfter', name(after))]),
    element('MaxKeys', limit),
    element('KeyCount', page.length),
    element('IsTruncated', String(next !== undefined)),
    ...(next === undefined ? [] : [element('NextContinuationToken', Buffer.from(next).toString('base64'))]),
    ...page.map((key) => contentsOf(name(key), bucket.current(key)!)),
  ]);
}

function contentsOf(
  name: string,
  { modifiedAtMs, etag, type, body }: { modifiedAtMs: number; etag: string; type: string; body: Buffer },
): string {
  const fields = [
    element('Key', name),
    element('LastModified', new Date(Math.floor(modifiedAtMs / 1000) * 1000).toISOString()),
    element('ETag', `"${etag}"`),
    element('Type', type),
    element('Size', body.length),
    element('StorageClass', 'Standard'),
  ];
  return `<Contents>${fields.join('')}</Contents>`;
}

function listUploads({ request, bucket }: OssContext): OssAnswer {
  const prefix = request.query.get('prefix') ?? '';
  const limit = pageSize(request.query.get('max-uploads'), 1000);
  const keyMarker = request.query.get('key-marker') ?? '';
  const idMarker = request.query.get('upload-id-marker') ?? '';
  const isBehind = ({ key, uploadId }: OssUpload): boolean =>
    isAfter(key, keyMarker) || (key === keyMarker && idMarker !== '' && isAfter(uploadId, idMarker));
  const all = [...bucket.uploads.values()]
    .filter(({ key }) => key.startsWith(prefix))
    .sort((left, right) =>
      isAfter(left.key, right.key) || (left.key === right.key && left.uploadId > right.uploadId) ? 1 : -1,
    )
    .filter(isBehind);
  const page = all.slice(0, limit);
  const last = page.at(-1);
  const name = nameEncoder(request.query.get('encoding-type'));
  return xmlAnswer('ListMultipartUploadsResult', [
    element('Bucket', bucket.name),
    element('IsTruncated', String(all.length > page.length)),
    element('NextKeyMarker', last === undefined ? '' : name(last.key)),
    element('NextUploadIdMarker', last?.uploadId ?? ''),
    ...page.map(
      ({ key, uploadId, startedAtMs }) =>
        `<Upload>${element('Key', name(key))}${element('UploadId', uploadId)}${element('Initiated', new Date(startedAtMs).toISOString())}</Upload>`,
    ),
  ]);
}

function bucketInfo({ bucket }: OssContext): OssAnswer {
  const fields = [
    element('Name', bucket.name),
    element('Location', `oss-${bucket.region}`),
    element('ExtranetEndpoint', `oss-${bucket.region}.aliyuncs.com`),
    element('IntranetEndpoint', `oss-${bucket.region}-internal.aliyuncs.com`),
    element('StorageClass', 'Standard'),
    ...(bucket.versioning === undefined ? [] : [element('Versioning', bucket.versioning)]),
    '<AccessControlList><Grant>private</Grant></AccessControlList>',
    '<Owner><ID>1234567890</ID><DisplayName>1234567890</DisplayName></Owner>',
  ];
  return xmlAnswer('BucketInfo', [`<Bucket>${fields.join('')}</Bucket>`]);
}

function bucketWorm({ bucket, nowMs }: OssContext): OssAnswer {
  if (bucket.worm === undefined) {
    throw new OssRefusal(404, 'NoSuchWORMConfiguration', 'The WORM Configuration does not exist.');
  }
  return xmlAnswer('WormConfiguration', [
    element('WormId', '1666E2CFB2B3418****'),
    element('State', bucket.worm.state),
    element('RetentionPeriodInDays', bucket.worm.days),
    element('CreationDate', new Date(nowMs).toISOString()),
  ]);
}

function bucketLifecycle({ bucket }: OssContext): OssAnswer {
  if (bucket.lifecycle.length === 0) {
    throw new OssRefusal(404, 'NoSuchLifecycle', 'No Row found in Lifecycle Table.');
  }
  const days = (name: string, inner: string): string => `<${name}>${inner}</${name}>`;
  return xmlAnswer(
    'LifecycleConfiguration',
    bucket.lifecycle.map(({ id, prefix, expireAfterDays, moveAfterDays, abortUploadsAfterDays }) =>
      days(
        'Rule',
        [
          element('ID', id),
          element('Prefix', prefix),
          element('Status', 'Enabled'),
          expireAfterDays === undefined ? '' : days('Expiration', element('Days', expireAfterDays)),
          moveAfterDays === undefined
            ? ''
            : days('Transition', element('Days', moveAfterDays) + element('StorageClass', 'Archive')),
          abortUploadsAfterDays === undefined
            ? ''
            : days('AbortMultipartUpload', element('Days', abortUploadsAfterDays)),
        ].join(''),
      ),
    ),
  );
}

function pageSize(given: string | undefined, byDefault: number): number {
  const size = given === undefined ? byDefault : Number(given);
  if (Number.isInteger(size) && size >= 1 && size <= 1000) return size;
  throw new OssRefusal(400, 'InvalidArgument', 'Argument max-keys must be an integer between 1 and 1000.');
}

function nameEncoder(encodingType: string | undefined): (name: string) => string {
  return encodingType === 'url' ? (name) => encodeURIComponent(name) : (name) => name;
}

function tokenIndex(keys: readonly string[], token: string): number {
  const key = Buffer.from(token, 'base64').toString();
  if (key === '') throw new OssRefusal(400, 'InvalidArgument', 'The continuation token provided is incorrect.');
  return firstIndex(keys, (candidate) => !isAfter(key, candidate));
}

/** The first index from which on `holds`, which must be false before it and true behind it. */
function firstIndex(keys: readonly string[], holds: (key: string) => boolean): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(keys[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function isAfter(left: string, right: string): boolean {
  return Buffer.compare(Buffer.from(left), Buffer.from(right)) > 0;
}
