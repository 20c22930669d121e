import { ERROR_CODES, EtcdOpsError, isEtcdOpsError, type ErrorCode } from '@etcd-ops/core';
import { z } from 'zod';

/** The body of every failed answer. Codes are those of the registry of core, and INTERNAL. */
export const apiErrorSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    remedy: z.string().exactOptional(),
    /** What is wrong with which field of the request. */
    issues: z.array(z.object({ path: z.string(), message: z.string() })).exactOptional(),
  }),
});
export type ApiErrorBody = z.infer<typeof apiErrorSchema>;

/** As HTTP would say it, for tools that show the NATS service error code. */
export function statusOf(body: ApiErrorBody): number {
  const { code } = body.error;
  if (!isErrorCode(code)) return 500;
  if (ERROR_CODES[code].exit === 2) return 400;
  if (code === 'STORE_NOT_FOUND' || ERROR_CODES[code].exit === 5 || ERROR_CODES[code].exit === 6) return 404;
  if (ERROR_CODES[code].exit === 7) return 409;
  return ERROR_CODES[code].retriable ? 503 : 500;
}

/** Only our own errors speak for themselves: the text of any other might hold a secret. */
export function errorBody(error: unknown): ApiErrorBody {
  if (isEtcdOpsError(error)) return { error: { code: error.code, message: error.message, remedy: error.remedy } };
  return { error: { code: 'INTERNAL', message: 'Unexpected error; the log of the service has the details.' } };
}

/** The failure that an answer tells of, as the error it was at the other side. */
export function errorOf(body: ApiErrorBody): EtcdOpsError {
  const { code, message, remedy } = body.error;
  if (!isErrorCode(code)) return new EtcdOpsError('BUS_FAILED', { message: `${code}: ${message}` });
  return new EtcdOpsError(code, { message, ...(remedy === undefined ? {} : { remedy }) });
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}
