import { EtcdOpsError } from '../base/errors.ts';
import type { ErrorCode } from '../base/error-codes.ts';

/** What is known of a request that failed. */
export interface RequestFailure {
  /** `Writing prod/t00000001/full/...`: what was wanted, with the key. */
  action: string;
  /** As the bucket describes itself: `S3 backups at https://s3.example.com`. */
  store: string;
  /** HTTP status of the answer; undefined when there was none. */
  status?: number | undefined;
  /** The service's own word (`NoSuchBucket`), or the system's (`ECONNREFUSED`). */
  reason: string;
  /** In the server's or library's words; what it holds of `secrets` is taken out. */
  detail: string;
  requestId?: string | undefined;
  /** What the server asks to wait. */
  retryAfterMs?: number | undefined;
  /** Texts that must not be told. */
  secrets?: readonly string[];
}

const DETAIL_CHARACTERS_MAX = 300;
const RETRY_AFTER_MS_MAX = 10 * 60_000;

/** The store asked for patience. */
export class StoreBusyError extends EtcdOpsError {
  readonly retryAfterMs: number;

  constructor(details: { message: string; cause: unknown }, retryAfterMs: number) {
    super('STORE_BUSY', details);
    this.retryAfterMs = Math.min(retryAfterMs, RETRY_AFTER_MS_MAX);
  }
}

/** The words of S3 and OSS (which took most of them over) and of node, by what their reader has to do. */
const CODE_OF_REASON: Readonly<Record<string, ErrorCode>> = {
  NoSuchBucket: 'STORE_NO_BUCKET',
  PermanentRedirect: 'STORE_NO_BUCKET',
  TemporaryRedirect: 'STORE_NO_BUCKET',
  AuthorizationHeaderMalformed: 'STORE_NO_BUCKET',
  IllegalLocationConstraintException: 'STORE_NO_BUCKET',
  InvalidBucketName: 'STORE_NO_BUCKET',
  NoSuchKey: 'STORE_NOT_FOUND',
  NoSuchUpload: 'STORE_NOT_FOUND',
  NotFound: 'STORE_NOT_FOUND',
  AccessDenied: 'STORE_DENIED',
  Forbidden: 'STORE_DENIED',
  AccessForbidden: 'STORE_DENIED',
  AllAccessDisabled: 'STORE_DENIED',
  AccountProblem: 'STORE_DENIED',
  UserDisable: 'STORE_DENIED',
  FileImmutable: 'STORE_DENIED',
  InvalidAccessKeyId: 'STORE_CREDENTIALS',
  SignatureDoesNotMatch: 'STORE_CREDENTIALS',
  ExpiredToken: 'STORE_CREDENTIALS',
  ExpiredTokenException: 'STORE_CREDENTIALS',
  InvalidToken: 'STORE_CREDENTIALS',
  TokenRefreshRequired: 'STORE_CREDENTIALS',
  SecurityTokenExpired: 'STORE_CREDENTIALS',
  InvalidSecurityToken: 'STORE_CREDENTIALS',
  CredentialsProviderError: 'STORE_CREDENTIALS',
  RequestTimeTooSkewed: 'STORE_CLOCK_SKEW',
  SlowDown: 'STORE_BUSY',
  Throttling: 'STORE_BUSY',
  ThrottlingException: 'STORE_BUSY',
  TooManyRequests: 'STORE_BUSY',
  ServiceUnavailable: 'STORE_BUSY',
  InternalError: 'STORE_BUSY',
  ConditionalRequestConflict: 'STORE_BUSY',
  OperationAborted: 'STORE_BUSY',
  RequestTimeout: 'STORE_UNREACHABLE',
  TimeoutError: 'STORE_UNREACHABLE',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'STORE_TLS',
  SELF_SIGNED_CERT_IN_CHAIN: 'STORE_TLS',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'STORE_TLS',
  UNABLE_TO_GET_ISSUER_CERT: 'STORE_TLS',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'STORE_TLS',
  CERT_HAS_EXPIRED: 'STORE_TLS',
  CERT_NOT_YET_VALID: 'STORE_TLS',
  ERR_TLS_CERT_ALTNAME_INVALID: 'STORE_TLS',
  EPROTO: 'STORE_TLS',
};

const REMEDY_OF_REASON: Readonly<Record<string, string>> = {
  ExpiredToken:
    'The session token has run out: renew it where it comes from; a changed file is picked up without a restart.',
  SecurityTokenExpired:
    'The session token has run out: renew it where it comes from; a changed file is picked up without a restart.',
  PermanentRedirect: 'The bucket lies elsewhere: correct --store-region or --store-endpoint.',
  AuthorizationHeaderMalformed: 'The bucket lies in another region: correct --store-region.',
  SignatureDoesNotMatch: 'The secret does not fit the access key (and a proxy must not change requests).',
};

/** Puts a failed request into the words of the store contract. Never chains what a library threw: it may hold headers with signatures. */
export function storeFailure(failure: RequestFailure): EtcdOpsError {
  const { action, store, status, reason, requestId } = failure;
  const detail = withoutSecrets(failure.detail, failure.secrets ?? []);
  if (reason === 'AbortError') return new EtcdOpsError('CANCELLED', { message: `${action} was cancelled` });
  const code = CODE_OF_REASON[reason] ?? codeOfStatus(status);
  const answer = [
    reason,
    status === undefined ? '' : `HTTP ${status}`,
    requestId === undefined ? '' : `request ${requestId}`,
  ];
  const cause = new Error(`${answer.filter((part) => part !== '').join(', ')}: ${detail}`);
  const message = `${action} failed at ${store}: ${withoutSecrets(sentenceOf(reason, code), failure.secrets ?? [])}`;
  if (code === 'STORE_BUSY' && failure.retryAfterMs !== undefined) {
    return new StoreBusyError({ message, cause }, failure.retryAfterMs);
  }
  const remedy = REMEDY_OF_REASON[reason];
  return new EtcdOpsError(code, { message, cause, ...(remedy === undefined ? {} : { remedy }) });
}

/** The wait that an answer's `Retry-After` asks for: seconds or a date. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  const waitMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - nowMs;
  return Number.isFinite(waitMs) && waitMs >= 0 ? waitMs : undefined;
}

/** Without an answer the connection is at fault: node has many words for that. */
function codeOfStatus(status: number | undefined): ErrorCode {
  if (status === undefined) return 'STORE_UNREACHABLE';
  if (status === 408) return 'STORE_UNREACHABLE';
  if (status === 429 || status >= 500) return status === 501 ? 'STORE_REFUSED' : 'STORE_BUSY';
  if (status === 401 || status === 403) return 'STORE_DENIED';
  if (status === 404) return 'STORE_NOT_FOUND';
  if (status >= 300 && status < 400) return 'STORE_NO_BUCKET';
  return status >= 400 ? 'STORE_REFUSED' : 'STORE_FAILED';
}

function sentenceOf(reason: string, code: ErrorCode): string {
  switch (code) {
    case 'STORE_NO_BUCKET':
      return `there is no such bucket here (${reason})`;
    case 'STORE_NOT_FOUND':
      return 'it does not exist';
    case 'STORE_DENIED':
      return `access denied (${reason})`;
    case 'STORE_CREDENTIALS':
      return `the credentials are not accepted (${reason})`;
    case 'STORE_CLOCK_SKEW':
      return 'the clocks differ too much';
    case 'STORE_TLS':
      return `the certificate is not trusted (${reason})`;
    case 'STORE_UNREACHABLE':
      return `the connection failed (${reason})`;
    case 'STORE_BUSY':
      return `the store is busy or out of order (${reason})`;
    default:
      return reason;
  }
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) if (secret !== '') clean = clean.replaceAll(secret, '***');
  return clean.length > DETAIL_CHARACTERS_MAX ? `${clean.slice(0, DETAIL_CHARACTERS_MAX)}...` : clean;
}
