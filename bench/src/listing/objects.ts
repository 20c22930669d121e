import {
  deltaKey,
  encodeManifest,
  fullKey,
  manifestKey,
  timelineRecordKey,
  encodeTimelineRecord,
  type FullManifest,
} from '@etcd-ops/core';

export interface BenchObject {
  key: string;
  body: Buffer;
}

export const LISTED_CLUSTER = 'prod';

const HOUR_MS = 3_600_000;
const DELTA_MS = 10_000;
const FULL_BYTES = 10;
const BEGIN_MS = Date.UTC(2026, 0, 1);
const CLUSTER_ID = 'cdf818194e3a8c32';

/** What a cluster leaves in its store: a delta every ten seconds of an uneven number of revisions, a full and its manifest each hour. */
export function* repositoryObjects(objects: number): Generator<BenchObject> {
  const timeline = 1;
  yield { key: timelineRecordKey(LISTED_CLUSTER, timeline), body: timelineRecord() };
  let [made, revision, seed] = [1, 1, 1];
  for (let timeMs = BEGIN_MS; made < objects; timeMs += DELTA_MS) {
    if ((timeMs - BEGIN_MS) % HOUR_MS === 0) {
      const facts = { cluster: LISTED_CLUSTER, timeline, revision, createdAtMs: timeMs, codec: 'zstd' } as const;
      const key = fullKey(facts);
      yield { key, body: Buffer.alloc(FULL_BYTES) };
      yield { key: manifestKey(key), body: encodeManifest(manifest(revision, timeMs)) };
      made += 2;
    }
    seed = (seed * 48_271) % 2_147_483_647;
    // Days are busier than nights, by a factor of forty.
    const busy = 1 + 39 * Math.sin(((timeMs % (24 * HOUR_MS)) / (24 * HOUR_MS)) * Math.PI);
    const last = revision + Math.ceil(busy * (1 + (seed % 50)));
    const facts = { cluster: LISTED_CLUSTER, timeline, first: revision + 1, last, lastObservedMs: timeMs };
    yield { key: deltaKey(facts), body: Buffer.alloc(512) };
    revision = last;
    made++;
  }
}

function timelineRecord(): Buffer {
  return encodeTimelineRecord({
    version: 1,
    kind: 'timeline',
    timeline: 1,
    clusterId: CLUSTER_ID,
    startedAtRevision: 1,
    cause: 'first',
    startedAt: new Date(BEGIN_MS).toISOString(),
  });
}

function manifest(revision: number, timeMs: number): FullManifest {
  const time = new Date(timeMs).toISOString();
  return {
    version: 1,
    kind: 'full',
    cluster: LISTED_CLUSTER,
    timeline: 1,
    revision,
    compactRevision: 1,
    lastRevisionDigest: 'a'.repeat(64),
    lastRevisionRows: 1,
    clusterId: CLUSTER_ID,
    memberId: '8e9e05c52164694d',
    etcdVersion: '3.5.16',
    createdAt: time,
    finishedAt: time,
    codec: 'zstd',
    plainBytes: 4096,
    plainSha256: 'b'.repeat(64),
    storedBytes: FULL_BYTES,
    storedSha256: 'c'.repeat(64),
    cause: 'schedule',
  };
}
