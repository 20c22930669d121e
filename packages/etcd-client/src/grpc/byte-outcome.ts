import { constants, type IncomingHttpHeaders } from 'node:http2';
import { status } from '@grpc/grpc-js';
import type { CallStatus } from './etcd-failure.ts';

type Outcome = readonly [status, string];

/** Source: gRPC's doc/http-grpc-status-mapping.md. */
const BY_HTTP_STATUS: Readonly<Record<number, status>> = {
  400: status.INTERNAL,
  401: status.UNAUTHENTICATED,
  403: status.PERMISSION_DENIED,
  404: status.UNIMPLEMENTED,
  429: status.UNAVAILABLE,
  502: status.UNAVAILABLE,
  503: status.UNAVAILABLE,
  504: status.UNAVAILABLE,
};

/** Source: gRPC's doc/PROTOCOL-HTTP2.md, "Errors". */
const BY_RESET: Readonly<Record<number, Outcome>> = {
  [constants.NGHTTP2_NO_ERROR]: [status.INTERNAL, 'the call ended without a status'],
  [constants.NGHTTP2_INTERNAL_ERROR]: [status.INTERNAL, 'the server reports an internal error'],
  [constants.NGHTTP2_REFUSED_STREAM]: [status.UNAVAILABLE, 'the server takes no further call'],
  [constants.NGHTTP2_CANCEL]: [status.CANCELLED, 'the server cancelled the call'],
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: [status.RESOURCE_EXHAUSTED, 'the server asks for fewer calls'],
  [constants.NGHTTP2_INADEQUATE_SECURITY]: [status.PERMISSION_DENIED, 'the server asks for stronger TLS'],
};

/** What gRPC says of a call in its trailers, or in headers that are all there is; undefined when it says nothing. */
export function outcomeOfHeaders(headers: IncomingHttpHeaders): CallStatus | undefined {
  const { 'grpc-status': code, 'grpc-message': message } = headers;
  if (code === undefined) return undefined;
  const details = percentDecoded(String(message ?? ''));
  const known = Object.values(status).find((value) => String(value) === code);
  if (typeof known === 'number') return { code: known, details };
  return { code: status.UNKNOWN, details: `${String(code)} is no status of gRPC. ${details}` };
}

/** Of an answer that is none of gRPC's, such as a proxy's; undefined when it is one. */
export function outcomeOfResponse(headers: IncomingHttpHeaders): CallStatus | undefined {
  const { ':status': httpStatus, 'content-type': type } = headers;
  if (Number(httpStatus) !== constants.HTTP_STATUS_OK) {
    const code = BY_HTTP_STATUS[Number(httpStatus)] ?? status.UNKNOWN;
    return { code, details: `HTTP status ${String(httpStatus)} instead of an answer of etcd` };
  }
  if (type?.startsWith('application/grpc') === true) return undefined;
  return { code: status.UNKNOWN, details: `an answer of type ${type ?? 'unknown'} instead of one of etcd` };
}

/** Of a stream that was closed before its status came. */
export function outcomeOfReset(rstCode: number): CallStatus {
  const [code, details] = BY_RESET[rstCode] ?? [status.INTERNAL, 'the server broke off the call'];
  return { code, details: rstCode === constants.NGHTTP2_NO_ERROR ? details : `${details} (HTTP/2 code ${rstCode})` };
}

/** Of a connection that could not be made, or was lost. */
export function outcomeOfLoss(error: unknown): CallStatus {
  return { code: status.UNAVAILABLE, details: error === undefined ? 'the connection was lost' : textOf(error) };
}

function textOf(error: unknown): string {
  // A name with several addresses fails once for each.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(textOf).join('; ');
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined || error.message.includes(code) ? error.message : `${error.message} (${code})`;
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
