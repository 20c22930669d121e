import type { IncomingHttpHeaders } from 'node:http';

export interface S3Request {
  /** As S3's documentation calls it: `PutObject`, `ListObjectsV2`, ...; `Unknown` for what this server does not speak. */
  operation: string;
  method: string;
  /** As it came, still encoded: signatures are made over that. */
  path: string;
  search: string;
  query: ReadonlyMap<string, string>;
  headers: Readonly<Record<string, string | undefined>>;
  bucket: string;
  key: string | undefined;
  /** What was sent, without the frames of a payload in chunks. */
  body: Buffer;
}

/** Path style only: the first part of the path is the bucket. */
export function parseS3Request({
  method = 'GET',
  url = '/',
  headers,
}: {
  method?: string | undefined;
  url?: string | undefined;
  headers: IncomingHttpHeaders;
}): S3Request {
  const [path = '/', search = ''] = url.split(/\?(.*)/s);
  const plain: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(headers)) plain[name] = Array.isArray(value) ? value.join(',') : value;
  const [, bucket = '', rest = ''] = /^\/([^/]*)\/?(.*)$/s.exec(path) ?? [];
  const key = rest === '' ? undefined : decodeURIComponent(rest);
  const query = parseQuery(search);
  const operation = operationOf(method, key, query);
  return { operation, method, path, search, query, headers: plain, bucket, key, body: Buffer.alloc(0) };
}

function parseQuery(search: string): Map<string, string> {
  const query = new Map<string, string>();
  for (const pair of search.split('&').filter((part) => part !== '')) {
    const [name = '', value = ''] = pair.split(/=(.*)/s);
    query.set(decodeURIComponent(name), decodeURIComponent(value.replaceAll('+', '%20')));
  }
  return query;
}

const OF_OBJECT: Readonly<Record<string, string>> = {
  GET: 'GetObject',
  HEAD: 'HeadObject',
  PUT: 'PutObject',
  DELETE: 'DeleteObject',
};
const OF_UPLOAD: Readonly<Record<string, string>> = {
  PUT: 'UploadPart',
  POST: 'CompleteMultipartUpload',
  DELETE: 'AbortMultipartUpload',
  GET: 'ListParts',
};
const OF_BUCKET: Readonly<Record<string, string>> = {
  versioning: 'GetBucketVersioning',
  'object-lock': 'GetObjectLockConfiguration',
  lifecycle: 'GetBucketLifecycleConfiguration',
  uploads: 'ListMultipartUploads',
};

function operationOf(method: string, key: string | undefined, query: ReadonlyMap<string, string>): string {
  if (key === undefined) {
    if (method === 'POST' && query.has('delete')) return 'DeleteObjects';
    if (method !== 'GET') return 'Unknown';
    const read = Object.keys(OF_BUCKET).find((name) => query.has(name));
    if (read !== undefined) return OF_BUCKET[read] ?? 'Unknown';
    return query.get('list-type') === '2' ? 'ListObjectsV2' : 'Unknown';
  }
  if (query.has('uploads')) return method === 'POST' ? 'CreateMultipartUpload' : 'Unknown';
  return (query.has('uploadId') ? OF_UPLOAD[method] : OF_OBJECT[method]) ?? 'Unknown';
}
