import { EtcdOpsError } from '../base/errors.ts';
import type { Identities } from '../encryption/identities.ts';
import type { Inventory } from '../repository/inventory.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { findDeletion, type FoundDeletion } from './find-deletion.ts';

/** The deletion that a restore goes back before. */
export interface BeforeDelete extends FoundDeletion {
  /** What was asked for: one of the two. */
  key?: string;
  prefix?: string;
}

export interface WantedDeletion {
  key?: string | undefined;
  prefix?: string | undefined;
  timeline?: number | undefined;
}

/**
 * What a restore to before a deletion means in this repository; undefined when neither key nor prefix is named.
 * @throws EtcdOpsError REVISION_NOT_RESTORABLE when no such deletion was captured.
 */
export async function findBeforeDelete(
  store: ObjectStore,
  inventory: Inventory,
  { key, prefix, timeline }: WantedDeletion,
  { identities, signal }: { identities?: Identities | undefined; signal?: AbortSignal | undefined } = {},
): Promise<BeforeDelete | undefined> {
  if (key === undefined && prefix === undefined) return undefined;
  const bytes = (text: string | undefined): Buffer | undefined => (text === undefined ? undefined : Buffer.from(text));
  const found = await findDeletion(store, inventory, {
    key: bytes(key),
    prefix: bytes(prefix),
    timeline,
    identities,
    signal,
  });
  if (found !== undefined) return { ...(key === undefined ? { prefix: prefix! } : { key }), ...found };
  throw new EtcdOpsError('REVISION_NOT_RESTORABLE', {
    message:
      key === undefined
        ? `No loss of more than half of the keys below ${prefix} is in what can be restored of this timeline`
        : `No deletion of ${key} is in what can be restored of this timeline`,
    remedy:
      'Check the spelling: keys are compared byte by byte. If the backups reach not far enough back, or it was deleted on another timeline, `etcd-ops list` shows both.',
  });
}
