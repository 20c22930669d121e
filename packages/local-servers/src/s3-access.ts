import { timingSafeEqual } from 'node:crypto';
import { S3Refusal } from './s3-answer.ts';
import type { PayloadSignature } from './s3-payload.ts';
import type { S3Request } from './s3-request.ts';
import { s3CanonicalRequest, s3Sign, s3SigningKey, s3StringToSign } from './s3-signature.ts';

export interface S3Account {
  accessKeyId: string;
  secretAccessKey: string;
  /** Temporary credentials carry a token and end. */
  sessionToken?: string;
  expiresAtMs?: number;
  /** Operations that this key may not do; `*` for all. */
  denied?: string[];
}

const CLOCK_SKEW_MAX_MS = 15 * 60_000;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request,\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]{64})$/;
/** All `x-amz-` headers and the host must be signed, else they could be changed on the way. */
const MUST_BE_SIGNED = /^(host|x-amz-.*)$/;

/** @throws S3Refusal unless one of the accounts signed this very request a moment ago and may do what it asks. */
export function checkS3Access(
  request: S3Request,
  { accounts, region, nowMs }: { accounts: readonly S3Account[]; region: string; nowMs: number },
): PayloadSignature {
  const match = AUTHORIZATION.exec(request.headers['authorization'] ?? '');
  if (request.headers['authorization'] === undefined) throw new S3Refusal(403, 'AccessDenied', 'Access Denied');
  if (match === null) {
    throw new S3Refusal(400, 'AuthorizationHeaderMalformed', 'The authorization header is malformed.');
  }
  const [, keyId = '', date = '', givenRegion = '', service = '', signedHeaders = '', given = ''] = match;
  const account = findAccount(keyId, request, { accounts, nowMs });
  const scope = { date, region: givenRegion, service };
  if (givenRegion !== region || service !== 's3') {
    const message = `The authorization header is malformed; the region '${givenRegion}' is wrong; expecting '${region}'`;
    throw new S3Refusal(400, 'AuthorizationHeaderMalformed', message, { Region: region });
  }
  const timestamp = request.headers['x-amz-date'] ?? '';
  checkClock(timestamp, nowMs);
  const names = signedHeaders.split(';');
  const unsigned = Object.keys(request.headers).find((name) => MUST_BE_SIGNED.test(name) && !names.includes(name));
  if (unsigned !== undefined || !timestamp.startsWith(date)) {
    throw new S3Refusal(403, 'AccessDenied', 'There were headers present in the request which were not signed', {
      HeadersNotSigned: unsigned ?? 'x-amz-date',
    });
  }
  const signingKey = s3SigningKey(account.secretAccessKey, scope);
  const canonical = s3CanonicalRequest(request, names);
  const right = s3Sign(signingKey, s3StringToSign(canonical, scope, timestamp));
  compare(given, right, canonical);
  if (account.denied?.some((operation) => operation === '*' || operation === request.operation) === true) {
    throw new S3Refusal(403, 'AccessDenied', 'Access Denied');
  }
  return { signingKey, scope, timestamp, signature: right };
}

function findAccount(
  keyId: string,
  request: S3Request,
  { accounts, nowMs }: { accounts: readonly S3Account[]; nowMs: number },
): S3Account {
  const account = accounts.find(({ accessKeyId }) => accessKeyId === keyId);
  if (account === undefined) {
    const message = 'The AWS Access Key Id you provided does not exist in our records.';
    throw new S3Refusal(403, 'InvalidAccessKeyId', message, { AWSAccessKeyId: keyId });
  }
  if (account.sessionToken !== request.headers['x-amz-security-token']) {
    throw new S3Refusal(400, 'InvalidToken', 'The provided token is malformed or otherwise invalid.');
  }
  if (account.expiresAtMs !== undefined && account.expiresAtMs <= nowMs) {
    throw new S3Refusal(400, 'ExpiredToken', 'The provided token has expired.', {
      'Token-0': account.sessionToken ?? '',
    });
  }
  return account;
}

function checkClock(timestamp: string, nowMs: number): void {
  const [year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp)?.slice(1) ?? [];
  const signedAtMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Math.abs(signedAtMs - nowMs) <= CLOCK_SKEW_MAX_MS) return;
  const message = 'The difference between the request time and the current time is too large.';
  throw new S3Refusal(403, 'RequestTimeTooSkewed', message, {
    RequestTime: timestamp,
    ServerTime: new Date(nowMs).toISOString(),
    MaxAllowedSkewMilliseconds: String(CLOCK_SKEW_MAX_MS),
  });
}

/** Like the real one, the refusal repeats what was signed: a session token is part of it. */
function compare(given: string, right: string, signed: string): void {
  const [left, expected] = [Buffer.from(given), Buffer.from(right)];
  if (left.length === expected.length && timingSafeEqual(left, expected)) return;
  const message =
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.';
  throw new S3Refusal(403, 'SignatureDoesNotMatch', message, { SignatureProvided: given, CanonicalRequest: signed });
}
