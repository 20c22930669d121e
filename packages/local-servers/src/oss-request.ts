import { isIP } from 'node:net';
import type { IncomingHttpHeaders } from 'node:http';
import type { OssSignable } from './oss-signature.ts';

export interface OssRequest extends OssSignable {
  /** As OSS's documentation calls it: `PutObject`, `ListObjectsV2`, ...; `Unknown` for what this server does not speak. */
  operation: string;
  body: Buffer;
}

/**
 * Finds bucket and key. The bucket is in front of the host (`bucket.oss-cn-hangzhou.aliyuncs.com`), or the host stands for it
 * (`cnames`: a domain of the user's own), or, where the host is an address, it is the first part of the path.
 */
export function parseOssRequest(
  {
    method = 'GET',
    url = '/',
    headers,
  }: { method?: string | undefined; url?: string | undefined; headers: IncomingHttpHeaders },
  { body, cnames }: { body: Buffer; cnames: ReadonlyMap<string, string> },
): OssRequest {
  // A client that takes this server for its proxy writes the whole URL.
  const [path = '/', search = ''] = url.replace(/^http:\/\/[^/]+/, '').split(/\?(.*)/s);
  const query = parseQuery(search);
  const plain: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(headers)) plain[name] = Array.isArray(value) ? value.join(',') : value;
  const host = (plain['host'] ?? '').replace(/:\d+$/, '');
  const { bucket, rest } = locate(host, path.replace(/^\//, ''), cnames);
  const key = rest === '' ? undefined : decodeURIComponent(rest);
  return { method, bucket, key, query, headers: plain, body, operation: operationOf(method, key, query) };
}

function locate(
  host: string,
  path: string,
  cnames: ReadonlyMap<string, string>,
): { bucket: string | undefined; rest: string } {
  const named = cnames.get(host);
  if (named !== undefined) return { bucket: named, rest: path };
  if (isIP(host) === 0 && host.includes('.')) return { bucket: host.split('.', 1)[0], rest: path };
  const slash = path.indexOf('/');
  const bucket = slash < 0 ? path : path.slice(0, slash);
  return { bucket: bucket === '' ? undefined : bucket, rest: slash < 0 ? '' : path.slice(slash + 1) };
}

function parseQuery(search: string): Map<string, string | undefined> {
  const query = new Map<string, string | undefined>();
  for (const pair of search.split('&').filter((part) => part !== '')) {
    const [name = '', value] = pair.split(/=(.*)/s);
    query.set(decode(name), value === undefined ? undefined : decode(value));
  }
  return query;
}

function decode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', '%20'));
}

const OBJECT_OPERATIONS: Readonly<Record<string, string>> = {
  GET: 'GetObject',
  HEAD: 'HeadObject',
  PUT: 'PutObject',
  DELETE: 'DeleteObject',
};

const BUCKET_READS: Readonly<Record<string, string>> = {
  bucketInfo: 'GetBucketInfo',
  versioning: 'GetBucketVersioning',
  worm: 'GetBucketWorm',
  lifecycle: 'GetBucketLifecycle',
  uploads: 'ListMultipartUploads',
};

function operationOf(method: string, key: string | undefined, query: ReadonlyMap<string, string | undefined>): string {
  if (key === undefined) {
    if (method === 'POST' && query.has('delete')) return 'DeleteMultipleObjects';
    if (method !== 'GET') return 'Unknown';
    const read = Object.keys(BUCKET_READS).find((name) => query.has(name));
    if (read !== undefined) return BUCKET_READS[read] ?? 'Unknown';
    return query.get('list-type') === '2' ? 'ListObjectsV2' : 'Unknown';
  }
  if (query.has('uploads')) return method === 'POST' ? 'InitiateMultipartUpload' : 'Unknown';
  if (query.has('uploadId')) {
    const ofUpload: Record<string, string> = {
      PUT: 'UploadPart',
      POST: 'CompleteMultipartUpload',
      DELETE: 'AbortMultipartUpload',
      GET: 'ListParts',
    };
    return ofUpload[method] ?? 'Unknown';
  }
  return OBJECT_OPERATIONS[method] ?? 'Unknown';
}
