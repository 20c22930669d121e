import type { Revision } from '../mvcc/revision.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { listCluster, type DeltaEntry } from './inventory.ts';

/** What names tell of the newest timeline of a cluster. They may promise more than the objects hold, and never less. */
export interface RepositoryNames {
  /** The highest timeline that any name tells of; 0: there is none. */
  newestTimeline: number;
  /** The highest revision of a full that has its manifest; 0: there is none. */
  fullsTo: Revision;
  /** The highest revision that one of its deltas names; 0: there is none. */
  deltasTo: Revision;
  /** By their first revision. */
  deltas: readonly Pick<DeltaEntry, 'first' | 'last' | 'bytes'>[];
}

/**
 * One listing, and nothing is read: for who knows how far the history goes and only has to make sure that the repository is not ahead.
 * @throws EtcdOpsError STORE_FAILED and CANCELLED.
 */
export async function readRepositoryNames(
  store: ObjectStore,
  cluster: string,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<RepositoryNames> {
  const { fulls, manifests, deltas, timelineRecords } = await listCluster(store, cluster, options.signal);
  const newestTimeline = Math.max(
    0,
    ...timelineRecords.keys(),
    highest([...fulls.values(), ...deltas], ({ timeline }) => timeline),
  );
  const isNewest = ({ timeline }: { timeline: number }): boolean => timeline === newestTimeline;
  const newestFulls = [...fulls.values()].filter((full) => isNewest(full) && manifests.has(full.key));
  const newestDeltas = deltas.filter(isNewest);
  return {
    newestTimeline,
    fullsTo: highest(newestFulls, ({ revision }) => revision),
    deltasTo: highest(newestDeltas, ({ last }) => last),
    deltas: newestDeltas.toSorted((left, right) => left.first - right.first || left.last - right.last),
  };
}

function highest<T>(found: readonly T[], of: (one: T) => number): number {
  return found.reduce((most, one) => Math.max(most, of(one)), 0);
}
