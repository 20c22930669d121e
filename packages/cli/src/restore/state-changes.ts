import { settleChanges, type ChangeName, type StateChanges } from '@etcd-ops/core';
import type { ChangeOptions } from '../options/moment-options.ts';

const FLAGS: Record<ChangeName, string> = {
  leases: '--leases',
  leaseUnknownTtl: '--lease-unknown-ttl',
  bumpRevision: '--bump-revision',
  markCompacted: '--mark-compacted',
  safeBump: '--safe-bump',
};

/** The flags of `restore` that change the restored state, as the core takes them. @throws EtcdOpsError USAGE for flags that contradict each other. */
export function stateChangesOf({ leaseUnknownTtl, ...options }: ChangeOptions): StateChanges {
  return settleChanges({ ...options, leaseUnknownTtlMs: leaseUnknownTtl }, (name, value) =>
    value === undefined ? FLAGS[name] : `${FLAGS[name]} ${value}`,
  );
}
