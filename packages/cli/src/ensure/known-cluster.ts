import { computeMembership, type Inventory, type MemberSpec } from '@etcd-ops/core';

/** Ids of clusters whose data may lie in the directory; empty when nothing is recorded anywhere. */
export interface KnownClusters {
  recorded: ReadonlySet<bigint>;
  /** The id that a restore with the given members and token makes, and an etcd that was started with them. */
  configured: bigint;
  /** The id of the newest history in the repository. */
  newest: bigint | undefined;
}

export function knownClusters(
  inventory: Inventory,
  options: { initialCluster: readonly MemberSpec[]; token: string },
): KnownClusters {
  const recorded = new Set<bigint>();
  let newest: bigint | undefined;
  for (const { record, fulls } of inventory.timelines) {
    for (const id of [record?.clusterId, ...fulls.map(({ manifest }) => manifest.clusterId)]) {
      // 0: an import that did not know the id.
      if (id === undefined || id === '0') continue;
      newest = BigInt(`0x${id}`);
      recorded.add(newest);
    }
  }
  return { recorded, configured: computeMembership(options.initialCluster, options.token).clusterId, newest };
}

/** Without any record nobody can say that data is somebody else's. */
export function isForeign(clusterId: bigint, known: KnownClusters): boolean {
  return known.recorded.size > 0 && !known.recorded.has(clusterId) && known.configured !== clusterId;
}
