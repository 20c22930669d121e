import { createHash, createHmac } from 'node:crypto';
import type { S3Request } from './s3-request.ts';

/** What a signature of version 4 is made for, from its `Authorization` header. */
export interface S3Scope {
  /** `20130524` */
  date: string;
  region: string;
  service: string;
}

export function s3SigningKey(secret: string, { date, region, service }: S3Scope): Buffer {
  const parts = [date, region, service, 'aws4_request'];
  return parts.reduce<Buffer>((key, part) => hmac(key, part), Buffer.from(`AWS4${secret}`));
}

/** "Create a canonical request", as the S3 API reference has it. S3 takes the path as it is, encoded once. */
export function s3CanonicalRequest(request: S3Request, signedHeaders: readonly string[]): string {
  const headers = signedHeaders.map(
    (name) => `${name}:${(request.headers[name] ?? '').trim().replaceAll(/ +/g, ' ')}\n`,
  );
  return [
    request.method,
    request.path,
    canonicalQuery(request.search),
    headers.join(''),
    signedHeaders.join(';'),
    request.headers['x-amz-content-sha256'] ?? '',
  ].join('\n');
}

export function s3StringToSign(canonicalRequest: string, scope: S3Scope, timestamp: string): string {
  return ['AWS4-HMAC-SHA256', timestamp, scopeText(scope), sha256Hex(canonicalRequest)].join('\n');
}

/** Of one chunk of a payload that is signed in chunks; each is bound to the one before it. */
export function s3ChunkStringToSign(
  chunk: Uint8Array,
  { scope, timestamp, previous }: { scope: S3Scope; timestamp: string; previous: string },
): string {
  return ['AWS4-HMAC-SHA256-PAYLOAD', timestamp, scopeText(scope), previous, sha256Hex(''), sha256Hex(chunk)].join(
    '\n',
  );
}

export function s3Sign(signingKey: Buffer, stringToSign: string): string {
  return hmac(signingKey, stringToSign).toString('hex');
}

export function sha256Hex(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}

function scopeText({ date, region, service }: S3Scope): string {
  return `${date}/${region}/${service}/aws4_request`;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** Sorted by encoded name, then value; a name without a value gets an empty one. */
function canonicalQuery(search: string): string {
  return search
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
    .toSorted((left, right) => (left < right ? -1 : 1))
    .join('&');
}
