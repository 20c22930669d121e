import { EtcdOpsError, type Inventory, type RestorePlan } from '@etcd-ops/core';

/**
 * What a failed proof speaks against must not become a full of another name, against which nothing speaks.
 * @throws EtcdOpsError PROOF_FAILED naming the first object in doubt.
 */
export function refuseDoubts(
  { cluster, full, deltas }: Pick<RestorePlan, 'cluster' | 'full' | 'deltas'>,
  { doubts = [] }: Pick<Inventory, 'doubts'>,
): void {
  const used = new Set([full.key, ...deltas.map(({ key }) => key)]);
  const hit = doubts.find(({ key }) => used.has(key));
  if (hit === undefined) return;
  throw new EtcdOpsError('PROOF_FAILED', {
    message: `The newest backup of ${cluster} needs ${hit.key}, which is in doubt: ${hit.reason}. A full made of it would hide that`,
    remedy:
      'Take a full of the living cluster (`etcd-ops snapshot --once`); see "A proof failed" in docs/OPERATIONS.md.',
  });
}
