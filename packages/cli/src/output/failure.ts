import { describeError, ERROR_CODES, EtcdOpsError } from '@etcd-ops/core';

export const USAGE_EXIT_CODE = ERROR_CODES.USAGE.exit;
const UNEXPECTED_EXIT_CODE = 1;

/** Prints what happened, why and what to do; answers with the exit code that belongs to it. */
export function reportFailure(error: unknown, output: { write(text: string): unknown }): number {
  if (!(error instanceof EtcdOpsError)) {
    output.write(`etcd-ops: unexpected failure: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return UNEXPECTED_EXIT_CODE;
  }
  const reason = error.cause === undefined ? ERROR_CODES[error.code].cause : describeError(error.cause);
  output.write(`etcd-ops: ${error.message}\n  why: ${reason}\n  do:  ${error.remedy}\n  (${error.code})\n`);
  return error.exitCode;
}
