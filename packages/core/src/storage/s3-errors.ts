import type { EtcdOpsError } from '../base/errors.ts';
import { parseRetryAfter, storeFailure } from './store-failures.ts';

/** The parts of what the SDK throws that may be told; the rest holds requests with their signatures. */
export interface S3Failure {
  reason: string;
  detail: string;
  status: number | undefined;
  requestId: string | undefined;
  retryAfterMs: number | undefined;
  /** The SDK has learned how far the clocks are apart: the same request would be signed with the server's time now. */
  clockCorrected: boolean;
}

/** Reasons that say nothing beyond the status: an answer without a body has no more. */
const EMPTY_REASONS = ['Unknown', 'UnknownError', 'Error', 'S3ServiceException', 'BadRequest', ''];

export function readS3Failure(error: unknown): S3Failure {
  const thrown = (typeof error === 'object' && error !== null ? error : {}) as {
    name?: string;
    Code?: string;
    code?: string;
    message?: string;
    $metadata?: { httpStatusCode?: number; requestId?: string; clockSkewCorrected?: boolean };
    $response?: { statusCode?: number; headers?: Record<string, string | undefined> };
  };
  const status = thrown.$metadata?.httpStatusCode ?? thrown.$response?.statusCode;
  const known = [thrown.Code, status === undefined ? thrown.code : undefined, thrown.name];
  const reason = known.find((word) => word !== undefined && !EMPTY_REASONS.includes(word));
  return {
    reason: reason ?? (status === undefined ? 'connection' : `HTTP ${status}`),
    detail: thrown.message ?? '',
    status,
    requestId: thrown.$metadata?.requestId,
    retryAfterMs: parseRetryAfter(thrown.$response?.headers?.['retry-after'], Date.now()),
    clockCorrected: thrown.$metadata?.clockSkewCorrected === true,
  };
}

export function s3StoreFailure(
  failure: S3Failure,
  { action, store, secrets }: { action: string; store: string; secrets: readonly string[] },
): EtcdOpsError {
  return storeFailure({ ...failure, action, store, secrets });
}
