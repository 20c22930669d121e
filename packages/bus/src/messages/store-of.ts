import { EtcdOpsError } from '@etcd-ops/core';
import type { ClusterSpec } from './cluster-spec.ts';

/**
 * The store of a cluster, or that of the destination named. `remedy`: what to do about a name that it does not have.
 * @throws EtcdOpsError CONFIG_INVALID when it has no such destination.
 */
export function storeOf(
  { name, store, destinations = [] }: ClusterSpec,
  destination: string | undefined,
  remedy = 'Name one of these, or none for its own store.',
): ClusterSpec['store'] {
  if (destination === undefined) return store;
  const found = destinations.find((one) => one.name === destination);
  if (found !== undefined) return found.store;
  const known = destinations.length === 0 ? 'it has none' : `it has ${destinations.map((one) => one.name).join(', ')}`;
  throw new EtcdOpsError('CONFIG_INVALID', {
    message: `The cluster ${name} has no destination ${destination}; ${known}`,
    remedy,
  });
}
