import type { RestoreTarget } from '@etcd-ops/bus';
import {
  findBeforeDelete,
  type BeforeDelete,
  type Identities,
  type Inventory,
  type ObjectStore,
  type RestoreTarget as CoreTarget,
} from '@etcd-ops/core';

/** Which moment is meant, once a deletion that it names is found. */
export interface SettledMoment {
  restoreTo: CoreTarget;
  beforeDelete?: BeforeDelete;
}

/** @throws EtcdOpsError REVISION_NOT_RESTORABLE when no such deletion was captured, and what reading the deltas throws. */
export async function settleMoment(
  store: ObjectStore,
  inventory: Inventory,
  target: RestoreTarget,
  options: { identities?: Identities | undefined; signal: AbortSignal },
): Promise<SettledMoment> {
  if (target.kind !== 'before-delete' && target.kind !== 'before-delete-prefix') return { restoreTo: target };
  const beforeDelete = (await findBeforeDelete(store, inventory, target, options))!;
  const { revision, timeline } = beforeDelete;
  return { restoreTo: { kind: 'revision', revision, timeline }, beforeDelete };
}
