import { element, elementsOf, emptyAnswer, OssRefusal, unescapeXml, xmlAnswer, type OssAnswer } from './oss-answer.ts';
import type { OssRequest } from './oss-request.ts';
import { ossMd5, type OssBucket, type OssVersion } from './oss-state.ts';

export interface OssContext {
  request: OssRequest;
  bucket: OssBucket;
  nowMs: number;
}

export type OssRoute = (context: OssContext) => OssAnswer;

export const OBJECT_ROUTES: Readonly<Record<string, OssRoute>> = {
  PutObject: putObject,
  GetObject: getObject,
  HeadObject: headObject,
  DeleteObject: deleteObject,
  DeleteMultipleObjects: deleteMultipleObjects,
};

function putObject({ request, bucket, nowMs }: OssContext): OssAnswer {
  const key = keyOf(request);
  checkBodyMd5(request);
  refuseOverwrite(request, bucket);
  refuseImmutable(bucket, key, nowMs);
  const version = bucket.write(key, request.body, { nowMs });
  const contentMd5 = ossMd5(request.body).toString('base64');
  return emptyAnswer(200, {
    ...versionHeaders(bucket, version),
    etag: `"${version.etag}"`,
    'content-md5': contentMd5,
    'x-oss-hash-crc64ecma': version.crc64,
  });
}

/**
 * A range that does not lie wholly inside the object is ignored, unless the client asks for the standard behaviour; then it is
 * clipped, or refused when nothing of it is left.
 */
function getObject({ request, bucket }: OssContext): OssAnswer {
  const version = currentOf(request, bucket);
  const range = request.headers['range'];
  const whole = { status: 200, headers: objectHeaders(bucket, version), body: version.body };
  if (range === undefined) return whole;
  const standard = request.headers['x-oss-range-behavior'] === 'standard';
  const found = parseRange(range, version.body.length);
  if (found === undefined || (found.clipped && !standard)) {
    if (found === undefined && standard) {
      throw new OssRefusal(416, 'InvalidRange', 'The requested range cannot be satisfied');
    }
    return whole;
  }
  const { start, end } = found;
  const contentRange = `bytes ${start}-${end - 1}/${version.body.length}`;
  const headers = { ...objectHeaders(bucket, version), 'content-range': contentRange };
  return { status: 206, headers, body: version.body.subarray(start, end) };
}

function headObject({ request, bucket }: OssContext): OssAnswer {
  const version = currentOf(request, bucket);
  const length = { 'content-length': String(version.body.length) };
  return emptyAnswer(200, { ...objectHeaders(bucket, version), ...length });
}

function deleteObject({ request, bucket, nowMs }: OssContext): OssAnswer {
  refuseImmutable(bucket, keyOf(request), nowMs);
  bucket.remove(keyOf(request), nowMs);
  return emptyAnswer(204);
}

function deleteMultipleObjects({ request, bucket, nowMs }: OssContext): OssAnswer {
  if (request.headers['content-md5'] === undefined) {
    throw new OssRefusal(400, 'MissingArgument', 'Missing Some Required Arguments.', { ArgumentName: 'Content-MD5' });
  }
  checkBodyMd5(request);
  const keys = elementsOf(request.body.toString(), 'Key').map(unescapeXml);
  if (keys.length === 0 || keys.length > 1000) {
    throw new OssRefusal(400, 'MalformedXML', 'The XML you provided was not well-formed or did not validate.');
  }
  const gone = keys.filter((key) => !isImmutable(bucket, key, nowMs));
  for (const key of gone) bucket.remove(key, nowMs);
  const quiet = elementsOf(request.body.toString(), 'Quiet')[0] === 'true';
  return xmlAnswer(
    'DeleteResult',
    (quiet ? [] : gone).map((key) => `<Deleted>${element('Key', key)}</Deleted>`),
  );
}

export function keyOf(request: OssRequest): string {
  if (request.key === undefined) throw new OssRefusal(400, 'InvalidObjectName', 'The specified object is not valid.');
  return request.key;
}

/** @throws OssRefusal FileAlreadyExists. With versioning OSS ignores the header: both versions are kept. */
export function refuseOverwrite(request: OssRequest, bucket: OssBucket): void {
  const asked = request.headers['x-oss-forbid-overwrite'];
  if (asked !== undefined && asked !== 'true' && asked !== 'false') {
    throw new OssRefusal(400, 'InvalidArgument', 'x-oss-forbid-overwrite is invalid.');
  }
  if (asked !== 'true' || bucket.versioning !== undefined || bucket.current(keyOf(request)) === undefined) return;
  throw new OssRefusal(
    409,
    'FileAlreadyExists',
    'The object you specified already exists and can not be overwritten.',
    {
      EC: '0026-00000002',
    },
  );
}

/** @throws OssRefusal InvalidDigest when the body is not what the client says that it sent. */
export function checkBodyMd5({ headers, body }: OssRequest): void {
  const stated = headers['content-md5'];
  if (stated === undefined || stated === ossMd5(body).toString('base64')) return;
  throw new OssRefusal(400, 'InvalidDigest', 'The Content-MD5 you specified was invalid.');
}

/** @throws OssRefusal FileImmutable while the bucket's retention policy covers the object. */
export function refuseImmutable(bucket: OssBucket, key: string, nowMs: number): void {
  if (!isImmutable(bucket, key, nowMs)) return;
  throw new OssRefusal(409, 'FileImmutable', 'The object you specified is immutable.');
}

export function versionHeaders(bucket: OssBucket, version: OssVersion): Record<string, string> {
  return bucket.versioning === undefined ? {} : { 'x-oss-version-id': version.versionId };
}

function isImmutable(bucket: OssBucket, key: string, nowMs: number): boolean {
  const { worm } = bucket;
  const version = bucket.current(key);
  return worm !== undefined && version !== undefined && nowMs < version.modifiedAtMs + worm.days * 86_400_000;
}

function currentOf(request: OssRequest, bucket: OssBucket): OssVersion {
  const version = bucket.current(keyOf(request));
  if (version === undefined) {
    throw new OssRefusal(404, 'NoSuchKey', 'The specified key does not exist.', { Key: keyOf(request) });
  }
  const expected = request.headers['if-match'];
  if (expected !== undefined && expected.replaceAll('"', '') !== version.etag) {
    throw new OssRefusal(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold.');
  }
  return version;
}

function objectHeaders(bucket: OssBucket, version: OssVersion): Record<string, string> {
  return {
    ...versionHeaders(bucket, version),
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    etag: `"${version.etag}"`,
    'last-modified': new Date(version.modifiedAtMs).toUTCString(),
    'x-oss-hash-crc64ecma': version.crc64,
    'x-oss-object-type': version.type,
    'x-oss-storage-class': 'Standard',
  };
}

/** Undefined when nothing of the object lies in it. */
function parseRange(range: string, bytes: number): { start: number; end: number; clipped: boolean } | undefined {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
  if ((from === '' && to === '') || bytes === 0) return undefined;
  const start = from === '' ? bytes - Number(to) : Number(from);
  const end = from === '' || to === '' ? bytes : Number(to) + 1;
  if (start >= bytes || end <= start || (from === '' && to === '0')) return undefined;
  return { start: Math.max(0, start), end: Math.min(end, bytes), clipped: start < 0 || end > bytes };
}
