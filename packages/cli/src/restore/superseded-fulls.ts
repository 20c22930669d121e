import type { FullEntry } from '@etcd-ops/core';

/**
 * Fulls of which a later one holds every revision as well: it ends no earlier, and its history reaches as far back. They are of use only
 * where the later one is damaged.
 * @param fulls of one timeline, as an inventory sorts them.
 */
export function supersededFulls(fulls: readonly FullEntry[]): ReadonlySet<FullEntry> {
  const superseded = new Set<FullEntry>();
  let oldest = Infinity;
  for (const full of fulls.toReversed()) {
    const { compactRevision, stale } = full.manifest;
    if (compactRevision >= oldest) superseded.add(full);
    // One of a member without a quorum stands in for nothing.
    if (stale !== true) oldest = Math.min(oldest, compactRevision);
  }
  return superseded;
}
