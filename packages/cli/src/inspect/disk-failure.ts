import { EtcdOpsError, isEtcdOpsError } from '@etcd-ops/core';

/** What the system refuses (no right to read, a disk that fails) is no defect of ours. */
export function asDiskFailure(error: unknown, path: string): unknown {
  if (isEtcdOpsError(error) || !(error instanceof Error) || !('syscall' in error)) return error;
  return new EtcdOpsError('DISK_FAILED', {
    message: `${path} cannot be read`,
    remedy: 'Check who may read it, and the disk.',
    cause: error,
  });
}
