import type { Revision } from '@etcd-ops/core';

/** Versions that send all four tombstones of a revision at C also after a restart (etcd 3.4.36, 3.5.18 and later lines). */
const FIXED_PATCH: Record<string, number> = { '3.4': 36, '3.5': 18 };

/**
 * May a batch out of this version's backlog lack the tombstones of its first revision, when a compaction stands exactly there?
 * The contiguity of main revisions does not see it, since the puts of that revision still come.
 */
export function backlogNeedsGuard(version: string): boolean {
  const match = /^(?<line>\d+\.\d+)\.(?<patch>\d+)/.exec(version);
  if (match?.groups === undefined) return true;
  const { line = '', patch = '' } = match.groups;
  const fixed = FIXED_PATCH[line];
  if (fixed !== undefined) return Number(patch) < fixed;
  return Number(line.split('.')[0]) < 3 || (line.startsWith('3.') && Number(line.slice(2)) < 4);
}

/**
 * Proves that a batch which began at `first` was read above the compact revision: a linearizable read one below it, after the
 * batch came, is answered. Compaction only moves up, so it stood below when the batch was read.
 */
export async function isBacklogWhole(
  member: { readAt(revision: Revision): Promise<'ok' | 'compacted'> },
  first: Revision,
): Promise<boolean> {
  return (await member.readAt(first - 1)) === 'ok';
}
