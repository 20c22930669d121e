import type { RestoreRequest } from '@etcd-ops/bus';
import { durationMs, EtcdOpsError, settleChanges, type StateChanges } from '@etcd-ops/core';

type Wanted = Pick<
  RestoreRequest,
  | 'leases'
  | 'leaseUnknownTtl'
  | 'leaseUnknownTtlSeconds'
  | 'bumpRevision'
  | 'markCompacted'
  | 'safeBump'
  | 'clearAlarms'
>;

/** What a request, or a task, changes in the restored state. @throws EtcdOpsError USAGE for wishes that contradict each other. */
export function changesOf({ leaseUnknownTtl, leaseUnknownTtlSeconds, ...wanted }: Wanted): StateChanges {
  if (leaseUnknownTtl !== undefined && leaseUnknownTtlSeconds !== undefined) {
    throw new EtcdOpsError('USAGE', {
      message: 'leaseUnknownTtl and leaseUnknownTtlSeconds are the same',
      remedy: 'Leave one of them away.',
    });
  }
  const leaseUnknownTtlMs =
    leaseUnknownTtl === undefined
      ? leaseUnknownTtlSeconds && leaseUnknownTtlSeconds * 1000
      : durationMs(leaseUnknownTtl);
  return settleChanges({ ...wanted, leaseUnknownTtlMs }, (name, value) =>
    value === undefined ? name : `${JSON.stringify(name)}:${JSON.stringify(value)}`,
  );
}
