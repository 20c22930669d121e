import type { ClusterSpec } from '@etcd-ops/bus';
import { describeError } from '@etcd-ops/core';
import { checkEtcd } from '../daemon/check-etcd.ts';

/** Clusters that already have an endpoint of this one: two names for one etcd are backed up twice. */
export function sharedEndpoints(spec: ClusterSpec, others: readonly ClusterSpec[]): string[] {
  const own = new Map(spec.endpoints.map((endpoint) => [addressOf(endpoint), endpoint]));
  return others
    .filter(({ name }) => name !== spec.name)
    .flatMap(({ name, endpoints }) => {
      const shared = endpoints.flatMap((endpoint) => own.get(addressOf(endpoint)) ?? []);
      return shared.length === 0 ? [] : [`${shared.join(', ')} belongs to the cluster ${name} already`];
    });
}

/** Whether etcd can be reached so, from here. @throws EtcdOpsError of etcd where that is demanded. */
export async function etcdWarnings(spec: ClusterSpec, { check }: { check: boolean }): Promise<string[]> {
  try {
    const waitsFor = await checkEtcd(spec);
    if (waitsFor === undefined) return [];
    if (check) throw waitsFor;
    return [`etcd cannot be backed up from here yet: ${describeError(waitsFor)}`];
  } catch (error) {
    if (check) throw error;
    // Certificates and passwords may lie on the hosts of the services only.
    return [`etcd cannot be backed up from here: ${describeError(error)}`];
  }
}

function addressOf(endpoint: string): string {
  return endpoint.replace(/^https?:\/\//, '').toLowerCase();
}
