import { clusterSpecs, type Bus, type ClusterSpec } from '@etcd-ops/bus';
import { decodeClusterName, isEtcdOpsError } from '@etcd-ops/core';
import type { SpecSource } from './cluster-registry.ts';

/** Specs that are read at the same time; one after the other, a thousand of them would take a second. */
const READS_MAX = 16;

/** The clusters bucket of the bus. */
export function busSpecSource(bus: Bus): SpecSource {
  const documents = clusterSpecs(bus);
  const read = async (key: string): Promise<[string, ClusterSpec | undefined] | undefined> => {
    try {
      const stored = await documents.get(key);
      return stored === undefined ? undefined : [stored.value.name, stored.value];
    } catch (error) {
      if (!isEtcdOpsError(error, 'BUS_MESSAGE_INVALID')) throw error;
      return [decodeClusterName(key) ?? key, undefined];
    }
  };
  return {
    async list() {
      const keys = await documents.keys();
      const specs = new Map<string, ClusterSpec | undefined>();
      for (let first = 0; first < keys.length; first += READS_MAX) {
        const found = await Promise.all(keys.slice(first, first + READS_MAX).map(read));
        for (const entry of found) {
          if (entry !== undefined) specs.set(entry[0], entry[1]);
        }
      }
      return specs;
    },
    async watch(onChange, signal) {
      for await (const _change of documents.watch({ signal })) onChange();
    },
  };
}
