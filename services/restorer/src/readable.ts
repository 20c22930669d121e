import { isEtcdOpsError } from '@etcd-ops/core';

/** No stream yet, or a document of another version: nothing that a status should fail for. */
export async function readable<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isEtcdOpsError(error, 'BUS_FAILED') || isEtcdOpsError(error, 'BUS_MESSAGE_INVALID')) return undefined;
    throw error;
  }
}
