import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { LocalStore } from '@etcd-ops/core';
import {
  BoltFile,
  compressBlock,
  DeltaEncoder,
  deltaKey,
  encodeManifest,
  fullKey,
  manifestKey,
  readLeases,
  readStoreInfo,
  rowsAbove,
  type Codec,
  type LeaseRecord,
} from '@etcd-ops/core';

export const CLUSTER = 'prod';
const TIMELINE = 1;
const CLUSTER_ID = 0xabcdef0123456789n;

/** Stores an etcd snapshot as a full with its manifest; returns S. */
export async function putFull(
  store: LocalStore,
  snapshot: string,
  options: { etcdVersion: string; codec?: Codec },
): Promise<number> {
  const { codec = 'none', etcdVersion } = options;
  const plain = await readFile(snapshot);
  const stored = compressBlock(codec, plain);
  using file = BoltFile.open(snapshot);
  const info = readStoreInfo(file);
  const createdAtMs = Math.round((await stat(snapshot)).mtimeMs);
  const key = fullKey({ cluster: CLUSTER, timeline: TIMELINE, revision: info.revision, createdAtMs, codec });
  await store.put(key, stored);
  const at = new Date(createdAtMs).toISOString();
  const manifest = encodeManifest({
    version: 1,
    kind: 'full',
    cluster: CLUSTER,
    timeline: TIMELINE,
    revision: info.revision,
    compactRevision: info.compactRevision,
    lastRevisionDigest: info.lastRevisionDigest,
    lastRevisionRows: info.lastRevisionRows,
    clusterId: CLUSTER_ID.toString(16),
    memberId: '1',
    etcdVersion,
    createdAt: at,
    finishedAt: at,
    codec,
    plainBytes: plain.length,
    plainSha256: sha256(plain),
    storedBytes: stored.length,
    storedSha256: sha256(stored),
    cause: 'schedule',
  });
  await store.put(manifestKey(key), manifest);
  return info.revision;
}

/**
 * Stores the rows of a snapshot above `after` as deltas of about `revisionsEach` revisions, each beginning `overlap`
 * revisions before the end of the one before. Lease records: what the snapshot holds, asked at its end.
 */
export async function putDeltas(
  store: LocalStore,
  snapshot: string,
  options: {
    after: number;
    revisionsEach: number;
    overlap?: number;
    leaseRecords?: boolean | readonly LeaseRecord[];
    codec?: Codec;
  },
): Promise<string[]> {
  const { after, revisionsEach, overlap = 0, leaseRecords = true, codec = 'none' } = options;
  using file = BoltFile.open(snapshot);
  const { revision } = readStoreInfo(file);
  const leases: LeaseRecord[] = [...readLeases(file)].map(([id, { ttlSeconds }]) => ({
    id,
    grantedTtlSeconds: ttlSeconds,
    askedAtRevision: revision,
    source: 'file',
  }));
  const keys: string[] = [];
  for (let first = after + 1; first <= revision; first += revisionsEach) {
    const last = Math.min(revision, first + revisionsEach - 1);
    const from = Math.max(1, first - overlap);
    const encoder = new DeltaEncoder({ clusterId: CLUSTER_ID, timeline: TIMELINE, epoch: 'ab'.repeat(16), codec });
    for (const block of rowsAbove(file, from - 1, { upTo: last })) encoder.addRows(block);
    if (typeof leaseRecords === 'object') encoder.addLeases(leaseRecords);
    else if (leaseRecords && last === revision) encoder.addLeases(leases);
    encoder.addTime(last, 1_700_000_000_000 + last);
    const { bytes } = encoder.finish();
    const key = deltaKey({
      cluster: CLUSTER,
      timeline: TIMELINE,
      first: from,
      last,
      lastObservedMs: 1_700_000_000_000 + last,
    });
    await store.put(key, bytes);
    keys.push(key);
  }
  return keys;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
