import type { ObjectInfo, ObjectStore } from '../storage/object-store.ts';
import type { DeltaEntry, FullEntry, Inventory, TimelineInventory } from '../repository/inventory.ts';
import { assertPrefix } from '../storage/key-rules.ts';
import { parseForeignKey, type ForeignKey, type ForeignLayout } from './snapshot-name.ts';

const UNKNOWN_SHA256 = '0'.repeat(64);

/** A snapshot of another tool. */
export interface ForeignObject extends ForeignKey, ObjectInfo {
  /** Which of the histories that the names tell of it belongs to, from 1. */
  timeline: number;
}

/** The folder of one cluster as the seed tool or gardener writes it. */
export interface ForeignRepository {
  layout: ForeignLayout;
  /** In the order in which they were made. */
  objects: ForeignObject[];
  /**
   * What the names tell, in the form that plans are made from. The revision of a full is that of its name and its C is unknown (told as
   * that revision), so nothing is promised that the file may not hold. Hashes, ids and versions in the manifests are empty.
   */
  inventory: Inventory;
}

/**
 * Lists what the seed tool or gardener wrote for a cluster, by names alone.
 * @returns undefined when there is nothing of them, or nothing of `layout`.
 * @throws EtcdOpsError STORE_KEY_INVALID for a folder that no store can have, STORE_FAILED, CANCELLED.
 */
export async function readForeignRepository(
  store: ObjectStore,
  folder: string,
  options: { layout?: ForeignLayout | undefined; signal?: AbortSignal | undefined } = {},
): Promise<ForeignRepository | undefined> {
  const { signal } = options;
  const prefix = `${folder}/`;
  assertPrefix(prefix);
  const found: (ForeignKey & ObjectInfo)[] = [];
  const others: string[] = [];
  for await (const object of store.list(prefix, signal === undefined ? {} : { signal })) {
    const parsed = parseForeignKey(object.key.slice(prefix.length));
    if (parsed === undefined) others.push(object.key);
    else found.push({ ...parsed, ...object });
  }
  const layout = options.layout ?? layoutOf(found);
  if (layout === undefined) return undefined;
  const own = found.filter((object) => object.layout === layout);
  if (own.length === 0) return undefined;
  others.push(...found.filter((object) => object.layout !== layout).map(({ key }) => key));
  const objects = withTimelines(own);
  return { layout, objects, inventory: inventoryOf(folder, objects, others) };
}

/** The one that wrote last. */
function layoutOf(found: readonly ForeignKey[]): ForeignLayout | undefined {
  const newest = found.reduce<ForeignKey | undefined>(
    (best, one) => (best !== undefined && best.createdSeconds > one.createdSeconds ? best : one),
    undefined,
  );
  return newest?.layout;
}

/**
 * Names know no timelines. A full that is below what was recorded before it was taken is of a cluster that had been set back: it begins
 * a history of its own, else deltas of one history would be applied on a full of the other.
 */
function withTimelines(found: readonly (ForeignKey & ObjectInfo)[]): ForeignObject[] {
  const ordered = found.toSorted(
    (left, right) =>
      left.createdSeconds - right.createdSeconds || left.last - right.last || (left.key < right.key ? -1 : 1),
  );
  let timeline = 1;
  let highest = 0;
  return ordered.map((object) => {
    if (object.kind === 'full' && object.last < highest) {
      timeline++;
      highest = 0;
    }
    highest = Math.max(highest, object.last);
    return { ...object, timeline };
  });
}

function inventoryOf(cluster: string, objects: readonly ForeignObject[], foreign: string[]): Inventory {
  const timelines = new Map<number, TimelineInventory>();
  for (const object of objects) {
    const timeline = timelines.get(object.timeline) ?? { timeline: object.timeline, fulls: [], deltas: [] };
    timelines.set(object.timeline, timeline);
    if (object.kind === 'full') timeline.fulls.push(fullOf(cluster, object));
    else timeline.deltas.push(deltaOf(object));
  }
  for (const { fulls, deltas } of timelines.values()) {
    fulls.sort((left, right) => left.revision - right.revision || left.createdAtMs - right.createdAtMs);
    deltas.sort((left, right) => left.first - right.first || left.last - right.last);
  }
  return { cluster, timelines: [...timelines.values()], foreign, incomplete: [], damaged: [] };
}

function deltaOf({ key, bytes, modifiedAtMs, timeline, first, last, createdSeconds }: ForeignObject): DeltaEntry {
  return { key, timeline, first, last, lastObservedMs: createdSeconds * 1000, bytes, modifiedAtMs };
}

function fullOf(cluster: string, object: ForeignObject): FullEntry {
  const { key, bytes, modifiedAtMs, timeline, last, createdSeconds, codec } = object;
  const createdAtMs = createdSeconds * 1000;
  const at = new Date(createdAtMs).toISOString();
  // An empty etcd has revision 1, never 0: a name with 0 is of a full that was taken before the first answer.
  const revision = Math.max(last, 1);
  return {
    ...{ key, timeline, revision, createdAtMs, bytes, modifiedAtMs },
    manifest: {
      ...{ version: 1, kind: 'full', cluster, timeline, revision, compactRevision: revision },
      ...{ lastRevisionDigest: null, lastRevisionRows: 0, clusterId: '0', memberId: '0', etcdVersion: 'unknown' },
      ...{ createdAt: at, finishedAt: at, codec: codec === 'lzw' ? 'none' : codec },
      ...{ plainBytes: bytes, plainSha256: UNKNOWN_SHA256, storedBytes: bytes, storedSha256: UNKNOWN_SHA256 },
      cause: 'foreign',
    },
  };
}
