import { lastEvent, positionKey, positions, type Bus } from '@etcd-ops/bus';
import { repositoryHead, type ObjectStore, type Revision } from '@etcd-ops/core';
import { clusterIdOfTimeline } from './repository-records.ts';

/** What is known of the history that a full snapshot must belong to. */
export interface HistoryAnchor {
  timeline: number;
  /** L: the full must hold it. */
  revision: Revision;
  /** RevisionDigest of the rows of L, maybe sealed; null when unknown. */
  digest: string | null;
  clusterId: bigint | undefined;
}

/**
 * The newest of what the watcher and the uploader know, else what the repository knows; undefined for a cluster of which nothing is
 * known. The uploader knows more than the watcher when the stream lost its tail. Of a cluster that nobody watches, what the two
 * knew is of the past, so the repository counts as well.
 */
export async function findAnchor(
  bus: Bus,
  store: ObjectStore,
  cluster: string,
  { isWatched }: { isWatched: boolean },
): Promise<HistoryAnchor | undefined> {
  const captured = newer(await capturedAnchor(bus, cluster), await durableAnchor(bus, store, cluster));
  return captured !== undefined && isWatched ? captured : newer(captured, await repositoryHead(store, cluster));
}

async function capturedAnchor(bus: Bus, cluster: string): Promise<HistoryAnchor | undefined> {
  const event = await lastEvent(bus, cluster);
  if (event === undefined) return undefined;
  const { timeline, last, digest, clusterId } = event;
  return { timeline, revision: last, digest, clusterId };
}

async function durableAnchor(bus: Bus, store: ObjectStore, cluster: string): Promise<HistoryAnchor | undefined> {
  const position = (await positions(bus).get(positionKey(cluster)))?.value;
  if (position === undefined) return undefined;
  const { timeline, revision, digest } = position;
  return { timeline, revision, digest, clusterId: await clusterIdOfTimeline(store, cluster, timeline) };
}

/** Of equal ones the first. */
function newer(one: HistoryAnchor | undefined, other: HistoryAnchor | undefined): HistoryAnchor | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const isOther = one.timeline === other.timeline ? other.revision > one.revision : other.timeline > one.timeline;
  return isOther ? other : one;
}
