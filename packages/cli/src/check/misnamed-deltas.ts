import {
  isEtcdOpsError,
  planRestore,
  readDeltaEnd,
  type DamagedEntry,
  type DeltaEntry,
  type Inventory,
  type ObjectStore,
} from '@etcd-ops/core';

/** The newest ones that are looked at: each costs one small read. `verify` looks at all. */
const DELTAS_MAX = 32;

/** Of the deltas that the newest state needs, the newest whose ends say something else than their names, or nothing that can be read. */
export async function misnamedDeltas(
  store: ObjectStore,
  inventory: Inventory,
  signal: AbortSignal,
): Promise<DamagedEntry[]> {
  if (inventory.timelines.every(({ fulls }) => fulls.length === 0)) return [];
  const { deltas } = planRestore(inventory, { kind: 'latest' }, { allowOlder: true });
  const found = await Promise.all(deltas.slice(-DELTAS_MAX).map((delta) => misnamed(store, delta, signal)));
  return found.filter((damage) => damage !== undefined);
}

async function misnamed(store: ObjectStore, delta: DeltaEntry, signal: AbortSignal): Promise<DamagedEntry | undefined> {
  const { key, timeline, first, last } = delta;
  try {
    const end = await readDeltaEnd(store, delta, signal);
    if (end.timeline === timeline && end.firstRevision === first && end.lastRevision === last) return undefined;
    const reason = `its bytes are those of the revisions ${end.firstRevision} to ${end.lastRevision} of timeline ${end.timeline}`;
    return { key, reason };
  } catch (error) {
    // One that has gone was merged or collected since the listing.
    if (isEtcdOpsError(error, 'STORE_NOT_FOUND')) return undefined;
    if (!isEtcdOpsError(error, 'DELTA_DAMAGED') && !isEtcdOpsError(error, 'OBJECT_DAMAGED')) throw error;
    return { key, reason: error.message };
  }
}
