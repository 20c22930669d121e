import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { appendFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  BoltFile,
  compressStream,
  encodeManifest,
  fullKey,
  manifestKey,
  readStoreInfo,
  type Codec,
  type FullManifest,
  type ObjectStore,
} from '@etcd-ops/core';
import type { BuiltStore } from './build-compacted.ts';

const CHUNK_BYTES = 1024 * 1024;

export interface StoreFullOptions {
  store: ObjectStore;
  built: BuiltStore;
  codec: Codec;
  scratch: string;
  signal: AbortSignal;
  onProgress: (phase: string, bytesDone: number, bytesTotal: number) => void;
}

/**
 * Stores a compacted database as one more full: with etcd's SHA-256 at its end, as every snapshot has, and its manifest last.
 * Only new keys are written.
 */
export async function storeFull(options: StoreFullOptions): Promise<{ key: string; manifest: FullManifest }> {
  const { store, built, codec, scratch, signal, onProgress } = options;
  const { plan, path } = built;
  const base = plan.full.manifest;
  const beganMs = Date.now();
  const plain = await appendSnapshotHash(path, signal);
  const stored = await pack(path, { codec, target: join(scratch, 'packed'), plain, signal });
  const facts = { cluster: plan.cluster, timeline: plan.timeline, revision: built.report.revision, codec };
  const { key, createdAtMs } = await freeKey(store, facts, beganMs);
  const info = readInfo(path);
  const manifest: FullManifest = {
    version: 1,
    kind: 'full',
    ...facts,
    compactRevision: info.compactRevision,
    lastRevisionDigest: info.lastRevisionDigest,
    lastRevisionRows: info.lastRevisionRows,
    clusterId: base.clusterId,
    memberId: base.memberId,
    etcdVersion: base.etcdVersion,
    createdAt: new Date(createdAtMs).toISOString(),
    finishedAt: new Date().toISOString(),
    plainBytes: plain.bytes,
    plainSha256: plain.sha256,
    storedBytes: stored.bytes,
    storedSha256: stored.sha256,
    authRevision: Number(info.authRevision),
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

interface HashedFile {
  path: string;
  bytes: number;
  sha256: string;
}

async function appendSnapshotHash(path: string, signal: AbortSignal): Promise<HashedFile> {
  const whole = createHash('sha256');
  const source: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: CHUNK_BYTES, signal });
  for await (const chunk of source) whole.update(chunk);
  const trailer = whole.copy().digest();
  await appendFile(path, trailer, { flush: true });
  return { path, bytes: (await stat(path)).size, sha256: whole.update(trailer).digest('hex') };
}

/** The file as it is going to be stored. */
async function pack(
  path: string,
  options: { codec: Codec; target: string; plain: HashedFile; signal: AbortSignal },
): Promise<HashedFile> {
  const { codec, target, plain, signal } = options;
  if (codec === 'none') return plain;
  const hash = createHash('sha256');
  let bytes = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  const source = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  const sink = createWriteStream(target, { flags: 'wx', mode: 0o600, flush: true });
  await pipeline(source, compressStream(codec), measure, sink, { signal });
  return { path: target, bytes, sha256: hash.digest('hex') };
}

/** Two fulls of one revision differ in their milliseconds: never over one that is there. */
async function freeKey(
  store: ObjectStore,
  facts: { cluster: string; timeline: number; revision: number; codec: Codec },
  fromMs: number,
): Promise<{ key: string; createdAtMs: number }> {
  for (let createdAtMs = fromMs; ; createdAtMs++) {
    const key = fullKey({ ...facts, createdAtMs });
    if ((await store.stat(key)) === undefined && (await store.stat(manifestKey(key))) === undefined) {
      return { key, createdAtMs };
    }
  }
}
