import type { ClusterSpec } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';

/** The store of a cluster, or that of the destination named. @throws EtcdOpsError CONFIG_INVALID when it has no such destination. */
export function storeOf({ name, store, destinations = [] }: ClusterSpec, destination?: string): ClusterSpec['store'] {
  if (destination === undefined) return store;
  const found = destinations.find((one) => one.name === destination);
  if (found !== undefined) return found.store;
  const known = destinations.length === 0 ? 'it has none' : `it has ${destinations.map((one) => one.name).join(', ')}`;
  throw new EtcdOpsError('CONFIG_INVALID', {
    message: `The cluster ${name} has no destination ${destination}; ${known}`,
    remedy: 'Name one of these, or none for its own store.',
  });
}
