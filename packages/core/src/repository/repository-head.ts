import type { ErrorCode } from '../base/error-codes.ts';
import { isEtcdOpsError } from '../base/errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { chains, DeltaCoverage } from './coverage.ts';
import { chooseDeltas } from './choose-deltas.ts';
import { readDeltaEnd } from './delta-source.ts';
import { readInventory, type DeltaEntry, type FullEntry, type Inventory, type TimelineInventory } from './inventory.ts';
import { without } from './plan-restore.ts';

/** Where a watcher goes on when nothing but the repository is left. */
export interface RepositoryHead {
  timeline: number;
  /** L: the end of the newest contiguous chain. */
  revision: number;
  /** RevisionDigest of the rows of L, sealed where it lies encrypted (`digestFits`); null when the full holds none of them. */
  digest: string | null;
  clusterId: bigint;
  /** The highest timeline that has begun: a fork begins the one after it. At least `timeline`. */
  newestTimeline: number;
}

/** The delta itself is at fault, or has gone. */
const UNUSABLE: readonly ErrorCode[] = ['DELTA_DAMAGED', 'OBJECT_DAMAGED', 'STORE_NOT_FOUND'];

interface HeadObject {
  timeline: TimelineInventory;
  revision: number;
  delta: DeltaEntry | undefined;
}

/**
 * The end of the newest contiguous chain, and the digest that tells whether the cluster goes on from there: out of the
 * last delta (one ranged read, no key) or the full's manifest. A delta whose footer is damaged ends the chain before it,
 * so that its revisions are captured again. A hole ends the chain, too: what lies behind may still be had from etcd.
 * @returns undefined when the repository holds nothing to go on from.
 * @throws EtcdOpsError STORE_FAILED, CANCELLED.
 */
export async function repositoryHead(
  store: ObjectStore,
  cluster: string,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<RepositoryHead | undefined> {
  const inventory = await readInventory(store, cluster, options);
  return await headOf(store, inventory, options);
}

/** The same for an inventory at hand. */
export async function headOf(
  store: ObjectStore,
  inventory: Inventory,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<RepositoryHead | undefined> {
  const newestTimeline = inventory.timelines.at(-1)?.timeline ?? 0;
  const unusable = new Set<string>();
  for (;;) {
    const head = newestHead(without(inventory, unusable));
    if (head === undefined) return undefined;
    const { timeline, revision, delta } = head;
    const place = { timeline: timeline.timeline, revision, newestTimeline };
    if (delta === undefined) {
      const { manifest } = fullWithDigest(timeline, revision);
      return { ...place, digest: manifest.lastRevisionDigest, clusterId: BigInt(`0x${manifest.clusterId}`) };
    }
    try {
      const end = await readDeltaEnd(store, delta, options.signal);
      if (end.lastRevision === delta.last && end.firstRevision === delta.first && end.timeline === delta.timeline) {
        return { ...place, digest: end.lastRevisionDigest, clusterId: end.clusterId };
      }
    } catch (error) {
      if (!isEtcdOpsError(error) || !UNUSABLE.includes(error.code)) throw error;
    }
    unusable.add(delta.key);
  }
}

/** In the newest timeline that holds anything. Without a full, deltas alone say how far capture came. */
function newestHead(inventory: Inventory): HeadObject | undefined {
  const timeline = inventory.timelines.findLast(({ fulls, deltas }) => fulls.length > 0 || deltas.length > 0);
  if (timeline === undefined) return undefined;
  if (timeline.fulls.length === 0) {
    const { from, to } = new DeltaCoverage(timeline.deltas).runs.at(-1)!;
    return { timeline, revision: to, delta: chooseDeltas(timeline.deltas, from - 1, to)!.at(-1) };
  }
  const chain = chains(timeline).reduce((best, found) => (found.to >= best.to ? found : best));
  const delta = chooseDeltas(timeline.deltas, chain.full.revision, chain.to)!.at(-1);
  if (delta !== undefined || fullWithDigest(timeline, chain.to).manifest.lastRevisionDigest !== null) {
    return { timeline, revision: chain.to, delta };
  }
  // A full that was compacted at its end holds no history of it; the delta that led there does.
  return { timeline, revision: chain.to, delta: timeline.deltas.findLast(({ last }) => last === chain.to) };
}

/** Of the fulls at one revision, one that knows the rows of it, if there is one. */
function fullWithDigest(timeline: TimelineInventory, revision: number): FullEntry {
  const fulls = timeline.fulls.filter((full) => full.revision === revision);
  return fulls.findLast(({ manifest }) => manifest.lastRevisionDigest !== null) ?? fulls.at(-1)!;
}
