import { EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';
import { systemErrorCode } from './local-errors.ts';
import type { OssCredentials } from './oss-credentials.ts';
import type { OssEndpoint } from './oss-endpoint.ts';
import { OssTimeoutError, type OssExchange } from './oss-transport.ts';
import { parseRetryAfter, storeFailure } from './store-failures.ts';

interface Where {
  action: string;
  key: string;
  bucket: string;
  endpoint: OssEndpoint;
  credentials: OssCredentials;
}

/** How OSS refused a request. */
interface Refusal {
  code: string;
  message: string;
  requestId: string | undefined;
  /** Where the bucket is, when it is not here. */
  endpoint: string | undefined;
}

/** Refusals after which another key may be accepted. */
const KEY_REFUSED = new Set([
  'InvalidAccessKeyId',
  'InvalidSecurityToken',
  'SecurityTokenExpired',
  'SignatureDoesNotMatch',
]);

export function isKeyRefused(code: string): boolean {
  return KEY_REFUSED.has(code);
}

/** The code of OSS's refusal; '' when there was none. */
export function ossCodeOf({ answer, failure }: OssExchange): string {
  return failure === undefined && answer !== undefined && answer.status >= 300 ? refusalOf(answer).code : '';
}

/** What went wrong with a request, for people. The SDK's errors are left out: they carry requests, and those carry tokens. */
export function ossFailure(
  { action, key, bucket, endpoint, credentials }: Where,
  { exchange, error, signal }: { exchange: OssExchange; error: unknown; signal: AbortSignal | undefined },
): EtcdOpsError {
  if (isEtcdOpsError(error)) return error;
  const { answer, failure } = exchange;
  const common = {
    action: `${action} ${key === '' ? 'the bucket' : key}`,
    store: `OSS ${bucket} at ${endpoint.url}`,
    secrets: [credentials.accessKeySecret, credentials.securityToken ?? ''],
  };
  if (signal?.aborted === true) return storeFailure({ ...common, reason: 'AbortError', detail: '' });
  if (failure !== undefined) return storeFailure({ ...common, ...reasonOf(failure) });
  if (answer === undefined || answer.status < 300) {
    return storeFailure({
      ...common,
      status: answer?.status ?? 200,
      reason: 'an answer that is not understood',
      detail: textOf(error),
    });
  }
  const refusal = refusalOf(answer);
  const elsewhere = wrongPlace(refusal, { bucket, endpoint, action: common.action });
  if (elsewhere !== undefined) return elsewhere;
  return storeFailure({
    ...common,
    status: answer.status,
    reason: refusal.code,
    detail: refusal.message,
    requestId: refusal.requestId,
    retryAfterMs: parseRetryAfter(answer.headers['retry-after'], Date.now()),
  });
}

/** OSS has no word of its own for a bucket that is elsewhere: it denies access, or finds an argument invalid. */
function wrongPlace(
  { code, message: words, requestId, endpoint: right }: Refusal,
  { bucket, endpoint, action }: { bucket: string; endpoint: OssEndpoint; action: string },
): EtcdOpsError | undefined {
  const cause = new Error(`${code}, request ${requestId ?? 'unknown'}`);
  if (code === 'AccessDenied' && right !== undefined) {
    return new EtcdOpsError('STORE_NO_BUCKET', {
      message: `${action} failed: the OSS bucket ${bucket} is not at ${endpoint.url} but at ${right}`,
      remedy: `Write ${right} into the file storageEndpoint, or give it with --store-endpoint.`,
      cause,
    });
  }
  if (code === 'InvalidArgument' && /signing region/i.test(words)) {
    return new EtcdOpsError('STORE_NO_BUCKET', {
      message: `${action} failed: ${endpoint.url} is not in the region ${endpoint.region ?? 'unknown'}`,
      remedy: 'Correct --store-region, or leave it out where the endpoint names its region.',
      cause,
    });
  }
  return undefined;
}

function refusalOf(answer: NonNullable<OssExchange['answer']>): Refusal {
  const { status, headers, body } = answer;
  const encoded = headers['x-oss-err'];
  const xml = typeof encoded === 'string' ? Buffer.from(encoded, 'base64').toString() : (body ?? '').toString();
  const found = element(xml, 'Code');
  const requestId = element(xml, 'RequestId') ?? textHeader(headers['x-oss-request-id']);
  return {
    // An answer to HEAD has no body: not found is then all that is known.
    code: found ?? (status === 404 ? 'NoSuchKey' : status === 416 ? 'InvalidRange' : `HTTP ${status}`),
    message: element(xml, 'Message') ?? '',
    requestId,
    endpoint: element(xml, 'Endpoint'),
  };
}

function reasonOf(failure: unknown): { reason: string; detail: string } {
  const detail = textOf(failure);
  if (failure instanceof OssTimeoutError) return { reason: 'TimeoutError', detail };
  const code = systemErrorCode(failure);
  // OpenSSL has many words for a handshake with something that does not speak TLS.
  if (code.startsWith('ERR_SSL_')) return { reason: 'EPROTO', detail };
  return { reason: code === '' ? 'incomplete answer' : code, detail };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function textHeader(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function element(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]{0,2000})</${name}>`).exec(xml)?.[1];
  return text === undefined || text === '' ? undefined : text;
}
