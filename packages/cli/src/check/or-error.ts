import { isEtcdOpsError, type EtcdOpsError } from '@etcd-ops/core';

/** A failure is a finding; only being cancelled, and bugs, end the check. */
export async function orError<T>(work: () => Promise<T>): Promise<T | EtcdOpsError> {
  try {
    return await work();
  } catch (error) {
    if (isEtcdOpsError(error) && error.code !== 'CANCELLED') return error;
    throw error;
  }
}
