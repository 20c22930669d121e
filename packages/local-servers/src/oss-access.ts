import { timingSafeEqual } from 'node:crypto';
import { OssRefusal } from './oss-answer.ts';
import type { OssRequest } from './oss-request.ts';
import { ossCanonicalRequestV4, ossSignatureV1, ossSignatureV4, ossStringToSignV1 } from './oss-signature.ts';

export interface OssAccount {
  accessKeyId: string;
  accessKeySecret: string;
  /** Temporary credentials carry a token and end. */
  securityToken?: string;
  expiresAtMs?: number;
  /** Operations that this key may not do; `*` for all. */
  denied?: string[];
}

/** What the server takes: the old signature, the new one, or both. */
export type OssSignatureVersion = 'V1' | 'V4';

const CLOCK_SKEW_MAX_MS = 15 * 60_000;
const V4_HEADER =
  /^OSS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aliyun_v4_request,\s*(?:AdditionalHeaders=([^,]*),\s*)?Signature=([0-9a-f]{64})$/;

/** @throws OssRefusal unless one of the accounts signed this very request a moment ago and may do what it asks. */
export function checkOssAccess(
  request: OssRequest,
  context: {
    accounts: readonly OssAccount[];
    region: string;
    nowMs: number;
    versions: readonly OssSignatureVersion[];
  },
): void {
  const header = request.headers['authorization'];
  if (header === undefined) throw new OssRefusal(403, 'AccessDenied', 'You have no right to access this object.');
  const account = header.startsWith('OSS4-') ? checkV4(request, header, context) : checkV1(request, header, context);
  if (account.denied?.some((operation) => operation === '*' || operation === request.operation) === true) {
    throw new OssRefusal(403, 'AccessDenied', 'You have no right to access this object because of bucket acl.');
  }
}

type Context = Parameters<typeof checkOssAccess>[1];

function checkV1(request: OssRequest, header: string, context: Context): OssAccount {
  const [, keyId, given] = /^OSS ([^:]+):(.+)$/.exec(header) ?? [];
  if (keyId === undefined || given === undefined || !context.versions.includes('V1')) throw badHeader();
  const date = request.headers['x-oss-date'] ?? request.headers['date'] ?? '';
  const account = findAccount(keyId, request, context);
  checkClock(Date.parse(date), context.nowMs);
  compare(given, ossSignatureV1(account.accessKeySecret, request, date), ossStringToSignV1(request, date));
  return account;
}

function checkV4(request: OssRequest, header: string, context: Context): OssAccount {
  const match = V4_HEADER.exec(header);
  if (match === null || !context.versions.includes('V4')) throw badHeader();
  const [, keyId = '', date = '', region = '', product = '', additional = '', given = ''] = match;
  const account = findAccount(keyId, request, context);
  if (region !== context.region || product !== 'oss') {
    throw new OssRefusal(400, 'InvalidArgument', `Invalid signing region in Authorization header.`, {
      ArgumentName: 'Region',
      ArgumentValue: region,
    });
  }
  const timestamp = request.headers['x-oss-date'] ?? '';
  const [year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp)?.slice(1) ?? [];
  checkClock(Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`), context.nowMs);
  if (!timestamp.startsWith(date)) throw badHeader();
  const chosen = additional.split(';').filter((name) => name !== '');
  const right = ossSignatureV4(account.accessKeySecret, request, {
    scope: { date, region, product },
    additional: chosen,
  });
  compare(given, right, ossCanonicalRequestV4(request, chosen));
  return account;
}

function findAccount(keyId: string, request: OssRequest, { accounts, nowMs }: Context): OssAccount {
  const account = accounts.find(({ accessKeyId }) => accessKeyId === keyId);
  if (account === undefined) {
    const message = 'The OSS Access Key Id you provided does not exist in our records.';
    throw new OssRefusal(403, 'InvalidAccessKeyId', message, { OSSAccessKeyId: keyId });
  }
  if (account.securityToken !== request.headers['x-oss-security-token']) {
    throw new OssRefusal(403, 'InvalidSecurityToken', 'The security token you provided is invalid.');
  }
  if (account.expiresAtMs !== undefined && account.expiresAtMs <= nowMs) {
    throw new OssRefusal(403, 'SecurityTokenExpired', 'The security token you provided has expired.');
  }
  return account;
}

function checkClock(signedAtMs: number, nowMs: number): void {
  if (Math.abs(signedAtMs - nowMs) <= CLOCK_SKEW_MAX_MS) return;
  const message = 'The difference between the request time and the current time is too large.';
  throw new OssRefusal(403, 'RequestTimeTooSkewed', message, {
    RequestTime: Number.isNaN(signedAtMs) ? '' : new Date(signedAtMs).toISOString(),
    ServerTime: new Date(nowMs).toISOString(),
  });
}

/** Like the real one, the refusal repeats what was signed: a security token is part of it. */
function compare(given: string, right: string, signed: string): void {
  const [left, expected] = [Buffer.from(given), Buffer.from(right)];
  if (left.length === expected.length && timingSafeEqual(left, expected)) return;
  const message =
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.';
  throw new OssRefusal(403, 'SignatureDoesNotMatch', message, { SignatureProvided: given, StringToSign: signed });
}

function badHeader(): OssRefusal {
  return new OssRefusal(400, 'InvalidArgument', 'Authorization header is invalid.');
}
