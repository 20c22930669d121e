import { isEtcdOpsError } from '../base/errors.ts';

/** Whether an object is well, but encrypted for somebody else than this process: that is no damage, and no proof either. */
export function isUnreadableHere(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (isEtcdOpsError(at, 'IDENTITY_MISSING')) return true;
  }
  return false;
}
