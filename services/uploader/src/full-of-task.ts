import type { FullTask } from '@etcd-ops/bus';
import {
  decodeManifest,
  isEtcdOpsError,
  parseObjectKey,
  timelinePrefix,
  type FullManifest,
  type ObjectStore,
} from '@etcd-ops/core';

/** Clocks of those who ask and those who take may differ by so much. */
const SKEW_MS_MAX = 3_600_000;
const MANIFEST_BYTES_MAX = 1024 * 1024;

export interface FullOfTask {
  key: string;
  manifest: FullManifest;
}

/**
 * The full that an uploader took for this very task, and died, or lost the bus, before it could say so. Only manifests that are as
 * young as the task are read.
 */
export async function findFullOfTask(
  { id, cluster, createdAt }: FullTask,
  { store, timeline, signal }: { store: ObjectStore; timeline: number; signal: AbortSignal },
): Promise<FullOfTask | undefined> {
  const sinceMs = Date.parse(createdAt) - SKEW_MS_MAX;
  for await (const { key } of store.list(`${timelinePrefix(cluster, timeline)}full/`, { signal })) {
    const parsed = parseObjectKey(key);
    if (parsed?.kind !== 'manifest' || parsed.createdAtMs < sinceMs) continue;
    const manifest = await readManifest(store, key, signal);
    if (manifest?.taskId === id) return { key: parsed.fullKey, manifest };
  }
  return undefined;
}

/** Without those that are gone, or damaged: they are not the task's. */
async function readManifest(store: ObjectStore, key: string, signal: AbortSignal): Promise<FullManifest | undefined> {
  try {
    return decodeManifest(await store.get(key, { bytesMax: MANIFEST_BYTES_MAX, signal }));
  } catch (error) {
    if (isEtcdOpsError(error, 'STORE_NOT_FOUND') || isEtcdOpsError(error, 'MANIFEST_DAMAGED')) return undefined;
    throw error;
  }
}
