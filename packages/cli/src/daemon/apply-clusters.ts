import { isDeepStrictEqual } from 'node:util';
import { clusterKey, clusterSpecs, ensureEventStream, type Bus, type ClusterSpec, type Stored } from '@etcd-ops/bus';
import { decodeClusterName, isEtcdOpsError } from '@etcd-ops/core';

export interface ClusterChanges {
  added: string[];
  changed: string[];
  removed: string[];
}

/**
 * Tells all services which clusters they care for: those wanted are written where they differ, those that `isOurs` and are wanted no
 * longer are taken away. Their events, backups and positions stay: a cluster that comes back goes on where it was.
 */
export async function applyClusters(
  bus: Bus,
  wanted: readonly ClusterSpec[],
  isOurs: (name: string, spec: ClusterSpec | undefined) => boolean,
  { replicas = 1 }: { replicas?: number } = {},
): Promise<ClusterChanges> {
  const specs = clusterSpecs(bus);
  const changes: ClusterChanges = { added: [], changed: [], removed: [] };
  const keys = await specs.keys();
  for (const spec of wanted) {
    const key = clusterKey(spec.name);
    const before = keys.includes(key) ? await readable(specs.get(key)) : undefined;
    // A file that says the same leaves what a later version has added; one that says something else is the whole of what is wanted.
    await ensureEventStream(bus, spec.name, { bytesMax: spec.eventBytesMax, replicas });
    if (isDeepStrictEqual(before?.value, spec)) continue;
    await specs.put(key, spec);
    (keys.includes(key) ? changes.changed : changes.added).push(spec.name);
  }
  const wantedKeys = new Set(wanted.map(({ name }) => clusterKey(name)));
  for (const key of keys) {
    const name = decodeClusterName(key) ?? key;
    if (wantedKeys.has(key)) continue;
    let stored: Stored<ClusterSpec> | undefined;
    try {
      stored = await readable(specs.get(key));
    } catch (error) {
      // Nobody of this version can tell whose it is.
      if (isEtcdOpsError(error, 'BUS_VERSION_UNKNOWN')) continue;
      throw error;
    }
    if (!isOurs(name, stored?.value)) continue;
    await specs.delete(key);
    changes.removed.push(name);
  }
  return changes;
}

/** A spec that an older version wrote and this one cannot read is replaced; that of a later one is not: BUS_VERSION_UNKNOWN. */
async function readable<T>(reading: Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isEtcdOpsError(error, 'BUS_MESSAGE_INVALID')) return undefined;
    throw error;
  }
}
