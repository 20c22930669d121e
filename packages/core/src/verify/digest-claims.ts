import type { DeltaEntry, Inventory, TimelineInventory } from '../repository/inventory.ts';
import type { DigestClaim } from './check-delta-object.ts';

/**
 * What each delta must bear out: the digests of the fulls that end inside of it. (That a delta ends with the digest in its footer is
 * part of its own check.) By key of the delta.
 */
export function claimsFor(inventory: Inventory, deltas: readonly DeltaEntry[]): Map<string, DigestClaim[]> {
  const timelines = new Map<number, TimelineInventory>(inventory.timelines.map((found) => [found.timeline, found]));
  const claims = new Map<string, DigestClaim[]>();
  for (const { key, timeline, first, last } of deltas) {
    const fulls = timelines.get(timeline)?.fulls ?? [];
    const found = fulls.flatMap((full): DigestClaim[] => {
      const { lastRevisionDigest: digest } = full.manifest;
      return digest === null || full.revision < first || full.revision > last
        ? []
        : [{ revision: full.revision, digest, key: full.key }];
    });
    if (found.length > 0) claims.set(key, found);
  }
  return claims;
}
