import { etcdVersions, findBinary, missingBinary } from '@etcd-ops/local-servers';

/** Why tests that need an etcd and a nats-server cannot run; undefined when both are there. */
export function missingServers(): string | undefined {
  if (etcdVersions().length === 0) return missingBinary('etcd');
  return findBinary('nats-server') === undefined ? missingBinary('nats-server') : undefined;
}
