import { lastEvent, positionKey, positions, type Bus } from '@etcd-ops/bus';
import { repositoryHead, type ObjectStore, type Revision } from '@etcd-ops/core';
import { clusterIdOfTimeline } from './repository-records.ts';

/** What is known of the history that a full snapshot must belong to. */
export interface HistoryAnchor {
  timeline: number;
  /** L: the full must hold it. */
  revision: Revision;
  /** RevisionDigest of the rows of L; null when unknown. */
  digest: string | null;
  clusterId: bigint | undefined;
}

/** The newest of what the watcher, the uploader and the repository know; undefined for a cluster of which nothing is known. */
export async function findAnchor(bus: Bus, store: ObjectStore, cluster: string): Promise<HistoryAnchor | undefined> {
  const event = await lastEvent(bus, cluster);
  if (event !== undefined) {
    const { timeline, last, digest, clusterId } = event;
    return { timeline, revision: last, digest, clusterId };
  }
  const position = (await positions(bus).get(positionKey(cluster)))?.value;
  if (position !== undefined) {
    const { timeline, revision, digest } = position;
    return { timeline, revision, digest, clusterId: await clusterIdOfTimeline(store, cluster, timeline) };
  }
  return repositoryHead(store, cluster);
}
