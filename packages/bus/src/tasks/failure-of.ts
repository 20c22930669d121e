import { ERROR_CODES, isEtcdOpsError } from '@etcd-ops/core';
import type { Failure } from '../messages/failure.ts';

/** What may be told: the message of our own errors. Others may quote anything, so only their name is passed on. */
export function failureOf(error: unknown): Failure {
  if (isEtcdOpsError(error)) {
    const { code, message, remedy } = error;
    const failure = { code, message: message.slice(0, 4096) };
    return remedy === ERROR_CODES[code].remedy ? failure : { ...failure, remedy: remedy.slice(0, 1024) };
  }
  const name = error instanceof Error ? error.name : typeof error;
  return { code: 'INTERNAL', message: `Unexpected ${name}; the log of the worker has the details.` };
}
