import { element, elementsOf, emptyAnswer, unescapeXml, xmlAnswer } from './oss-answer.ts';
import { S3Refusal, type S3Answer } from './s3-answer.ts';
import { checksumHeaders } from './s3-payload.ts';
import type { S3Request } from './s3-request.ts';
import type { S3Bucket, S3Object } from './s3-state.ts';

export interface S3Context {
  request: S3Request;
  bucket: S3Bucket;
  nowMs: number;
  /** What the server makes of `If-None-Match` on a put: servers differ. */
  conditions: S3Conditions;
}

export type S3Conditions = 'honoured' | 'ignored' | 'refused';
export type S3Route = (context: S3Context) => S3Answer;

export const S3_OBJECT_ROUTES: Readonly<Record<string, S3Route>> = {
  PutObject: putObject,
  GetObject: getObject,
  HeadObject: headObject,
  DeleteObject: deleteObject,
  DeleteObjects: deleteObjects,
};

function putObject(context: S3Context): S3Answer {
  const { request, bucket, nowMs } = context;
  checkCondition(context);
  const { headers } = request;
  if (bucket.defaultLock !== undefined && headers['content-md5'] === undefined && !hasChecksum(request)) {
    throw new S3Refusal(
      400,
      'InvalidRequest',
      'Content-MD5 HTTP header is required for Put Object requests with Object Lock parameters',
    );
  }
  const encryption = headers['x-amz-server-side-encryption'];
  const written = bucket.write(keyOf(request), {
    body: request.body,
    modifiedAtMs: nowMs,
    ...(encryption === undefined ? {} : { encryption }),
  });
  return emptyAnswer(200, { etag: written.etag, ...checksumHeaders(request) });
}

function getObject({ request, bucket }: S3Context): S3Answer {
  const object = currentOf(request, bucket);
  const { range } = request.headers;
  const headers = objectHeaders(object);
  if (range === undefined) return { status: 200, headers, body: object.body };
  const found = parseRange(range, object.body.length);
  if (found === undefined) {
    throw new S3Refusal(416, 'InvalidRange', 'The requested range is not satisfiable', {
      ActualObjectSize: String(object.body.length),
    });
  }
  const contentRange = `bytes ${found.start}-${found.end - 1}/${object.body.length}`;
  const body = object.body.subarray(found.start, found.end);
  return { status: 206, headers: { ...headers, 'content-range': contentRange }, body };
}

function headObject({ request, bucket }: S3Context): S3Answer {
  const object = currentOf(request, bucket);
  return emptyAnswer(200, { ...objectHeaders(object), 'content-length': String(object.body.length) });
}

function deleteObject({ request, bucket, nowMs }: S3Context): S3Answer {
  const key = keyOf(request);
  if (isLocked(bucket.object(key), nowMs)) throw new S3Refusal(403, 'AccessDenied', LOCKED);
  bucket.remove(key);
  return emptyAnswer(204);
}

const LOCKED = 'Access Denied because object protected by object lock.';

function deleteObjects({ request, bucket, nowMs }: S3Context): S3Answer {
  if (request.headers['content-md5'] === undefined && !hasChecksum(request)) {
    throw new S3Refusal(400, 'InvalidRequest', 'Missing required header for this request: Content-MD5');
  }
  const xml = request.body.toString();
  const keys = elementsOf(xml, 'Key').map(unescapeXml);
  if (keys.length === 0 || keys.length > 1000) {
    throw new S3Refusal(400, 'MalformedXML', 'The XML you provided was not well-formed or did not validate.');
  }
  const quiet = elementsOf(xml, 'Quiet')[0] === 'true';
  const results = keys.map((key) => {
    if (isLocked(bucket.object(key), nowMs)) {
      return `<Error>${element('Key', key)}${element('Code', 'AccessDenied')}${element('Message', LOCKED)}</Error>`;
    }
    bucket.remove(key);
    return quiet ? '' : `<Deleted>${element('Key', key)}</Deleted>`;
  });
  return xmlAnswer(
    'DeleteResult',
    results.filter((result) => result !== ''),
  );
}

export function keyOf(request: S3Request): string {
  if (request.key !== undefined) return request.key;
  throw new S3Refusal(405, 'MethodNotAllowed', 'The specified method is not allowed against this resource.');
}

function checkCondition({ request, bucket, conditions }: S3Context): void {
  if (request.headers['if-none-match'] === undefined || conditions === 'ignored') return;
  if (conditions === 'refused') {
    throw new S3Refusal(501, 'NotImplemented', 'A header you provided implies functionality that is not implemented.');
  }
  if (bucket.object(keyOf(request)) === undefined) return;
  throw new S3Refusal(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    Condition: 'If-None-Match',
  });
}

function currentOf(request: S3Request, bucket: S3Bucket): S3Object {
  const object = bucket.object(keyOf(request));
  if (object === undefined) {
    throw new S3Refusal(404, 'NoSuchKey', 'The specified key does not exist.', { Key: keyOf(request) });
  }
  const expected = request.headers['if-match'];
  if (expected === undefined || expected === object.etag) return object;
  throw new S3Refusal(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    Condition: 'If-Match',
  });
}

function objectHeaders({ etag, modifiedAtMs, lock, encryption }: S3Object): Record<string, string> {
  return {
    etag,
    'accept-ranges': 'bytes',
    'last-modified': new Date(modifiedAtMs).toUTCString(),
    ...(encryption === undefined ? {} : { 'x-amz-server-side-encryption': encryption }),
    ...(lock === undefined
      ? {}
      : {
          'x-amz-object-lock-mode': lock.mode,
          'x-amz-object-lock-retain-until-date': new Date(lock.retainUntilMs).toISOString(),
          'x-amz-object-lock-legal-hold': lock.legalHold ? 'ON' : 'OFF',
        }),
  };
}

function isLocked(object: S3Object | undefined, nowMs: number): boolean {
  return object?.lock !== undefined && (object.lock.legalHold || object.lock.retainUntilMs > nowMs);
}

function hasChecksum(request: S3Request): boolean {
  return Object.keys(checksumHeaders(request)).length > 0;
}

/** Clipped to the object; undefined when nothing of it lies in the range. */
function parseRange(range: string, bytes: number): { start: number; end: number } | undefined {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
  if (from === '' && to === '') return { start: 0, end: bytes };
  const start = from === '' ? Math.max(0, bytes - Number(to)) : Number(from);
  const end = from === '' || to === '' ? bytes : Math.min(bytes, Number(to) + 1);
  return start >= bytes || end <= start ? undefined : { start, end };
}
