import { z } from 'zod';
import { decodeDocument, encodeDocument, type DocumentKind } from './checked-json.ts';
import { countField, idField, timeField, timelineField } from './document-fields.ts';

/**
 * `cluster.json`: so that a fleet can be rebuilt from its store. Holds no credentials. The one record that is written again: when the
 * configuration has changed.
 */
export const clusterRecordSchema = z.object({
  version: z.literal(1),
  kind: z.literal('cluster'),
  cluster: z.string().min(1).max(200),
  clusterId: idField,
  createdAt: timeField,
  /** The configuration under which the newest full was taken, as services had it; absent in records of versions before 0.3. */
  spec: z.record(z.string(), z.unknown()).exactOptional(),
  /** When `spec` was written. */
  specAt: timeField.exactOptional(),
});
export type ClusterRecord = z.infer<typeof clusterRecordSchema>;

/** `timeline.json`: where one unforked history of a cluster began. */
export const timelineRecordSchema = z.object({
  version: z.literal(1),
  kind: z.literal('timeline'),
  timeline: timelineField,
  clusterId: idField,
  /** Rows of this timeline have revisions above this one. */
  startedAtRevision: countField,
  cause: z.enum(['first', 'fork']),
  previousTimeline: timelineField.exactOptional(),
  /** The last revision that was captured of the timeline before. */
  previousRevision: countField.exactOptional(),
  startedAt: timeField,
});
export type TimelineRecord = z.infer<typeof timelineRecordSchema>;

const CLUSTER_KIND: DocumentKind<ClusterRecord> = {
  name: 'cluster.json',
  version: 1,
  schema: clusterRecordSchema,
  damage: 'MANIFEST_DAMAGED',
};
const TIMELINE_KIND: DocumentKind<TimelineRecord> = {
  name: 'timeline.json',
  version: 1,
  schema: timelineRecordSchema,
  damage: 'MANIFEST_DAMAGED',
};

export function encodeClusterRecord(record: ClusterRecord): Buffer {
  return encodeDocument(CLUSTER_KIND, record);
}

/** @throws EtcdOpsError MANIFEST_DAMAGED naming the rule. */
export function decodeClusterRecord(bytes: Uint8Array): ClusterRecord {
  return decodeDocument(CLUSTER_KIND, bytes);
}

export function encodeTimelineRecord(record: TimelineRecord): Buffer {
  return encodeDocument(TIMELINE_KIND, record);
}

/** @throws EtcdOpsError MANIFEST_DAMAGED naming the rule. */
export function decodeTimelineRecord(bytes: Uint8Array): TimelineRecord {
  return decodeDocument(TIMELINE_KIND, bytes);
}
