import { isDeepStrictEqual } from 'node:util';
import type { ClusterSpec } from '@etcd-ops/bus';
import {
  clusterRecordKey,
  decodeClusterRecord,
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

/**
 * Keeps the configuration of the cluster in its `cluster.json`, where it differs from the one that is there, so that an operator who lost
 * NATS gets the fleet back. Specs hold no secrets. Two uploaders at once: the last one stays, and the next full corrects it.
 */
export async function recordSpec(
  store: ObjectStore,
  spec: ClusterSpec,
  { atMs, signal }: { atMs: number; signal: AbortSignal },
): Promise<void> {
  const key = clusterRecordKey(spec.name);
  const record = decodeClusterRecord(await store.get(key, { bytesMax: RECORD_BYTES_MAX, signal }));
  if (isDeepStrictEqual(record.spec, spec)) return;
  const specAt = new Date(atMs).toISOString();
  await store.put(key, encodeClusterRecord({ ...record, spec, specAt }), { signal });
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
