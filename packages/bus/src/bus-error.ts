import { EtcdOpsError, isEtcdOpsError } from '@etcd-ops/core';
import { ErrorCode, NatsError } from 'nats';

/** JetStream's own error codes that we decide by. Source: nats-server server/errors.json. */
export const API_ERROR = {
  /** Too few nodes to hold the replicas, or nodes that the leader has not heard of yet. */
  noPeers: 10005,
  jetStreamUnavailable: 10008,
  consumerNotFound: 10014,
  messageNotFound: 10037,
  messageTooBig: 10054,
  streamNameInUse: 10058,
  streamNotFound: 10059,
  wrongLastSequence: 10071,
  /** Subject occupied, stream full by bytes or by messages, or a failed write: the text tells which. */
  storeFailed: 10077,
  consumerExists: 10148,
} as const;

/**
 * The JetStream error code in an error of the client. The client's own `code` is useless for this: "503" is
 * the code of an occupied subject, of a full stream, of no responder and of an absent JetStream alike.
 */
export function apiErrorCode(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined;
}

/** True when the server refused for certain; everything else (timeout, disconnect, 10008) is an unknown outcome. */
export function isDefiniteRefusal(error: unknown): boolean {
  if (error instanceof NatsError && error.isPermissionError()) return true;
  const code = apiErrorCode(error);
  return code !== undefined && code !== API_ERROR.jetStreamUnavailable;
}

export function isApiError(error: unknown, code: number): boolean {
  return apiErrorCode(error) === code;
}

/** The server's own words; the client replaces those of a "503" by words that mislead. */
export function apiErrorText(error: unknown): string {
  const description = error instanceof NatsError ? error.api_error?.description : undefined;
  return description ?? (error instanceof Error ? error.message : String(error));
}

/** Wraps what the client threw. `what` says what was tried: "Publishing to X". */
export function toBusError(error: unknown, what: string): EtcdOpsError {
  if (isEtcdOpsError(error)) return error;
  const code = apiErrorCode(error);
  const text = apiErrorText(error);
  if (code !== undefined && code !== API_ERROR.jetStreamUnavailable) {
    return new EtcdOpsError('BUS_FAILED', { message: `${what}: ${text} (JetStream ${code})`, cause: error });
  }
  if (error instanceof NatsError && error.code === ErrorCode.NoResponders) {
    return new EtcdOpsError('BUS_UNREACHABLE', {
      message: `${what}: nobody answered`,
      remedy: 'Check that JetStream is enabled and that the service asked for runs.',
      cause: error,
    });
  }
  if (error instanceof NatsError && isRefusedLogin(error)) {
    return new EtcdOpsError('BUS_UNREACHABLE', {
      message: `${what}: NATS refused the credentials or their rights`,
      remedy: 'Check the token, user or credentials file given for NATS.',
      cause: error,
    });
  }
  return new EtcdOpsError('BUS_UNREACHABLE', { message: `${what}: ${text}`, cause: error });
}

function isRefusedLogin(error: NatsError): boolean {
  return error.isAuthError() || error.isPermissionError();
}

export function cancelled(what: string, signal?: AbortSignal): EtcdOpsError {
  const cause: unknown = signal?.reason;
  return new EtcdOpsError('CANCELLED', { message: `${what} was cancelled`, ...(cause === undefined ? {} : { cause }) });
}
