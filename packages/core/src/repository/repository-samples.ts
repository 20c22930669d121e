import { createHash } from 'node:crypto';
import type { Codec } from '../codec/codec.ts';
import { blockOf, sampleRows } from '../delta/delta-samples.ts';
import { DeltaEncoder } from '../delta/delta-encoder.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { encodeManifest, type FullManifest } from './full-manifest.ts';
import type { DeltaEntry, FullEntry, Inventory, TimelineInventory } from './inventory.ts';
import { deltaKey, fullKey, manifestKey } from './object-key.ts';

/** Objects and inventories for tests. Not exported from the package. */
export const SAMPLE_CLUSTER = 'prod';
export const SAMPLE_CLUSTER_ID = 'cdf818194e3a8c32';
/** 2026-11-20T06:00:00Z: sample times are minutes after it. */
export const SAMPLE_START_MS = 1_795_154_400_000;

export function minute(minutes: number): number {
  return SAMPLE_START_MS + minutes * 60_000;
}

export interface SampleFull {
  timeline?: number;
  revision: number;
  compact?: number;
  createdAtMs?: number;
  codec?: Codec;
  modifiedAtMs?: number;
  manifest?: Partial<FullManifest>;
}

export function sampleManifest(full: SampleFull, stored = Buffer.from('a database')): FullManifest {
  const { timeline = 1, revision, compact = -1, createdAtMs = minute(revision), codec = 'none' } = full;
  const sha256 = createHash('sha256').update(stored).digest('hex');
  return {
    version: 1,
    kind: 'full',
    cluster: SAMPLE_CLUSTER,
    timeline,
    revision,
    compactRevision: compact,
    lastRevisionDigest: compact === revision ? null : createHash('sha256').update(`rows of ${revision}`).digest('hex'),
    lastRevisionRows: compact === revision ? 0 : 2,
    clusterId: SAMPLE_CLUSTER_ID,
    memberId: '8e9e05c52164694d',
    etcdVersion: '3.5.16',
    createdAt: new Date(createdAtMs).toISOString(),
    finishedAt: new Date(createdAtMs + 2_500).toISOString(),
    codec,
    plainBytes: stored.length,
    plainSha256: sha256,
    storedBytes: stored.length,
    storedSha256: sha256,
    cause: 'schedule',
    ...full.manifest,
  };
}

export function fullEntry(full: SampleFull): FullEntry {
  const { timeline = 1, revision, createdAtMs = minute(revision), modifiedAtMs = createdAtMs } = full;
  const manifest = sampleManifest(full);
  const key = fullKey({ cluster: SAMPLE_CLUSTER, timeline, revision, createdAtMs, codec: manifest.codec });
  return { key, timeline, revision, createdAtMs, bytes: manifest.storedBytes, modifiedAtMs, manifest };
}

export interface SampleDeltaName {
  timeline?: number;
  first: number;
  last: number;
  lastObservedMs?: number;
  modifiedAtMs?: number;
}

export function deltaEntry(delta: SampleDeltaName): DeltaEntry {
  const { timeline = 1, first, last, lastObservedMs = minute(last), modifiedAtMs = lastObservedMs } = delta;
  const key = deltaKey({ cluster: SAMPLE_CLUSTER, timeline, first, last, lastObservedMs });
  return { key, timeline, first, last, lastObservedMs, bytes: 1000 + last - first, modifiedAtMs };
}

/** An inventory as readInventory would give it: sorted, and each object once. */
export function inventoryOf(fulls: readonly SampleFull[], deltas: readonly SampleDeltaName[]): Inventory {
  const timelines = new Map<number, TimelineInventory>();
  const timelineOf = (timeline: number): TimelineInventory => {
    const found = timelines.get(timeline) ?? { timeline, fulls: [], deltas: [] };
    timelines.set(timeline, found);
    return found;
  };
  for (const entry of fulls.map(fullEntry)) timelineOf(entry.timeline).fulls.push(entry);
  for (const entry of deltas.map(deltaEntry)) timelineOf(entry.timeline).deltas.push(entry);
  for (const timeline of timelines.values()) {
    timeline.fulls = unique(timeline.fulls).sort((a, b) => a.revision - b.revision || a.createdAtMs - b.createdAtMs);
    timeline.deltas = unique(timeline.deltas).sort((a, b) => a.first - b.first || a.last - b.last);
  }
  return {
    cluster: SAMPLE_CLUSTER,
    timelines: [...timelines.values()].sort((a, b) => a.timeline - b.timeline),
    foreign: [],
    incomplete: [],
    damaged: [],
  };
}

function unique<T extends { key: string }>(entries: readonly T[]): T[] {
  return [...new Map(entries.map((entry) => [entry.key, entry])).values()];
}

/** Puts a full (of a few meaningless bytes) with its manifest. */
export async function putFull(store: ObjectStore, full: SampleFull): Promise<FullEntry> {
  const entry = fullEntry(full);
  await store.put(entry.key, Buffer.from('a database'));
  await store.put(manifestKey(entry.key), encodeManifest(entry.manifest));
  return entry;
}

/** Puts a real delta; `times` are (revision, ms) pairs, or one at its end. */
export async function putDelta(
  store: ObjectStore,
  delta: SampleDeltaName,
  times?: readonly [number, number][],
): Promise<DeltaEntry> {
  const entry = deltaEntry(delta);
  const encoder = new DeltaEncoder({
    clusterId: BigInt(`0x${SAMPLE_CLUSTER_ID}`),
    timeline: entry.timeline,
    epoch: '0'.repeat(32),
  });
  encoder.addRows(blockOf(sampleRows(entry.first, entry.last)));
  for (const [revision, observedMs] of times ?? [[entry.last, entry.lastObservedMs]]) {
    encoder.addTime(revision, observedMs);
  }
  const { bytes } = encoder.finish();
  await store.put(entry.key, bytes);
  return { ...entry, bytes: bytes.length };
}
