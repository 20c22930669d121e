import { randomBytes } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { clusterPrefix, type ObjectStore, type StoreSpec } from '@etcd-ops/core';
import type { ProbeFacts, StoreFacts } from './judge-store.ts';
import { orError } from './or-error.ts';

export interface LookOptions {
  cluster: string;
  spec: StoreSpec;
  /** Whether an object may be written, and taken away again. */
  probe: boolean;
  signal: AbortSignal;
}

/** Tries what backing up, restoring and retention need of a store. @throws EtcdOpsError CANCELLED. */
export async function lookAtStore(
  store: ObjectStore,
  options: LookOptions,
): Promise<Omit<StoreFacts, 'newestFullBytes'>> {
  const { cluster, spec, probe, signal } = options;
  const facts = { description: store.description, prefix: keyPrefix(spec) + clusterPrefix(cluster) };
  const list = await orError(async () => {
    // The first page is enough; an empty one is as good.
    for await (const _ of store.list(clusterPrefix(cluster), { signal })) break;
    return true as const;
  });
  if (list !== true) return { ...facts, list };
  return {
    ...facts,
    list,
    probe: probe
      ? await tryObject(store, `${clusterPrefix(cluster)}check-${randomBytes(8).toString('hex')}`)
      : undefined,
    bucket: await orError(async () => await store.bucketFacts?.({ signal })),
    freeBytes: spec.provider === 'Local' ? await freeBytesOf(spec.bucket) : undefined,
  };
}

function keyPrefix(spec: StoreSpec): string {
  if (spec.provider === 'Local' || spec.prefix === undefined || spec.prefix === '') return '';
  return `${spec.prefix.replace(/\/$/, '')}/`;
}

/** A small object of no meaning, in the folder of the cluster: what readers of a repository pass over. It is taken away whatever happens. */
async function tryObject(store: ObjectStore, key: string): Promise<ProbeFacts> {
  const body = randomBytes(64);
  const startedMs = Date.now();
  const write = await orError(async () => {
    await store.put(key, body);
    return true as const;
  });
  const endedMs = Date.now();
  // One that failed may have been written all the same.
  if (write !== true) {
    await store.delete([key]).catch(() => undefined);
    return { key, write };
  }
  const probe: ProbeFacts = { key, write };
  try {
    probe.read = await orError(async () => ((await store.get(key)).equals(body) ? 'same' : 'other'));
    probe.list = await orError(async () => {
      for await (const found of store.list(key.slice(0, key.lastIndexOf('/') + 1))) {
        if (found.key !== key) continue;
        const aheadMs = aheadOf(found.modifiedAtMs, startedMs, endedMs);
        probe.clockAheadMs = aheadMs;
        return true;
      }
      return false;
    });
    probe.conditional = await orError(async () => {
      const outcome = await store.put(key, randomBytes(64), { ifAbsent: true });
      return outcome === 'exists' && (await store.get(key)).equals(body) && (await honoursConditions(store, key));
    });
  } finally {
    probe.remove = await orError(async () => {
      await store.delete([key]);
      return true as const;
    });
  }
  return probe;
}

/** A store that is known not to looks first, and that answers the same: only an object that is made anew tells. */
async function honoursConditions(store: ObjectStore, key: string): Promise<boolean> {
  const other = `${key}-2`;
  try {
    await store.put(other, Buffer.from('probe'), { ifAbsent: true });
    return store.capabilities.conditionalPut;
  } finally {
    await store.delete([other]);
  }
}

/** Stores tell whole seconds. */
function aheadOf(modifiedAtMs: number, startedMs: number, endedMs: number): number {
  if (modifiedAtMs > endedMs) return modifiedAtMs - endedMs;
  return modifiedAtMs + 1000 < startedMs ? modifiedAtMs + 1000 - startedMs : 0;
}

/** Of the file system that the folder lies on, or will. */
async function freeBytesOf(directory: string): Promise<number | undefined> {
  for (let path = directory; ; path = dirname(path)) {
    try {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    } catch {
      if (path === dirname(path)) return undefined;
    }
  }
}
