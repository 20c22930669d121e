import { EtcdOpsError } from '@etcd-ops/core';
import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize, sep } from 'node:path';

/** Where a target really is. */
export interface PlaceBelowRoot {
  /** The real path of the root. */
  root: string;
  /** The real path of the target, as far as it exists. */
  path: string;
}

/**
 * Refuses a target that does not lie below one of the roots. Symbolic links are followed as far as the path exists: the real place
 * counts, and not the name. What is true now may be otherwise in a moment: who writes goes there by `withPinnedTargets`.
 * @throws EtcdOpsError TARGET_REFUSED
 */
export async function assertBelowRoots(target: string, roots: readonly string[]): Promise<PlaceBelowRoot> {
  if (!isAbsolute(target)) throw refused(target, 'it is not an absolute path');
  if (target.includes('\0')) throw refused(target, 'it is no path');
  if (roots.length === 0) throw refused(target, 'this restorer has no restore roots (ETCD_OPS_RESTORE_ROOTS)');
  const real = await realPathOf(normalize(target));
  for (const root of roots) {
    const realRoot = await realpath(root).catch(() => undefined);
    // The root itself is no target either: a restore renames its directory into place.
    if (realRoot !== undefined && real.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep)) {
      return { root: realRoot, path: real };
    }
  }
  throw refused(target, 'it lies outside of the restore roots');
}

/** The real path of what exists of it, and the rest as it is. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    // A dangling link exists and would be followed by whoever makes it: it must not pass as "not there yet".
    if (code !== 'ENOENT' || (await isLink(path))) throw refused(path, 'its real place cannot be told');
    const parent = dirname(path);
    if (parent === path) return path;
    return join(await realPathOf(parent), basename(path));
  }
}

async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
}

export function refused(target: string, reason: string): EtcdOpsError {
  return new EtcdOpsError('TARGET_REFUSED', {
    message: `${JSON.stringify(target.slice(0, 400))} is refused: ${reason}`,
  });
}
