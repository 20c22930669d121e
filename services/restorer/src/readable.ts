import { isEtcdOpsError } from '@etcd-ops/core';

/** No stream yet, or a document of another version: nothing that a status should fail for. */
export async function readable<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    const isPassedOver = (['BUS_FAILED', 'BUS_MESSAGE_INVALID', 'BUS_VERSION_UNKNOWN'] as const).some((code) =>
      isEtcdOpsError(error, code),
    );
    if (isPassedOver) return undefined;
    throw error;
  }
}
