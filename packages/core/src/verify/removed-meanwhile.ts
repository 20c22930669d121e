import { restorableRanges } from '../repository/coverage.ts';
import { readInventory, type Inventory, type TimelineInventory } from '../repository/inventory.ts';
import { DamagedObjectError } from '../restore/damaged-object.ts';
import type { ObjectStore } from '../storage/object-store.ts';

/**
 * Whether an object that was listed and is not there was removed because nothing needs it any more, as retention does: the repository as
 * it is now restores all that it restored before, from the oldest full on that is still kept.
 */
export async function wasRemovedMeanwhile(
  error: unknown,
  options: { store: ObjectStore; cluster: string; timeline: TimelineInventory; signal?: AbortSignal | undefined },
): Promise<boolean> {
  if (!(error instanceof DamagedObjectError) || error.code !== 'STORE_NOT_FOUND') return false;
  const { store, cluster, timeline: listed, signal } = options;
  const fresh = await readInventory(store, cluster, { signal });
  const isListed = fresh.timelines.some(({ fulls, deltas }) => [...fulls, ...deltas].some(isOf(error.objectKey)));
  if (isListed) return false;
  const now = fresh.timelines.find(({ timeline }) => timeline === listed.timeline);
  const oldest = now?.fulls.reduce((least, { revision }) => Math.min(least, revision), Infinity) ?? Infinity;
  // Without fulls, a timeline that another went on from has ended, and one that is still written has lost everything.
  if (now === undefined || oldest === Infinity) {
    return fresh.timelines.some(({ timeline, fulls }) => timeline > listed.timeline && fulls.length > 0);
  }
  const still = restorableRanges(alone(fresh, now));
  return restorableRanges(alone(fresh, listed)).every(({ from, to }) => {
    return to < oldest || still.some((range) => range.from <= Math.max(from, oldest) && range.to >= to);
  });
}

function isOf(wanted: string): (object: { key: string }) => boolean {
  return ({ key }) => key === wanted;
}

function alone(inventory: Inventory, timeline: TimelineInventory): Inventory {
  return { ...inventory, timelines: [timeline] };
}
