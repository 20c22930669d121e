import { lowestRevision } from '../repository/coverage.ts';
import type { Inventory } from '../repository/inventory.ts';
import { listProofs, listWitnesses, type ProofEntry, type WitnessEntry } from '../repository/read-proofs.ts';
import type { ObjectStore } from '../storage/object-store.ts';

/** Of one timeline; with one every five minutes, those of the last month. */
const WITNESSES_MAX = 10_000;
/** Of one full, of one kind, and of those that decided anything or that did not: for people who look back. */
const PROOFS_MAX = 5;

/**
 * Proofs and witnesses that nothing can use any more. Pure.
 *
 * - Witnesses from before anything that can be restored, and of one timeline all but the newest 10,000.
 * - Proofs of fulls that are gone, and of each full all but the newest few; proofs that are `open` push out only such as are. Where an edge failed, all edges of the timeline stay: each of
 *   them may bear on what is in doubt.
 */
export function obsoleteEvidence(
  inventory: Inventory,
  proofs: readonly ProofEntry[],
  witnesses: readonly WitnessEntry[],
): string[] {
  const timelines = new Map(inventory.timelines.map((found) => [found.timeline, found]));
  const hasFailedEdge = new Set(
    proofs.filter(({ proof, verdict }) => proof === 'edge' && verdict === 'failed').map(({ timeline }) => timeline),
  );
  const newest = inventory.timelines.at(-1)?.timeline ?? 0;
  const seen = new Map<string, number>();
  const oldProofs = proofs
    .toSorted((left, right) => right.provedAtMs - left.provedAtMs)
    .filter(({ timeline, revision, createdAtMs, proof, verdict }) => {
      const fulls = timelines.get(timeline)?.fulls ?? [];
      if (fulls.length > 0 && proof === 'edge' && hasFailedEdge.has(timeline)) return false;
      if (!fulls.some((full) => full.revision === revision && full.createdAtMs === createdAtMs)) return true;
      const name = `${timeline}/${revision}/${createdAtMs}/${proof}/${verdict === 'open'}`;
      seen.set(name, (seen.get(name) ?? 0) + 1);
      return seen.get(name)! > PROOFS_MAX;
    });
  const oldWitnesses = [...Map.groupBy(witnesses, ({ timeline }) => timeline)].flatMap(([timeline, entries]) => {
    const fulls = timelines.get(timeline)?.fulls ?? [];
    // The newest timeline may wait for its first full.
    if (fulls.length === 0 && timeline >= newest) return [];
    const lowest = Math.min(...fulls.map(lowestRevision));
    const useful = entries.filter(({ revision }) => revision >= lowest).slice(-WITNESSES_MAX);
    const kept = new Set(useful);
    return entries.filter((entry) => !kept.has(entry));
  });
  return [...oldProofs, ...oldWitnesses].map(({ key }) => key).toSorted();
}

/** Removes them; returns how many. @throws EtcdOpsError STORE_FAILED, CANCELLED. */
export async function removeObsoleteEvidence(
  store: ObjectStore,
  inventory: Inventory,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<number> {
  const [proofs, witnesses] = await Promise.all([
    listProofs(store, inventory.cluster, options),
    listWitnesses(store, inventory.cluster, options),
  ]);
  const keys = obsoleteEvidence(inventory, proofs, witnesses);
  if (keys.length > 0) await store.delete(keys);
  return keys.length;
}
