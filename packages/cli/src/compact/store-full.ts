import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { appendFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BoltFile,
  encodeManifest,
  encryptionOfPacking,
  fullKey,
  manifestKey,
  packFile,
  readStoreInfo,
  sealDigest,
  seenMsOfSources,
  type Codec,
  type FullManifest,
  type ObjectStore,
  type PackedFile,
  type Packing,
} from '@etcd-ops/core';
import type { BuiltStore } from './build-compacted.ts';

const CHUNK_BYTES = 1024 * 1024;

export interface StoreFullOptions {
  store: ObjectStore;
  built: BuiltStore;
  packing: Packing;
  scratch: string;
  signal: AbortSignal;
  onProgress: (phase: string, bytesDone: number, bytesTotal: number) => void;
}

/**
 * Stores a compacted database as one more full: with etcd's SHA-256 at its end, as every snapshot has, and its manifest last.
 * Only new keys are written.
 */
export async function storeFull(options: StoreFullOptions): Promise<{ key: string; manifest: FullManifest }> {
  const { store, built, packing, scratch, signal, onProgress } = options;
  const { codec, recipients } = packing;
  const { plan, path } = built;
  const base = plan.full.manifest;
  const seenMs = seenMsOfSources(plan.full, plan.deltas);
  const beganMs = Date.now();
  const plain = await appendSnapshotHash(path, signal);
  const stored = await packFile(plain, { target: join(scratch, 'packed'), packing, signal });
  const facts = { cluster: plan.cluster, timeline: plan.timeline, revision: built.report.revision, codec };
  const { key, createdAtMs } = await freeKey(store, { ...facts, ...encryptionOfPacking(packing) }, beganMs);
  const info = readInfo(path);
  const digest = info.lastRevisionDigest;
  const manifest: FullManifest = {
    version: 1,
    kind: 'full',
    ...facts,
    compactRevision: info.compactRevision,
    lastRevisionDigest: recipients === undefined || digest === null ? digest : await sealDigest(digest),
    lastRevisionRows: info.lastRevisionRows,
    clusterId: base.clusterId,
    memberId: base.memberId,
    etcdVersion: base.etcdVersion,
    createdAt: new Date(createdAtMs).toISOString(),
    finishedAt: new Date().toISOString(),
    ...(seenMs === undefined ? {} : { seenAt: new Date(seenMs).toISOString() }),
    ...(recipients === undefined ? {} : { encryption: { format: 'age', recipients: [...recipients.fingerprints] } }),
    plainBytes: plain.bytes,
    plainSha256: plain.sha256,
    storedBytes: stored.bytes,
    storedSha256: stored.sha256,
    authRevision: Number(info.authRevision),
    ...(base.stale === true && plan.deltas.length === 0 ? { stale: true } : {}),
    cause: 'compact',
    proof: { kind: 'hashkv', hash: built.hash.hash, base: plan.full.key, deltas: plan.deltas.length },
  };
  const encoded = encodeManifest(manifest);
  const onBytes = (bytes: number): void => onProgress('store', bytes, stored.bytes);
  await store.putFile(key, stored.path, { move: true, signal, onProgress: onBytes });
  await store.put(manifestKey(key), encoded, { signal });
  return { key, manifest };
}

function readInfo(path: string): ReturnType<typeof readStoreInfo> {
  using file = BoltFile.open(path);
  return readStoreInfo(file);
}

async function appendSnapshotHash(path: string, signal: AbortSignal): Promise<PackedFile> {
  const whole = createHash('sha256');
  const source: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: CHUNK_BYTES, signal });
  for await (const chunk of source) whole.update(chunk);
  const trailer = whole.copy().digest();
  await appendFile(path, trailer, { flush: true });
  return { path, bytes: (await stat(path)).size, sha256: whole.update(trailer).digest('hex') };
}

/** Two fulls of one revision differ in their milliseconds: never over one that is there. */
async function freeKey(
  store: ObjectStore,
  facts: { cluster: string; timeline: number; revision: number; codec: Codec; encryption?: 'age' },
  fromMs: number,
): Promise<{ key: string; createdAtMs: number }> {
  for (let createdAtMs = fromMs; ; createdAtMs++) {
    const key = fullKey({ ...facts, createdAtMs });
    if ((await store.stat(key)) === undefined && (await store.stat(manifestKey(key))) === undefined) {
      return { key, createdAtMs };
    }
  }
}
