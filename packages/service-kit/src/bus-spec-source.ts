import { clusterSpecs, type Bus, type ClusterSpec } from '@etcd-ops/bus';
import { decodeClusterName, isEtcdOpsError, type EtcdOpsError } from '@etcd-ops/core';
import type { ReadSpec, SpecSource } from './cluster-registry.ts';
import { orCancelled } from './or-cancelled.ts';

/** Specs that are read at the same time; one after the other, a thousand of them would take a second. */
const READS_MAX = 16;

/** The clusters bucket of the bus. */
export function busSpecSource(bus: Bus): SpecSource {
  const documents = clusterSpecs(bus);
  /** Of what was read last, by key: a watch begins with all that is there. */
  const revisions = new Map<string, number>();
  const read = async (key: string): Promise<ReadSpec> => {
    const name = decodeClusterName(key) ?? key;
    try {
      const stored = await documents.get(key);
      if (stored === undefined) {
        revisions.delete(key);
        return { name, spec: 'gone' };
      }
      revisions.set(key, stored.revision);
      return { name: stored.value.name, spec: stored.value };
    } catch (error) {
      if (!isEtcdOpsError(error, 'BUS_MESSAGE_INVALID') && !isEtcdOpsError(error, 'BUS_VERSION_UNKNOWN')) throw error;
      revisions.delete(key);
      return { name, spec: error };
    }
  };
  const watchOnce = async (onChange: (key?: string) => void, signal: AbortSignal): Promise<void> => {
    for await (const change of documents.watch({ signal })) {
      if (change.kind !== 'put') onChange(change.key);
      else if ((revisions.get(change.entry.key) ?? 0) < change.entry.revision) onChange(change.entry.key);
    }
  };
  return {
    async list() {
      const keys = await documents.keys();
      const specs = new Map<string, ClusterSpec | EtcdOpsError>();
      for (let first = 0; first < keys.length; first += READS_MAX) {
        const found = await Promise.all(keys.slice(first, first + READS_MAX).map(read));
        for (const { name, spec } of found) if (spec !== 'gone') specs.set(name, spec);
      }
      return specs;
    },
    read,
    async watch(onChange, signal) {
      while (!signal.aborted) {
        // A watch that lives through a restart of the server notices only after some 15 s that it has to begin anew.
        const reconnected = new AbortController();
        const stopListening = bus.onStatus(({ type }) => {
          if (type === 'reconnected') reconnected.abort();
        });
        const until = AbortSignal.any([signal, reconnected.signal]);
        try {
          // Not left to the watch alone: an abort that comes while it is being opened must end the waiting, too.
          await orCancelled(watchOnce(onChange, until), until);
        } catch (error) {
          if (!until.aborted) throw error;
        } finally {
          stopListening();
        }
        if (!until.aborted) return;
        onChange();
      }
    },
  };
}
