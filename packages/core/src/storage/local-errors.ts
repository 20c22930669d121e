import { EtcdOpsError, isEtcdOpsError } from '../base/errors.ts';

const REMEDIES: Record<string, string> = {
  ENOSPC: 'The file system is full: free space there, or lower the retention (max-backups).',
  EDQUOT: 'The disk quota is used up: raise it, or lower the retention (max-backups).',
  EACCES: 'The user that etcd-ops runs as needs read, write and search rights on the bucket directory.',
  EPERM: 'The user that etcd-ops runs as needs read, write and search rights on the bucket directory.',
  EROFS: 'The file system is mounted read-only: mount it writable, or look into the kernel log for the reason.',
  EIO: 'The disk fails: look into the kernel log, and do not trust what lies on it.',
  EMFILE: 'Too many open files: raise the limit of the process (ulimit -n).',
  ENFILE: 'Too many open files on this machine.',
  ENOTDIR: 'A file lies where a directory must be: move it away.',
  ESTALE: 'The network file system lost the directory: mount it again.',
};

/** The code that node:fs puts on an error (`ENOENT`); '' for other errors. */
export function systemErrorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** True when there is nothing of that name; a file where a folder of the path should be means the same to a reader. */
export function isNotThere(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error));
}

/** Puts the failure of a file operation on `key` into the words of the store contract. */
export function storeError(action: string, key: string, error: unknown): EtcdOpsError {
  if (isEtcdOpsError(error)) return error;
  const code = systemErrorCode(error);
  if (error instanceof Error && error.name === 'AbortError') {
    return new EtcdOpsError('CANCELLED', { message: `${action} ${key} was cancelled`, cause: error });
  }
  if (code === 'ENOENT') {
    return new EtcdOpsError('STORE_NOT_FOUND', {
      message: `The object ${key} does not exist`,
      facts: { key },
      cause: error,
    });
  }
  if (code === 'ENAMETOOLONG') {
    return new EtcdOpsError('STORE_KEY_INVALID', {
      message: `The object key ${key} is too long for this file system`,
      cause: error,
    });
  }
  const remedy = REMEDIES[code];
  const facts = { key };
  const message = `${action} ${key} failed${code === '' ? '' : ` (${code})`}`;
  return new EtcdOpsError(
    'STORE_FAILED',
    remedy === undefined ? { message, facts, cause: error } : { message, remedy, facts, cause: error },
  );
}

export function throwIfAborted(signal: AbortSignal | undefined, action: string, key: string): void {
  if (!signal?.aborted) return;
  throw new EtcdOpsError('CANCELLED', { message: `${action} ${key} was cancelled`, cause: signal.reason });
}
