import {
  clusterRecordKey,
  decodeTimelineRecord,
  encodeClusterRecord,
  encodeTimelineRecord,
  isEtcdOpsError,
  timelineRecordKey,
  type ObjectStore,
  type TimelineRecord,
} from '@etcd-ops/core';

const RECORD_BYTES_MAX = 1024 * 1024;

export interface TimelineStart {
  cluster: string;
  timeline: number;
  clusterId: bigint;
  revision: number;
  /** When it began, in milliseconds since the epoch. */
  atMs: number;
  previous?: { timeline: number; revision: number };
}

/** Writes `cluster.json` unless it is there. */
export async function recordCluster(
  store: ObjectStore,
  { cluster, clusterId, atMs }: Pick<TimelineStart, 'cluster' | 'clusterId' | 'atMs'>,
): Promise<void> {
  const createdAt = new Date(atMs).toISOString();
  const record = { version: 1, kind: 'cluster', cluster, clusterId: clusterId.toString(16), createdAt } as const;
  await store.put(clusterRecordKey(cluster), encodeClusterRecord(record), { ifAbsent: true });
}

/** Writes `cluster.json` and `timeline.json` unless they are there: the first one to say how a timeline began is believed. */
export async function recordTimeline(store: ObjectStore, start: TimelineStart): Promise<void> {
  const { cluster, timeline, revision, previous } = start;
  await recordCluster(store, start);
  const record: TimelineRecord = {
    version: 1,
    kind: 'timeline',
    timeline,
    clusterId: start.clusterId.toString(16),
    startedAtRevision: revision,
    cause: timeline === 1 ? 'first' : 'fork',
    ...(previous === undefined ? {} : { previousTimeline: previous.timeline, previousRevision: previous.revision }),
    startedAt: new Date(start.atMs).toISOString(),
  };
  await store.put(timelineRecordKey(cluster, timeline), encodeTimelineRecord(record), { ifAbsent: true });
}

/** The cluster id of a timeline, as its record says; undefined when there is none, or none that can be read. */
export async function clusterIdOfTimeline(
  store: ObjectStore,
  cluster: string,
  timeline: number,
): Promise<bigint | undefined> {
  try {
    const bytes = await store.get(timelineRecordKey(cluster, timeline), { bytesMax: RECORD_BYTES_MAX });
    return BigInt(`0x${decodeTimelineRecord(bytes).clusterId}`);
  } catch (error) {
    if (isEtcdOpsError(error, 'STORE_NOT_FOUND') || isEtcdOpsError(error, 'MANIFEST_DAMAGED')) return undefined;
    throw error;
  }
}
